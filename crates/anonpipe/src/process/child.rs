//! A running child.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Instant;

use super::call::{Call, Steps};
use super::exit::Exit;
use super::life::Life;
use super::output::{Collect, Limits, Output};
use crate::driver::NativeDriver;
use crate::{Driver, Overlapped, Reader, Writer};

/// Our end of a child's standard input.
pub type ChildStdin = Writer<Overlapped>;

/// Our end of a child's standard output.
pub type ChildStdout = Reader<Overlapped>;

/// Our end of a child's standard error.
pub type ChildStderr = Reader<Overlapped>;

/// A child that was started by [`Command::spawn`](super::Command::spawn).
///
/// # Drop
///
/// Does not block. The child goes on, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was asked for. It does not stay as a zombie: this
/// crate's thread takes note of its end.
///
/// # Forks
///
/// In a forked process, the parent's children cannot be waited for or ended; such calls fail with
/// [`Unsupported`](io::ErrorKind::Unsupported). Dropping one there changes nothing.
#[must_use = "a dropped child goes on, but can no longer be waited for"]
pub struct Child {
    /// Our end of the child's standard input, if that is [`piped`](super::Stdio::piped). Drop it to
    /// send the end of file.
    pub stdin: Option<ChildStdin>,
    /// Our end of the child's standard output, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// Our end of the child's standard error, if that is piped.
    pub stderr: Option<ChildStderr>,
    life: Arc<Life>,
    pub(super) kill_on_drop: bool,
    pub(super) limits: Limits,
    pub(super) started: Instant,
    /// A call has returned its exit status.
    is_over: bool,
}

impl Child {
    pub(super) fn new(
        life: Arc<Life>,
        (stdin, stdout, stderr): (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>),
        kill_on_drop: bool,
        limits: Limits,
    ) -> Self {
        let started = Instant::now();
        Self { stdin, stdout, stderr, life, kill_on_drop, limits, started, is_over: false }
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// The child's process id; `None` once its exit status was returned, when the system may give
    /// the number to another process.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        (!self.is_over).then(|| self.life.system().id())
    }

    /// Has `driver` tell of the child's end and complete the operations on the ends that are still
    /// in this `Child`, so that no thread of this crate is needed; see
    /// [`Reader::attach`](crate::Reader::attach).
    ///
    /// # Errors
    ///
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if the child is already being waited for;
    /// otherwise as for [`Reader::attach`](crate::Reader::attach).
    pub fn attach(&self, driver: &Driver) -> io::Result<()> {
        self.stdin.as_ref().map_or(Ok(()), |end| end.attach(driver))?;
        self.stdout.as_ref().map_or(Ok(()), |end| end.attach(driver))?;
        self.stderr.as_ref().map_or(Ok(()), |end| end.attach(driver))?;
        self.life.attach(driver.make_ref())
    }

    /// The end of the child, as an operation of its own; leaves the standard input open.
    pub fn exit(&self) -> Exit {
        Exit::of(&self.life)
    }

    /// Waits until the child has ended, and returns its exit status.
    ///
    /// Closes the child's standard input first, if it is still in [`stdin`](Self::stdin), so that a
    /// child that reads until the end of file ends, too. [`exit`](Self::exit) leaves it open. May
    /// be called again, and returns the same then.
    ///
    /// A child that writes more than the pipes hold waits for a reader:
    /// [`wait_with_output`](Self::wait_with_output) is one.
    ///
    /// # Errors
    ///
    /// As for [`Exit::wait`].
    pub fn wait(&mut self) -> Call<'_, io::Result<ExitStatus>> {
        Call::new(Wait { exit: self.exit(), child: self })
    }

    /// The exit status, if the child has ended. Does not block, and leaves the standard input open.
    ///
    /// # Errors
    ///
    /// As for [`Exit::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.life.look()?;
        if status.is_some() {
            self.is_now_over();
        }
        Ok(status)
    }

    /// Reads what the child writes until it has ended, and returns all of that with its exit
    /// status; closes its standard input first.
    ///
    /// Reads [`stdout`](Self::stdout) and [`stderr`](Self::stderr) as far as they are piped and
    /// were not taken out. The limits that the [`Command`](super::Command) has apply. The child's
    /// end is what counts, not the end of the pipes: see [`Output::held_open`].
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn wait_with_output(self) -> Call<'static, io::Result<Output>> {
        Call::new(Collect::new(self))
    }

    pub(super) fn is_now_over(&mut self) {
        self.is_over = true;
        self.life.finish();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop && self.life.is_of_this_process() && !matches!(self.life.look(), Ok(Some(_))) {
            let _ = self.kill_all();
        }
        self.life.let_go();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// [`Child::wait`] under way.
struct Wait<'a> {
    exit: Exit,
    child: &'a mut Child,
}

impl Steps for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        self.child.stdin = None;
        let status = ready!(self.exit.poll_by(waker))?;
        self.child.is_now_over();
        Poll::Ready(Ok(status))
    }

    fn driver(&self) -> Option<NativeDriver> {
        self.child.life.attached()
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        self.child.stdin = None;
        let status = self.child.life.wait(deadline)?;
        if status.is_ok() {
            self.child.is_now_over();
        }
        Some(status)
    }
}
