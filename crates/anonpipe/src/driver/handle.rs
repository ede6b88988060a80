//! A driver that the caller's own thread turns.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, DriverRef};
use super::native::Native;
use crate::channel::System as _;
use crate::contract::{Action, Failure, Turn};

/// Completes operations on the caller's own thread, for programs with an event loop of their own.
///
/// Usually one thread of this crate completes the operations of all ends of the process. An end
/// that was given to a `Driver` with `attach` ([`Reader::attach`](crate::Reader::attach), …) before
/// its first operation has its operations and tasks completed where the driver is turned, and needs
/// no other thread: call [`turn`](Self::turn) in your loop, or let [`block_on`](Self::block_on) run
/// a future and turn it meanwhile.
///
/// Wakers are called, and buffers of dropped operations freed, by the thread that turns, or by one
/// that blocks in `Read`, `Write` or a timeout behind those operations; they must not turn in their
/// turn. A driver may be shared by threads: they take turns, and what one of them completes wakes
/// the others. [`Op::wait`](crate::Op::wait) and its like turn the driver themselves while they
/// wait, at least once. `Read`, `Write` and the timeouts of the ends need no driver, also behind
/// operations that do.
///
/// # Drop
///
/// Does not block. Ends that are still attached then are served by a thread that ends with the last
/// of them: what is in flight on them goes on.
///
/// # Platform notes
///
/// A completion port of its own on Windows, an epoll instance or a kqueue of its own elsewhere. In
/// a forked process a driver that came along turns nothing: [`turn`](Self::turn) fails,
/// [`notify`](Self::notify) does nothing, and [`block_on`](Self::block_on) runs what needs no
/// driver. Ends that are attached to it there are served by the process's own thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let driver = anonpipe::Driver::new()?;
/// let (reader, writer) = anonpipe::pipe()?;
/// reader.attach(&driver)?;
/// let read = reader.submit_read(vec![0; 16]);
/// writer.submit_write("no thread but this one").wait().0?;
/// while !read.is_complete() {
///     driver.turn(Some(Duration::from_secs(1)))?; // next to what else
///                                                 // your loop waits for
/// }
/// assert_eq!(read.wait().0?, 16);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Driver {
    core: Arc<Core<Native>>,
}

impl Driver {
    /// Makes a driver. Starts no thread.
    ///
    /// # Errors
    ///
    /// What the system said, such as too many open files.
    pub fn new() -> io::Result<Self> {
        Ok(Self { core: Arc::new(Core::new()?) })
    }

    /// Waits for something to complete, but not longer than `timeout` (`None`: without a limit),
    /// and completes it.
    ///
    /// Returns when something was completed (perhaps of another thread, or nothing that concerns
    /// you), the time is up, or [`notify`](Self::notify) was called: look at your operations,
    /// and turn again. A timeout of zero takes what is there, and does not wait.
    ///
    /// # Errors
    ///
    /// What the system said; out of memory, at worst. Nothing is lost by that.
    /// [`Unsupported`](io::ErrorKind::Unsupported) in a process that was forked from the one that
    /// made the driver.
    pub fn turn(&self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.core.poller().is_of_this_process() {
            let why = "it was made by the process that this one was forked from: make another one here";
            return Err(Failure::refused(io::ErrorKind::Unsupported, why).into_io(Action::Turn, None));
        }
        let deadline = timeout.and_then(Native::deadline_in);
        self.core.turn(deadline)
    }

    /// Has every thread that is in [`turn`](Self::turn) return, or if there is none, the next that
    /// calls it. From any thread.
    pub fn notify(&self) {
        self.core.turn_lock.notify();
    }

    /// Runs a future to its end on this thread, and turns the driver while it waits.
    ///
    /// The future may wait for other things as well: it is polled again when its waker is called,
    /// from any thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let driver = anonpipe::Driver::new()?;
    /// let (reader, writer) = anonpipe::pipe()?;
    /// reader.attach(&driver)?;
    /// let count = driver.block_on(async {
    ///     let read = reader.submit_read(vec![0; 16]);
    ///     writer.submit_write("hello").wait().0?;
    ///     read.await.0
    /// })?;
    /// assert_eq!(count, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Some(output) = self.core.run_until(future.as_mut(), None) {
                return output;
            }
        }
    }

    pub(crate) fn make_ref(&self) -> DriverRef<Native> {
        self.core.make_ref()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

/// Readable while something waits to be completed: for an event loop that watches descriptors, to
/// know when to [`turn`](Driver::turn), with a timeout of zero.
#[cfg(unix)]
impl std::os::fd::AsFd for Driver {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.core.poller().as_fd()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
