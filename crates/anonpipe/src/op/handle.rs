//! The caller's handle to an operation.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Operation;
use super::fairness::letting_others_run;
use crate::channel::System as _;
use crate::driver::Native;

/// An operation in flight, with the buffer that it owns.
///
/// The operation is under way from the moment it was submitted, whether or not the caller waits for
/// it. Wait with [`wait`](Self::wait) or [`wait_timeout`](Self::wait_timeout), or `.await` it on
/// any executor. The buffer always comes back, with the number of bytes or an error:
///
/// - a read completes with `Ok(0)` at the end of file;
/// - a write completes with its whole length;
/// - a cancelled operation completes with an error for which
///   [`Error::is_cancelled`](crate::Error::is_cancelled) holds, unless it was quicker than the
///   cancel: then it completes with its real result.
///
/// # Wakers
///
/// A task is woken on the thread that completes the operation, usually the driver's, which serves
/// every pipe of the process. An executor's waker only makes a note. A waker that does more delays
/// other operations, and must not wait for one.
///
/// # Cancellation and drop
///
/// Dropping an `Op` asks for its cancellation and returns at once; the buffer is freed when the
/// system is done with it. A read that was quicker than the cancellation has taken its bytes, and
/// dropping loses them; to keep them, [`cancel`](Self::cancel) and then wait. To let an operation
/// go on without its handle, [`detach`](Self::detach) it.
///
/// # Forks
///
/// After a fork, the parent's operations go on in the parent alone. In the forked process such an
/// operation counts as complete. Its outcome is an error of the kind
/// [`Unsupported`](io::ErrorKind::Unsupported), with the buffer, unless the outcome was there
/// before the fork. Waiting for it, cancelling it and dropping it return at once, and change
/// nothing for the parent.
///
/// # References
///
/// - [`CancelIoEx`]
/// - [fork(2)](https://man7.org/linux/man-pages/man2/fork.2.html)
///
/// [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
///
/// # Examples
///
/// ```
/// let (reader, writer) = anonpipe::pipe()?;
/// let read = reader.submit_read(vec![0; 16]);
/// let (written, _buffer) = writer.submit_write(b"hello").wait();
/// assert_eq!(written?, 5);
/// let (count, buffer) = read.wait();
/// assert_eq!(&buffer[..count?], b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping an operation cancels it: wait for it, await it, or detach it"]
pub struct Op<B: Send + 'static>(pub(crate) Operation<B, Native>);

impl<B: Send + 'static> Op<B> {
    /// Blocks until the operation is complete; returns its result and the buffer.
    ///
    /// # Panics
    ///
    /// If [`wait_timeout`](Self::wait_timeout) or a poll has already handed out the outcome.
    pub fn wait(mut self) -> (io::Result<usize>, B) {
        self.0.wait(None).expect("without a deadline there is an outcome")
    }

    /// Blocks until the operation is complete, for at most `timeout`.
    ///
    /// `None` means that the time was up. The operation goes on; wait for it again, or cancel it.
    ///
    /// # Panics
    ///
    /// If an earlier call or a poll has already handed out the outcome.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<(io::Result<usize>, B)> {
        self.0.wait(Native::deadline_in(timeout))
    }

    /// Asks the system to end the operation, and returns at once.
    ///
    /// Wait for the outcome to see what happened. It is usually an error for which
    /// [`Error::is_cancelled`](crate::Error::is_cancelled) holds, and which says what is known
    /// about bytes that had gone. If the cancel came too late, it is the operation's real result. A
    /// cancelled read has consumed nothing. Does nothing to an operation that is complete.
    ///
    /// # References
    ///
    /// - [`CancelIoEx`]
    ///
    /// [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
    pub fn cancel(&self) {
        self.0.submitted().cancel();
    }

    /// Lets the operation go on without a handle; its buffer is freed when it is complete.
    ///
    /// A detached write finishes even when its end is dropped; dropping the end cancels a detached
    /// read.
    pub fn detach(self) {
        self.0.detach();
    }

    /// Whether the outcome is there, so that waiting will not block. Also true after the outcome
    /// was taken.
    ///
    /// To let other tasks run, a *poll* may still answer `Pending` once, after 128 polls on this
    /// thread that were ready. So take a complete operation with [`wait`](Self::wait), not with a
    /// poll that is never repeated.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.submitted().is_complete()
    }
}

impl<B: Send + 'static> Future for Op<B> {
    type Output = (io::Result<usize>, B);

    /// # Panics
    ///
    /// If the outcome was already taken, by an earlier poll or by
    /// [`wait_timeout`](Op::wait_timeout).
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        letting_others_run(context, |context| self.0.poll(context))
    }
}

/// The buffer is stored in the operation's own allocation, not in the `Op`.
impl<B: Send + 'static> Unpin for Op<B> {}

impl<B: Send + 'static> fmt::Debug for Op<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
