//! Ending a child.

mod shutdown;

use std::io;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::Child;
use super::call::{Call, Steps};
use crate::contract::{Action, Failure};
use crate::driver::NativeDriver;

impl Child {
    /// Kills the child at once, and does not wait for its end. What it has started goes on.
    ///
    /// Does nothing to a child that has ended.
    ///
    /// # Errors
    ///
    /// The system's error, such as a lack of permission.
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.life().check_process(Action::EndChild)?;
        self.life().system().kill().map_err(not_ended)
    }

    /// Kills the child, and waits for its end. It is killed by this call; awaiting the result, or
    /// waiting for it, is for its end.
    ///
    /// # Errors
    ///
    /// As for [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    pub fn kill(&mut self) -> Call<'_, io::Result<()>> {
        let killed = self.start_kill();
        Call::new(Kill { killed: Some(killed), wait: self.wait() })
    }

    /// Kills the child and what it has started, at once, and does not wait.
    ///
    /// Also after the child's own end, as long as this `Child` is there: then what it has left
    /// behind is killed.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if the child has no
    /// [group of its own](super::Command::own_group); otherwise the system's error.
    pub fn kill_tree(&mut self) -> io::Result<()> {
        self.check_group()?;
        self.life().system().kill_tree().map_err(not_ended)
    }

    /// Asks the child and what it has started to end, in the way that programs can handle: by
    /// `SIGTERM` on Unix, by Ctrl-Break on Windows.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if the child has no
    /// [group of its own](super::Command::own_group); otherwise the system's error. On Windows
    /// this program and the child must share a console.
    ///
    /// # References
    ///
    /// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
    /// - [`GenerateConsoleCtrlEvent`]
    ///
    /// [`GenerateConsoleCtrlEvent`]: https://learn.microsoft.com/en-us/windows/console/generateconsolectrlevent
    pub fn terminate(&mut self) -> io::Result<()> {
        self.check_group()?;
        self.life().system().terminate().map_err(not_ended)
    }

    fn check_group(&self) -> io::Result<()> {
        self.life().check_process(Action::EndChild)?;
        if self.life().system().has_group() {
            return Ok(());
        }
        let why =
            "it has no group of its own, by which what it has started could be reached: ask for one with own_group";
        Err(Failure::refused(io::ErrorKind::Unsupported, why).into_io(Action::EndChild, None))
    }

    /// Kills the child, and what it has started if it has a group of its own.
    pub(super) fn kill_all(&self) -> io::Result<()> {
        let child = self.life().system();
        if child.has_group() { child.kill_tree() } else { child.kill() }
    }
}

fn not_ended(error: io::Error) -> io::Error {
    Failure::from(error).into_io(Action::EndChild, None)
}

/// [`Child::kill`] under way.
struct Kill<'a> {
    /// How the kill went, until that was told.
    killed: Option<io::Result<()>>,
    wait: Call<'a, io::Result<std::process::ExitStatus>>,
}

impl Steps for Kill<'_> {
    type Output = io::Result<()>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        if let Some(failed) = self.killed.take_if(|killed| killed.is_err()) {
            return Poll::Ready(failed);
        }
        self.wait.steps().poll(waker).map(|ended| ended.map(drop))
    }

    fn driver(&self) -> Option<NativeDriver> {
        None
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        if let Some(failed) = self.killed.take_if(|killed| killed.is_err()) {
            return Some(failed);
        }
        self.wait.steps().wait(deadline).map(|ended| ended.map(drop))
    }
}
