//! Reads and writes by tasks.

#[cfg(all(test, not(loom)))]
mod tests;

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::{Channel, Issuer, System};
use crate::channel::adaptive_yield::AdaptiveYield;
use crate::channel::{Channel as _, Record, Submitted, TaskReads, TaskWrites, WokenBy};
use crate::contract::{Failure, Half, Outcome};

/// How often in a row, in one poll, data may be gone before it is read.
const MAX_IN_VAIN: usize = 16;

/// The most bytes that one write takes. Larger than the usual capacity, so that a bulk transfer
/// takes few operations.
const MAX_WRITE: usize = 256 * 1024;

/// How many writes may be in flight. With two, the next write is with the system while the
/// completion of the first is on its way to us.
const MAX_WRITES: usize = 2;

/// The largest buffer that is kept for the next write after a flush. Most ends write little, and
/// there may be many ends.
const MAX_SPARE: usize = 64 * 1024;

/// The reads of one end.
///
/// An empty read completes when there is something to read, and consumes nothing; libuv uses it in
/// the same way. Then a direct read takes what there is. If another reader was faster, the direct
/// read is cancelled again in the same poll.
pub(crate) struct Reads<S: System> {
    /// The empty read, while it is in flight. Dropping it cancels it.
    readable: Option<Submitted<(), S>>,
    /// The channel's `read_cancels` when the wait began.
    waits_since: Option<u64>,
    adaptive_yield: AdaptiveYield,
}

impl<S: System> Default for Reads<S> {
    fn default() -> Self {
        Self { readable: None, waits_since: None, adaptive_yield: AdaptiveYield::default() }
    }
}

impl<S: System> TaskReads<S> for Reads<S> {
    fn poll(
        &mut self,
        channel: &Arc<Channel<S>>,
        _: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome> {
        let cancels = channel.read_cancels();
        let poll = if *self.waits_since.get_or_insert(cancels) == cancels {
            self.poll_waiting(channel, context, buffers)
        } else {
            self.readable = None;
            Poll::Ready(Err(Failure::Cancelled { transferred: Some(0) }))
        };
        if poll.is_ready() {
            self.waits_since = None;
        }
        poll
    }

    fn leave(&mut self, _: &Channel<S>) {
        self.readable = None;
    }

    fn take_back(&mut self, _: &Channel<S>, deadline: Instant) {
        if let Some(mut readable) = self.readable.take() {
            readable.cancel();
            let _ = readable.wait(Some(deadline));
        }
    }
}

impl<S: System> Reads<S> {
    fn poll_waiting(
        &mut self,
        channel: &Arc<Channel<S>>,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome> {
        if self.readable.is_none() && self.adaptive_yield.looks_first() {
            if channel.issuer.is_readable() {
                if let Some(outcome) = read_at_once(channel, buffers) {
                    self.adaptive_yield.found_something();
                    return Poll::Ready(outcome);
                }
            } else if self.adaptive_yield.comes_back() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.adaptive_yield.found_nothing();
        }
        for _ in 0..MAX_IN_VAIN {
            let readable = self.readable.get_or_insert_with(|| {
                // Completes with 1 when there is something to read, and with 0 at the end of file.
                Submitted::to(channel, Record::new(Half::Read, (), 0))
            });
            let (outcome, ()) = ready!(readable.poll(context));
            self.readable = None;
            if outcome? == 0 {
                return Poll::Ready(Ok(0));
            }
            if let Some(outcome) = read_at_once(channel, buffers) {
                return Poll::Ready(outcome);
            }
        }
        // Another reader is always faster, or the peer writes only empty messages: let other tasks
        // run.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Reads what there is. `None`: there is nothing, or nothing any more. The read that found this out
/// is over.
fn read_at_once<S: System>(channel: &Arc<Channel<S>>, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
    match channel.read(buffers, Some(S::now())) {
        Err(Failure::TimedOut { .. }) => None,
        outcome => Some(outcome),
    }
}

/// The writes of one end.
///
/// The system uses a write's bytes until the write is complete, and a cancelled write would not say
/// how many have gone. So the bytes are copied, and the whole copy is written.
pub(crate) struct Writes<S: System> {
    /// The accepted writes whose outcome was not seen yet; the oldest first.
    accepted: VecDeque<Submitted<Vec<u8>, S>>,
    /// The failure of the write that was accepted last, which was over at once although the peer
    /// may have a part of it.
    failed: Option<Failure>,
    /// The buffers of completed writes, for the next writes.
    spare: Vec<Vec<u8>>,
}

impl<S: System> Default for Writes<S> {
    fn default() -> Self {
        Self { accepted: VecDeque::new(), failed: None, spare: Vec::new() }
    }
}

impl<S: System> TaskWrites<S> for Writes<S> {
    fn poll(
        &mut self,
        channel: &Arc<Channel<S>>,
        _: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome> {
        while !self.accepted.is_empty() {
            match self.poll_oldest(context) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending if self.accepted.len() < MAX_WRITES => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        if let Err(failure) = self.failed.take().map_or_else(|| channel.refuses_writes(), Err) {
            // This stands for what was accepted as well: it is told once.
            self.detach();
            return Poll::Ready(Err(failure));
        }
        let copy = self.copy_of(buffers);
        let count = copy.len();
        let record = Record::new(Half::Write, copy, count);
        record.lent().lend_to_write();
        let mut write = Submitted::to(channel, record);
        match write.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.accepted.push_back(write),
            Poll::Ready((Err(failure), copy)) => {
                self.keep(copy);
                match failure.transferred() {
                    // It was not accepted.
                    Some(0) => {
                        self.detach();
                        return Poll::Ready(Err(failure));
                    }
                    // The next write is told of a failure that lasts.
                    Some(went) => return Poll::Ready(Ok(went)),
                    None => self.failed = Some(failure),
                }
            }
            Poll::Ready((Ok(_), copy)) => self.keep(copy),
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while !self.accepted.is_empty() {
            ready!(self.poll_oldest(context))?;
        }
        self.shrink();
        Poll::Ready(self.failed.take().map_or(Ok(()), Err))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        while let Some(mut oldest) = self.accepted.pop_front() {
            if let Some((outcome, copy)) = oldest.wait(None) {
                self.is_over(outcome, copy)?;
            }
        }
        self.shrink();
        self.failed.take().map_or(Ok(()), Err)
    }

    fn failure(&mut self, deadline: Instant) -> Option<Failure> {
        while let Some(oldest) = self.accepted.front_mut() {
            let (outcome, copy) = oldest.wait(Some(deadline))?;
            self.accepted.pop_front();
            if let Err(failure) = self.is_over(outcome, copy) {
                return Some(failure);
            }
        }
        self.failed.take()
    }

    fn leave(&mut self, _: &Channel<S>) {
        self.detach();
    }
}

impl<S: System> Writes<S> {
    /// Copies as much of `buffers` as one write takes.
    fn copy_of(&mut self, buffers: &[IoSlice<'_>]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        for buffer in buffers {
            let room = MAX_WRITE - copy.len();
            copy.extend_from_slice(&buffer[..buffer.len().min(room)]);
        }
        copy
    }

    fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(oldest) = self.accepted.front_mut() else { return Poll::Ready(Ok(())) };
        let (outcome, copy) = ready!(oldest.poll(context));
        self.accepted.pop_front();
        Poll::Ready(self.is_over(outcome, copy))
    }

    /// Keeps the buffer of a write that is over. If the write failed, its error stands for all
    /// writes that were accepted by then.
    fn is_over(&mut self, outcome: Outcome, copy: Vec<u8>) -> Result<(), Failure> {
        self.keep(copy);
        if outcome.is_err() {
            self.detach();
        }
        outcome.map(drop)
    }

    /// Keeps a buffer for a later write.
    fn keep(&mut self, copy: Vec<u8>) {
        if self.spare.len() < MAX_WRITES {
            self.spare.push(copy);
        }
    }

    /// Gives up the accepted writes: they still go out, but the caller does not learn their outcome
    /// any more.
    fn detach(&mut self) {
        self.failed = None;
        for accepted in self.accepted.drain(..) {
            accepted.detach();
        }
    }

    /// Nothing is in flight, and perhaps nothing will be for long.
    fn shrink(&mut self) {
        self.spare.truncate(1);
        self.spare.retain(|copy| copy.capacity() <= MAX_SPARE);
    }
}
