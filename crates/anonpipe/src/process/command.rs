//! What a child is to be: the builder.

mod lifetime;
mod spawn;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use super::Stdio;
use super::output::Limits;
use crate::sys;

pub(super) use spawn::{Defaults, FOR_OUTPUT, FOR_SPAWN};

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
