//! One operation's life: submitted, pending, completed. No system calls here: [`sys`](crate::sys) issues and cancels.
//!
//! An operation is an [`OpCell`]: the buffer, what the system needs while it runs, and a [`Completion`]. It is shared by
//! the [`Op`] that the caller holds and, from before it is issued until its completion was observed, by the end's queue. So
//! whatever happens to the [`Op`], the kernel's memory stays.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::buffer::sealed::Token;
use crate::driver::Lease;
use crate::error::{Action, Failure};
use crate::info::EndName;
use crate::polled::letting_others_run;
use crate::sync::{Mutex, lock};
use crate::sys::{Channel, Process, Slot};
use crate::{ReadBuffer, WriteBuffer};

mod any;
mod completion;
#[cfg(all(test, loom))]
mod interleavings;

pub use any::{AnyOp, wait_any};
use completion::Completion;

/// What became of an operation.
pub(crate) type Outcome = Result<usize, Failure>;

/// Which half of an end an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Read,
    Write,
}

impl Flow {
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Read => Action::Read,
            Self::Write => Action::Write,
        }
    }
}

/// The part of an operation that does not depend on the buffer's type.
pub(crate) struct Header {
    pub(crate) flow: Flow,
    /// The buffer's bytes. They are the system's from the submission until the completion: nobody looks at the buffer in
    /// between.
    data: AtomicPtr<u8>,
    length: AtomicUsize,
    completion: Completion,
    /// The process that submitted it.
    process: Process,
    /// What the system needs for it.
    pub(crate) slot: Slot,
}

impl Header {
    pub(crate) fn data(&self) -> *mut u8 {
        self.data.load(Ordering::Relaxed)
    }

    pub(crate) fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    pub(crate) fn complete(&self, outcome: Outcome) {
        self.completion.complete(outcome);
    }
}

/// An operation and its buffer.
pub(crate) struct OpCell<B> {
    header: Header,
    buffer: Mutex<Option<B>>,
}

/// An operation whose buffer's type is forgotten, as the queues hold it.
pub(crate) trait InFlight: Send + Sync {
    fn header(&self) -> &Header;
}

impl<B: Send> InFlight for OpCell<B> {
    fn header(&self) -> &Header {
        &self.header
    }
}

impl<B: Send + 'static> OpCell<B> {
    /// `bytes` gives the address and the length of what the system may use; it is called with the buffer in its final place.
    fn new(flow: Flow, buffer: B, bytes: impl FnOnce(&mut B) -> (*mut u8, usize)) -> Arc<Self> {
        let cell = Arc::new(Self {
            header: Header {
                flow,
                data: AtomicPtr::default(),
                length: AtomicUsize::new(0),
                completion: Completion::new(),
                process: Process::current(),
                slot: Slot::default(),
            },
            buffer: Mutex::new(Some(buffer)),
        });
        if let Some(buffer) = lock(&cell.buffer).as_mut() {
            let (data, length) = bytes(buffer);
            cell.header.data.store(data, Ordering::Relaxed);
            cell.header.length.store(length, Ordering::Relaxed);
        }
        cell
    }

    /// The buffer, after the completion.
    fn take_buffer(&self) -> B {
        lock(&self.buffer).take().expect("the outcome is taken once, and the buffer with it")
    }
}

/// An operation in flight, with the buffer that it owns.
///
/// It is under way from the moment it was submitted, whether or not anyone waits for it. Wait for it with
/// [`wait`](Self::wait) or [`wait_timeout`](Self::wait_timeout), or `.await` it on any executor. Either way the buffer comes
/// back, with the number of bytes or with why there are none:
///
/// - a read completes with `Ok(0)` at the end of file;
/// - a write completes with its whole length;
/// - an operation that was cancelled completes with an error for which [`Error::is_cancelled`](crate::Error::is_cancelled)
///   holds, unless it was quicker than the cancel: then with what it did.
///
/// # Wakers
///
/// A task is woken on the thread that completes the operation, usually the driver's, which serves every pipe of the process.
/// An executor's waker only makes a note; one that does more delays the others, and must not wait for another operation.
///
/// # Cancellation and drop
///
/// Dropping an `Op` asks for its cancellation and returns at once; the buffer is freed when the system is done with it. A
/// read that lost the race has still taken its bytes, and dropping loses them: [`cancel`](Self::cancel) and then wait to be
/// sure. To let an operation go on without you, [`detach`](Self::detach) it.
///
/// # Forks
///
/// An operation that came along with a fork goes on in the parent alone. In the forked process it counts as complete, and its
/// outcome is an error of the kind [`Unsupported`](io::ErrorKind::Unsupported), with the buffer, unless the outcome was there
/// before. Waiting for it, cancelling and dropping it return at once, and change nothing for the parent.
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
pub struct Op<B: Send + 'static> {
    /// `None` once the outcome was taken.
    cell: Option<Arc<OpCell<B>>>,
    /// Weak: the queue holds the end while the operation is in flight, and afterwards there is nothing to cancel.
    channel: Weak<Channel>,
    end: EndName,
}

const SPENT: &str = "this operation's outcome was already taken";

/// The outcome of an operation that came along with a fork.
fn left_in_the_parent() -> Failure {
    let why = "it is in flight in the process that this one was forked from, and goes on there alone";
    Failure::refused(io::ErrorKind::Unsupported, why)
}

impl<B: Send + 'static> Op<B> {
    /// # Panics
    ///
    /// If [`wait_timeout`](Self::wait_timeout) or a poll has already handed out the outcome.
    fn cell(&self) -> &Arc<OpCell<B>> {
        self.cell.as_ref().expect(SPENT)
    }

    /// What can be waited for: nothing once the outcome was taken, and nothing of the process that this one was forked from,
    /// whose threads may have held the operation's locks.
    fn local(&self) -> Option<&Arc<OpCell<B>>> {
        self.cell.as_ref().filter(|cell| cell.header.process.is_current())
    }

    /// The outcome of an operation that came along with a fork; takes no lock that may be held for ever.
    fn outcome_after_fork(&self) -> Option<Outcome> {
        let cell = self.cell.as_ref().filter(|cell| !cell.header.process.is_current())?;
        Some(cell.header.completion.outcome_at_once().unwrap_or_else(|| Err(left_in_the_parent())))
    }

    fn finish(&mut self, outcome: Outcome) -> (io::Result<usize>, B) {
        let cell = self.cell.take().expect(SPENT);
        let action = cell.header.flow.action();
        (outcome.map_err(|failure| failure.into_io(action, self.end)), cell.take_buffer())
    }

    /// Blocks until the operation is complete; returns its result and the buffer.
    ///
    /// # Panics
    ///
    /// If [`wait_timeout`](Self::wait_timeout) or a poll has already handed out the outcome.
    pub fn wait(mut self) -> (io::Result<usize>, B) {
        let outcome = self.wait_until(None).expect("without a deadline there is an outcome");
        self.finish(outcome)
    }

    /// Blocks until the operation is complete, but not longer than `timeout`.
    ///
    /// `None` means that the time was up: the operation goes on, and can be waited for again, or cancelled.
    ///
    /// # Panics
    ///
    /// If an earlier call or a poll has already handed out the outcome.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<(io::Result<usize>, B)> {
        // A time beyond the clock's end is no limit.
        let outcome = self.wait_until(Instant::now().checked_add(timeout))?;
        Some(self.finish(outcome))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let completion = &self.cell().header.completion;
        if let Some(outcome) = self.outcome_after_fork() {
            return Some(outcome);
        }
        // Where it is up to us to turn the driver, nobody else may.
        match self.attached() {
            Some(driver) => driver.run_until(|waker| completion.poll(waker), deadline),
            None => completion.wait(deadline),
        }
    }

    /// The driver that the caller has to turn for this operation, if it is in flight on such an end.
    fn attached(&self) -> Option<Lease> {
        if self.is_complete() {
            return None;
        }
        self.channel.upgrade()?.attached().cloned()
    }

    /// Asks for the operation to end, and returns at once.
    ///
    /// What happened is said by the outcome, so wait for it: usually an error for which
    /// [`Error::is_cancelled`](crate::Error::is_cancelled) holds, and which knows what is to be known about bytes that had
    /// gone. If the cancel came too late, it is the operation's real result. A cancelled read has consumed nothing. Does
    /// nothing to an operation that is complete.
    pub fn cancel(&self) {
        let Some(cell) = &self.cell else { return };
        if cell.header.process.is_current() && cell.header.completion.is_complete() {
            return;
        }
        if let Some(channel) = self.channel.upgrade() {
            Channel::cancel(channel, &cell.header);
        }
    }

    /// Lets the operation go on without anybody to wait for it; its buffer is freed when it is complete.
    ///
    /// A detached write is finished even when its end has been dropped; a detached read is cancelled by that.
    pub fn detach(mut self) {
        if let Some(cell) = self.local() {
            cell.header.completion.forget_task();
        }
        self.cell = None;
    }

    /// Whether the outcome is there, so that waiting will not block. Also true after it was taken.
    ///
    /// A *poll* may answer `Pending` once all the same, after 128 that were ready in a row on this thread, so that other tasks
    /// get their turn: take what is complete with [`wait`](Self::wait), and not by a poll that is never repeated.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.local().is_none_or(|cell| cell.header.completion.is_complete())
    }

    /// As a poll by a task, which does not count among those in a row.
    pub(crate) fn poll_alone(&mut self, context: &mut Context<'_>) -> Poll<(io::Result<usize>, B)> {
        let completion = &self.cell().header.completion;
        let outcome = match self.outcome_after_fork() {
            Some(outcome) => outcome,
            None => ready!(completion.poll(context.waker())),
        };
        Poll::Ready(self.finish(outcome))
    }
}

impl<B: Send + 'static> Future for Op<B> {
    type Output = (io::Result<usize>, B);

    /// # Panics
    ///
    /// If the outcome was already taken, by an earlier poll or by [`wait_timeout`](Op::wait_timeout).
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        letting_others_run(context, |context| self.poll_alone(context))
    }
}

/// The buffer lives in the operation's own allocation, not in the `Op`.
impl<B: Send + 'static> Unpin for Op<B> {}

impl<B: Send + 'static> Drop for Op<B> {
    fn drop(&mut self) {
        // First, because the task that drops it need not be told that it was cancelled.
        if let Some(cell) = self.local() {
            cell.header.completion.forget_task();
        }
        self.cancel();
    }
}

impl<B: Send + 'static> fmt::Debug for Op<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.cell {
            None => "taken",
            Some(cell) if !cell.header.process.is_current() => "left in the parent",
            Some(cell) if cell.header.completion.is_complete() => "complete",
            Some(_) => "pending",
        };
        let mut debug = f.debug_struct("Op");
        if let Some(cell) = &self.cell {
            debug.field("flow", &cell.header.flow).field("length", &cell.header.length());
        }
        debug.field("state", &state).finish_non_exhaustive()
    }
}

/// Puts a read under way on `channel`.
pub(crate) fn submit_read<B: ReadBuffer>(channel: &Arc<Channel>, end: EndName, buffer: B) -> Op<B> {
    if let Some(why) = buffer.unfit(Token(())) {
        return refuse(channel, end, Flow::Read, buffer, Failure::refused(io::ErrorKind::InvalidInput, why));
    }
    submit(channel, end, Flow::Read, buffer, |buffer| {
        let bytes = buffer.bytes_mut(Token(()));
        let bytes = (bytes.as_mut_ptr(), bytes.len());
        buffer.submitted(Token(()));
        bytes
    })
}

/// Puts a write under way on `channel`.
pub(crate) fn submit_write<B: WriteBuffer>(channel: &Arc<Channel>, end: EndName, buffer: B) -> Op<B> {
    if let Some(why) = buffer.unfit(Token(())) {
        return refuse(channel, end, Flow::Write, buffer, Failure::refused(io::ErrorKind::InvalidInput, why));
    }
    submit(channel, end, Flow::Write, buffer, |buffer| {
        let bytes = buffer.bytes(Token(()));
        let bytes = (bytes.as_ptr().cast_mut(), bytes.len());
        buffer.submitted(Token(()));
        bytes
    })
}

/// An operation that is complete before it began, because it was refused.
pub(crate) fn refuse<B>(channel: &Arc<Channel>, end: EndName, flow: Flow, mut buffer: B, failure: Failure) -> Op<B>
where
    B: WriteBuffer,
{
    buffer.submitted(Token(()));
    let cell = OpCell::new(flow, buffer, |_| (std::ptr::null_mut(), 0));
    cell.header.complete(Err(failure));
    Op { cell: Some(cell), channel: Arc::downgrade(channel), end }
}

/// Puts a read of nothing on its way: it completes with 1 when there is something to read, and with 0 at the end of file.
#[cfg(windows)]
pub(crate) fn submit_readiness(channel: &Arc<Channel>, end: EndName) -> Op<()> {
    let cell = OpCell::new(Flow::Read, (), |()| (std::ptr::NonNull::dangling().as_ptr(), 0));
    channel.submit(Arc::clone(&cell) as Arc<dyn InFlight>);
    Op { cell: Some(cell), channel: Arc::downgrade(channel), end }
}

fn submit<B: Send + 'static>(
    channel: &Arc<Channel>,
    end: EndName,
    flow: Flow,
    buffer: B,
    bytes: impl FnOnce(&mut B) -> (*mut u8, usize),
) -> Op<B> {
    let cell = OpCell::new(flow, buffer, bytes);
    if cell.header.length() == 0 {
        // Nothing to do, and the systems disagree about what doing nothing means.
        cell.header.complete(Ok(0));
    } else {
        channel.submit(Arc::clone(&cell) as Arc<dyn InFlight>);
    }
    Op { cell: Some(cell), channel: Arc::downgrade(channel), end }
}
