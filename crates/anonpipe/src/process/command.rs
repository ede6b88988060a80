//! What a child is to be: the builder.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use super::call::Call;
use super::exit::Life;
use super::output::{Collect, Limits, Output, StatusOnly};
use super::stdio::Prepared;
use super::{Child, ChildStdin, ChildStdout, Stdio};
use crate::contract::{Action, Failure};
use crate::sys::{self, ChildStdio, OwnedPipe, SpawnOptions};
use crate::{Blocking, End, Overlapped, PipeOptions};

/// Starts children: the program, its arguments, its environment, its standard handles, and what is
/// to hold for it while it runs.
///
/// As `tokio::process::Command` and [`std::process::Command`]. It can be spawned any number of
/// times.
///
/// # Programs on Windows
///
/// A name without a path is searched as std does: in the `PATH` of the child, if it was set; in the
/// folder of this program; in the system's folders; and in this program's `PATH`; each time with
/// `.exe` if it has no extension. Only if that finds nothing, the `.com`, `.bat` and `.cmd` of
/// `PATHEXT` are searched along `PATH`, so that `npm` or `code` are found. The current folder is
/// never searched. Batch files are run by `cmd.exe`, with arguments escaped as std does; an
/// argument that cannot be escaped is an error.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use anonpipe::process::Command;
///
/// let output = Command::new("sh")
///     .args(["-c", "echo $WORD"])
///     .env("WORD", "quiet")
///     .output()
///     .wait()?;
/// assert_eq!(output.stdout, b"quiet\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    system: sys::process::Builder,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    merge_stderr: bool,
    input: Option<Vec<u8>>,
    own_group: bool,
    die_with_parent: bool,
    kill_on_drop: bool,
    pub(super) limits: Limits,
}

/// What a standard handle is that was not set: [`Stdio::inherit`] for a spawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    stdin: fn() -> Stdio,
    outputs: fn() -> Stdio,
}

pub(super) const FOR_SPAWN: Defaults = Defaults { stdin: Stdio::inherit, outputs: Stdio::inherit };
pub(super) const FOR_OUTPUT: Defaults = Defaults { stdin: Stdio::null, outputs: Stdio::piped };

impl Command {
    /// A command for `program`, without arguments, with this program's environment and current
    /// directory, and its standard handles.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        Self {
            system: sys::process::Builder::new(program.as_ref()),
            stdin: None,
            stdout: None,
            stderr: None,
            merge_stderr: false,
            input: None,
            own_group: false,
            die_with_parent: false,
            kill_on_drop: false,
            limits: Limits::default(),
        }
    }

    /// Adds an argument.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.system.arg(arg.as_ref());
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        for arg in args {
            self.system.arg(arg.as_ref());
        }
        self
    }

    /// Sets a variable of the child's environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.system.env(key.as_ref(), val.as_ref());
        self
    }

    /// Sets variables of the child's environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        for (key, value) in vars {
            self.system.env(key.as_ref(), value.as_ref());
        }
        self
    }

    /// Removes a variable from the child's environment, whether it was set here or is inherited.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self {
        self.system.env_remove(key.as_ref());
        self
    }

    /// Removes all variables; what is set afterwards is all that the child has.
    pub fn env_clear(&mut self) -> &mut Self {
        self.system.env_clear();
        self
    }

    /// Sets the child's working directory.
    ///
    /// Whether a relative path of the program is relative to it depends on the system, as in std.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self {
        self.system.current_dir(dir.as_ref());
        self
    }

    /// Sets the child's standard input. Default: [`Stdio::inherit`]; [`Stdio::null`] for
    /// [`output`](Self::output).
    pub fn stdin<T: Into<Stdio>>(&mut self, stdio: T) -> &mut Self {
        self.stdin = Some(stdio.into());
        self
    }

    /// Sets the child's standard output. Default: [`Stdio::inherit`]; [`Stdio::piped`] for
    /// [`output`](Self::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, stdio: T) -> &mut Self {
        self.stdout = Some(stdio.into());
        self
    }

    /// Sets the child's standard error. Default: [`Stdio::inherit`]; [`Stdio::piped`] for
    /// [`output`](Self::output).
    pub fn stderr<T: Into<Stdio>>(&mut self, stdio: T) -> &mut Self {
        self.stderr = Some(stdio.into());
        self
    }

    /// Whether the standard error goes where the standard output goes, in the order in which the
    /// child writes. Default: no. What [`stderr`](Self::stderr) was told does not count then.
    pub fn merge_stderr(&mut self, merge: bool) -> &mut Self {
        self.merge_stderr = merge;
        self
    }

    /// Gives the child `bytes` as its standard input, and then the end of file.
    ///
    /// They are written in the background while the child runs, so that neither waits for the other
    /// when it writes more than its pipes hold. What it does not read is dropped. What
    /// [`stdin`](Self::stdin) was told does not count then. Each child that is spawned gets them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use anonpipe::process::Command;
    ///
    /// let output = Command::new("sort").input("b\na\n").output().wait()?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn input<B: Into<Vec<u8>>>(&mut self, bytes: B) -> &mut Self {
        self.input = Some(bytes.into());
        self
    }

    /// Whether the child gets a process group (Unix) or a job (Windows) of its own, so that what it
    /// starts can be ended with it: for [`kill_tree`](Child::kill_tree) and
    /// [`terminate`](Child::terminate). Default: no.
    ///
    /// Ctrl-C in a terminal or console does not reach such a child. Calls that kill it without
    /// being told by name ([`kill_on_drop`](Self::kill_on_drop), [`timeout`](Self::timeout)) kill
    /// its group.
    ///
    /// # Platform notes
    ///
    /// What leaves the group is out of reach: on Unix by `setsid` or `setpgid`. On Windows it is a
    /// new process group as well, in which Ctrl-C is ignored until the program asks for it.
    ///
    /// # References
    ///
    /// - [setpgid(2)](https://man7.org/linux/man-pages/man2/setpgid.2.html)
    /// - [Job Objects]
    /// - [Process Creation Flags], `CREATE_NEW_PROCESS_GROUP`
    ///
    /// [Job Objects]: https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
    /// [Process Creation Flags]: https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags
    pub fn own_group(&mut self, own: bool) -> &mut Self {
        self.own_group = own;
        self
    }

    /// Whether the system ends the child when this process has ended, in whatever way. Default: no.
    ///
    /// # Platform notes
    ///
    /// - *Linux, Android, FreeBSD*: the child alone, not what it has started, and not if it runs a
    ///   program with other privileges (set-user-ID and the like). It is started by a thread of
    ///   this crate that does not end, because on Linux the end of the thread counts.
    /// - *Windows*: the child and what it has started, by a job that is closed with this process.
    ///   When the child has ended by itself, that is called off.
    /// - *Elsewhere* the spawn fails with [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// # References
    ///
    /// - [PR_SET_PDEATHSIG(2const)]
    /// - [procctl(2)](https://man.freebsd.org/cgi/man.cgi?query=procctl&sektion=2)
    /// - [Job Objects]
    ///
    /// [PR_SET_PDEATHSIG(2const)]: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    /// [Job Objects]: https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
    pub fn die_with_parent(&mut self, die: bool) -> &mut Self {
        self.die_with_parent = die;
        self
    }

    /// Whether dropping the [`Child`] kills it. Default: no.
    ///
    /// It is killed as by [`Child::start_kill`], with its [group](Self::own_group) if it has one,
    /// and does not stay as a zombie.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Whether dropping the [`Child`] kills it.
    #[must_use]
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// The program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.system.program()
    }

    /// The arguments, without the program.
    pub fn get_args(&self) -> impl Iterator<Item = &OsStr> {
        self.system.args()
    }

    /// The variables that were set, and (`None`) those that were removed.
    pub fn get_envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.system.envs()
    }

    /// The working directory, if it was set.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.system.dir()
    }

    /// Starts a child. Does not wait for it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such program (or directory),
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it may not be run,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for arguments and variables that the system
    /// cannot pass, or if an earlier child has got the pipe that this command was given; otherwise
    /// the system's error. Nothing stays open on failure, and the command can be tried again.
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(FOR_SPAWN)
    }

    /// Starts a child, and waits until it has ended; returns its exit status.
    ///
    /// The child is started by this call, before the result is awaited. If the call is dropped
    /// before it has its result, the child is killed. Our ends of its pipes, if it has any, are
    /// closed.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Child::wait`].
    pub fn status(&mut self) -> Call<'static, io::Result<ExitStatus>> {
        let child = self.spawn_with(FOR_SPAWN).map(|mut child| {
            (child.stdin, child.stdout, child.stderr) = (None, None, None);
            child.kill_on_drop = true;
            child
        });
        Call::new(StatusOnly(Collect::of_spawned(child)))
    }

    /// Starts a child, and reads what it writes until it has ended.
    ///
    /// Unless they were set, the standard output and error are piped, and the input is
    /// [null](Stdio::null). The child is started by this call, before the result is awaited. If the
    /// call is dropped before it has its result, the child is killed.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    pub fn output(&mut self) -> Call<'static, io::Result<Output>> {
        let child = self.spawn_with(FOR_OUTPUT).map(|mut child| {
            child.kill_on_drop = true;
            child
        });
        Call::new(Collect::of_spawned(child))
    }

    fn spawn_with(&mut self, defaults: Defaults) -> io::Result<Child> {
        self.spawn_between(None, None, defaults)
    }

    /// Starts a child. What comes from, or goes to, a neighbour in a pipeline has precedence.
    pub(super) fn spawn_between(
        &mut self,
        from: Option<ChildStdio>,
        to: Option<ChildStdio>,
        defaults: Defaults,
    ) -> io::Result<Child> {
        let (stdin, childs_stdin) = match (from, &self.input) {
            (Some(neighbour), _) => (None, neighbour),
            (None, Some(_)) => childs_input(None, Stdio::piped)?,
            (None, None) => childs_input(self.stdin.as_ref(), defaults.stdin)?,
        };
        let (stdout, childs_stdout) = match to {
            Some(neighbour) => (None, neighbour),
            None => childs_output(self.stdout.as_ref(), defaults.outputs)?,
        };
        let (stderr, childs_stderr) = if self.merge_stderr {
            (None, the_same_as(&childs_stdout)?)
        } else {
            childs_output(self.stderr.as_ref(), defaults.outputs)?
        };
        let options = SpawnOptions {
            own_group: self.own_group || self.limits.need_a_group(),
            die_with_parent: self.die_with_parent,
        };
        let child = self
            .system
            .spawn([childs_stdin, childs_stdout, childs_stderr], &options)
            .map_err(|error| Failure::from(error).into_io(Action::Spawn, None))?;
        for stdio in [&mut self.stdin, &mut self.stdout, &mut self.stderr] {
            stdio.as_mut().map(Stdio::give_away);
        }
        let stdin = match &self.input {
            Some(bytes) => stdin.and_then(|stdin| feed(&stdin, bytes)),
            None => stdin,
        };
        let ends = (stdin, stdout, stderr);
        Ok(Child::new(Life::new(child), ends, self.kill_on_drop, self.limits.clone()))
    }
}

/// Writes all of a child's input in the background. The write goes on without its end, and then
/// comes the end of file.
fn feed(stdin: &ChildStdin, bytes: &[u8]) -> Option<ChildStdin> {
    stdin.submit_write(bytes.to_vec()).detach();
    None
}

fn the_same_as(stdout: &ChildStdio) -> io::Result<ChildStdio> {
    Ok(match stdout {
        ChildStdio::Inherit => return Stdio::from(io::stdout()).prepare().map(Prepared::into_ready),
        ChildStdio::Null => ChildStdio::Null,
        ChildStdio::Handle(handle) => ChildStdio::Handle(handle.try_clone()?),
    })
}

fn pipe_to_child() -> PipeOptions<Overlapped, Blocking> {
    PipeOptions::new().client(End::blocking())
}

/// Our end of a child's standard input, if there is one, and the child's.
fn childs_input(stdio: Option<&Stdio>, default: fn() -> Stdio) -> io::Result<(Option<ChildStdin>, ChildStdio)> {
    match stdio.map_or_else(|| default().prepare(), Stdio::prepare)? {
        Prepared::Ready(stdio) => Ok((None, stdio)),
        Prepared::Piped => {
            let (ours, childs) = pipe_to_child().outbound()?;
            Ok((Some(ours), ChildStdio::Handle(childs.into())))
        }
        Prepared::OverlappedPipe => {
            let (ours, childs) = PipeOptions::new().outbound()?;
            Ok((Some(ours), ChildStdio::Handle(OwnedPipe::try_from(childs)?)))
        }
    }
}

/// As [`childs_input`], for what it writes.
fn childs_output(stdio: Option<&Stdio>, default: fn() -> Stdio) -> io::Result<(Option<ChildStdout>, ChildStdio)> {
    match stdio.map_or_else(|| default().prepare(), Stdio::prepare)? {
        Prepared::Ready(stdio) => Ok((None, stdio)),
        Prepared::Piped => {
            let (ours, childs) = pipe_to_child().inbound()?;
            Ok((Some(ours), ChildStdio::Handle(childs.into())))
        }
        Prepared::OverlappedPipe => {
            let (ours, childs) = PipeOptions::new().inbound()?;
            Ok((Some(ours), ChildStdio::Handle(OwnedPipe::try_from(childs)?)))
        }
    }
}

/// The program and its arguments.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.get_program())
            .field("args", &self.get_args().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
