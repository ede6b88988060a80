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
/// Usually one thread of this crate completes the operations of all ends of the process. To use a
/// `Driver` instead, give an end to it with `attach` ([`Reader::attach`](crate::Reader::attach), …)
/// before the end's first operation. The operations and tasks of the end are then completed where
/// the driver is turned, and need no other thread. Call [`turn`](Self::turn) in your loop, or let
/// [`block_on`](Self::block_on) run a future and turn the driver meanwhile.
///
/// The thread that turns the driver calls the wakers, and frees the buffers of dropped operations.
/// A thread that blocks behind those operations in `Read`, `Write` or a timeout may do so, too.
/// Wakers, and the drop of buffers, must not turn the driver. Threads may share a driver: they take
/// turns, and a completion by one of them wakes the others. [`Op::wait`](crate::Op::wait) and its
/// like turn the driver themselves while they wait, at least once. `Read`, `Write` and the timeouts
/// of the ends need no driver, even behind operations that do. There is one exception: on Windows,
/// behind a [write in pieces](crate::Writer::submit_write), a write that blocks turns the driver
/// while it waits.
///
/// # Drop
///
/// Does not block. If ends are still attached, a thread of this crate serves them, so what is in
/// flight goes on. The thread ends with the last of these ends.
///
/// # Platform notes
///
/// A driver has its own completion port on Windows, and its own epoll instance or kqueue elsewhere.
/// In a forked process, the parent's driver turns nothing: [`turn`](Self::turn) fails,
/// [`notify`](Self::notify) does nothing, and [`block_on`](Self::block_on) runs only what needs no
/// driver. Ends that are attached to it there are served by the process's own thread.
///
/// # References
///
/// - [I/O Completion Ports]
/// - [epoll(7)](https://man7.org/linux/man-pages/man7/epoll.7.html)
/// - [kqueue(2)](https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2)
/// - [fork(2)](https://man7.org/linux/man-pages/man2/fork.2.html)
///
/// [I/O Completion Ports]: https://learn.microsoft.com/en-us/windows/win32/fileio/i-o-completion-ports
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
    /// The system's error, such as too many open files.
    pub fn new() -> io::Result<Self> {
        let core = Core::new().map_err(|error| Failure::from(error).into_io(Action::MakeDriver, None))?;
        Ok(Self { core: Arc::new(core) })
    }

    /// Waits until something completes, for at most `timeout` (`None`: without a limit), and
    /// completes it.
    ///
    /// Returns when something was completed (perhaps an operation of another thread, or nothing
    /// that concerns the caller), when the time is up, or when [`notify`](Self::notify) was called.
    /// Look at your operations, and turn again. A timeout of zero completes what is ready, and does
    /// not wait.
    ///
    /// # Errors
    ///
    /// The system's error; out of memory, at worst. No completion is lost by it.
    /// [`Unsupported`](io::ErrorKind::Unsupported) in a process that was forked from the one that
    /// made the driver.
    pub fn turn(&self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.core.poller().is_of_this_process() {
            let why = "it was made by the process that this one was forked from: make another one here";
            return Err(Failure::refused(io::ErrorKind::Unsupported, why).into_io(Action::Turn, None));
        }
        let deadline = timeout.and_then(Native::deadline_in);
        self.core.turn(deadline).map_err(|error| Failure::from(error).into_io(Action::Turn, None))
    }

    /// Makes every thread that is in [`turn`](Self::turn) return, or, if there is none, the next
    /// thread that calls it. May be called from any thread.
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

/// Readable while the driver has something to complete. An event loop that watches descriptors then
/// calls [`turn`](Driver::turn) with a timeout of zero.
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
