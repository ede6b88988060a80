//! The end of a child, as an operation that is under way from the spawn on.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::life::Life;
use crate::channel::{DriverShare as _, System as _};
use crate::driver::Native;
use crate::op::{AnyOp, any_op};

/// The end of a child, which is under way from its start: an operation like those on pipes.
///
/// `.await` it on any executor, [`wait`](Self::wait) for it, or put it among the operations of
/// [`wait_any`](crate::wait_any). There may be any number of them for one child, and each gets the
/// status. They do not close the child's standard input, as [`Child::wait`](super::Child::wait)
/// does. Dropping one changes nothing for the child.
///
/// # Examples
///
/// The output of a child, or its end, whichever comes first:
///
/// ```
/// # #[cfg(unix)] {
/// use anonpipe::process::{Command, Stdio};
///
/// let mut child = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn()?;
/// let stdout = child.stdout.take().unwrap();
/// let line = stdout.submit_read(vec![0; 80]);
/// let exit = child.exit();
/// child.start_kill()?;
/// let first = anonpipe::wait_any(&[&exit, &line], None);
/// assert!(first.is_some());
/// assert!(!exit.wait()?.success());
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it tells of the end to those who await it or wait for it"]
pub struct Exit {
    life: Arc<Life>,
    /// The task that polled last.
    waker: Option<Waker>,
}

impl Exit {
    pub(super) fn of(life: &Arc<Life>) -> Self {
        Self { life: Arc::clone(life), waker: None }
    }

    /// Blocks until the child has ended.
    ///
    /// # Errors
    ///
    /// The system's error, if the program has asked the system for this child itself or has told
    /// it to reap all children; [`Unsupported`](io::ErrorKind::Unsupported) in a forked process.
    pub fn wait(self) -> io::Result<ExitStatus> {
        self.life.wait(None).unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Blocks until the child has ended, for at most `timeout`; `None` means that the time was up.
    /// May be called again, also after it has ended.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<io::Result<ExitStatus>> {
        self.life.wait(Native::deadline_in(timeout))
    }

    /// Whether the child has ended, so that waiting will not block.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !matches!(self.life.look(), Ok(None))
    }

    pub(super) fn poll_by(&mut self, waker: &Waker) -> Poll<io::Result<ExitStatus>> {
        if self.waker.as_ref().is_some_and(|known| !known.will_wake(waker)) {
            self.forget_task();
        }
        let polled = self.life.poll(waker);
        self.waker = polled.is_pending().then(|| waker.clone());
        polled
    }

    fn forget_task(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.life.forget_waker(&waker);
        }
    }
}

impl Future for Exit {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_by(context.waker())
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        self.forget_task();
    }
}

impl AnyOp for Exit {}

impl any_op::AnyOp for Exit {
    fn add_waker(&self, waker: &Waker) -> bool {
        // What cannot be waited for is told by the wait that follows.
        self.life.poll(waker).is_ready()
    }

    fn remove_waker(&self, waker: &Waker) {
        self.life.forget_waker(waker);
    }

    fn is_complete(&self) -> bool {
        self.is_complete()
    }

    fn turn_until(&self, poll: &dyn Fn(&Waker) -> Poll<()>, deadline: Option<Instant>) -> Option<()> {
        let driver = self.life.is_of_this_process().then(|| self.life.attached()).flatten()?;
        let _ = driver.run_until(poll, deadline);
        Some(())
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("child", &self.life.system().id()).finish_non_exhaustive()
    }
}
