//! Starting children, with pipes where they are asked for.

use std::io;
use std::process::ExitStatus;

use super::Command;
use crate::contract::{Action, Failure};
use crate::process::call::Call;
use crate::process::life::Life;
use crate::process::output::{Collect, Output, StatusOnly};
use crate::process::stdio::Prepared;
use crate::process::{Child, ChildStdin, ChildStdout, Stdio};
use crate::sys::{ChildStdio, OwnedPipe, SpawnOptions};
use crate::{Blocking, End, Overlapped, PipeOptions};

/// What a standard handle is that was not set: [`Stdio::inherit`] for a spawn.
#[derive(Debug, Clone, Copy)]
pub(in crate::process) struct Defaults {
    stdin: fn() -> Stdio,
    outputs: fn() -> Stdio,
}

pub(in crate::process) const FOR_SPAWN: Defaults = Defaults { stdin: Stdio::inherit, outputs: Stdio::inherit };
pub(in crate::process) const FOR_OUTPUT: Defaults = Defaults { stdin: Stdio::null, outputs: Stdio::piped };

impl Command {
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
    pub(in crate::process) fn spawn_between(
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

/// Our end of a child's standard input, if there is one, and the child's.
fn childs_input(stdio: Option<&Stdio>, default: fn() -> Stdio) -> io::Result<(Option<ChildStdin>, ChildStdio)> {
    both_ends(stdio, default, |options| options.outbound(), |options| options.outbound())
}

/// As [`childs_input`], for what it writes.
fn childs_output(stdio: Option<&Stdio>, default: fn() -> Stdio) -> io::Result<(Option<ChildStdout>, ChildStdio)> {
    both_ends(stdio, default, |options| options.inbound(), |options| options.inbound())
}

/// Our end of what a standard handle was told to be, if there is one, and the child's; `blocking`
/// and `overlapped` make a pipe, by the mode of the child's end.
fn both_ends<Ours, Childs: Into<OwnedPipe>, Overlapping>(
    stdio: Option<&Stdio>,
    default: fn() -> Stdio,
    blocking: impl FnOnce(PipeOptions<Overlapped, Blocking>) -> io::Result<(Ours, Childs)>,
    overlapped: impl FnOnce(PipeOptions<Overlapped, Overlapped>) -> io::Result<(Ours, Overlapping)>,
) -> io::Result<(Option<Ours>, ChildStdio)>
where
    OwnedPipe: TryFrom<Overlapping, Error: Into<io::Error>>,
{
    let (ours, childs) = match stdio.map_or_else(|| default().prepare(), Stdio::prepare)? {
        Prepared::Ready(stdio) => return Ok((None, stdio)),
        Prepared::Piped => {
            let (ours, childs) = blocking(PipeOptions::new().client(End::blocking()))?;
            (ours, childs.into())
        }
        Prepared::OverlappedPipe => {
            let (ours, childs) = overlapped(PipeOptions::new())?;
            (ours, OwnedPipe::try_from(childs).map_err(Into::into)?)
        }
    };
    Ok((Some(ours), ChildStdio::Handle(childs)))
}
