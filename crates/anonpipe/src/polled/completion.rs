//! Tasks on a system that says when an operation is complete.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use crate::error::Failure;
use crate::info::EndName;
use crate::op::{self, Flow, Op, Outcome};
use crate::patience::Patience;
use crate::polled::WokenBy;
use crate::sys::Channel;

/// How often in a row, in one poll, there may be something to read that is gone when it is read.
const MAX_IN_VAIN: usize = 16;

/// How many bytes one write takes at most. Larger than the usual capacity, so that a bulk transfer is few operations.
const MAX_WRITE: usize = 256 * 1024;

/// How many writes may be in flight: the next is with the system while the completion of one is on its way to us.
const MAX_WRITES: usize = 2;

/// How large a buffer is kept for the next write after a flush. Most ends write little, and there may be many.
const MAX_SPARE: usize = 64 * 1024;

/// The reads of one end.
///
/// A read of nothing completes when there is something to read, and consumes nothing; libuv uses it in the same way. Then a
/// direct read takes what there is. If somebody else was faster, that read is cancelled again, in the same poll.
#[derive(Default)]
pub(crate) struct Reads {
    /// The read of nothing, while it is in flight. Dropping it cancels it.
    readable: Option<Op<()>>,
    /// What the channel's `read_cancels` was when the wait began.
    waits_since: Option<u64>,
    patience: Patience,
}

impl Reads {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        _: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let cancels = channel.read_cancels();
        let poll = if *self.waits_since.get_or_insert(cancels) == cancels {
            self.poll_waiting(channel, end, context, buffers)
        } else {
            self.readable = None;
            Poll::Ready(named(Err(Failure::Cancelled { transferred: Some(0) }), end))
        };
        if poll.is_ready() {
            self.waits_since = None;
        }
        poll
    }

    fn poll_waiting(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.readable.is_none() && self.patience.looks_first() {
            if channel.is_readable() {
                if let Some(outcome) = channel.read_at_once(buffers) {
                    self.patience.found_something();
                    return Poll::Ready(named(outcome, end));
                }
            } else if self.patience.yields_once() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.patience.found_nothing();
        }
        for _ in 0..MAX_IN_VAIN {
            let readable = self.readable.get_or_insert_with(|| op::submit_readiness(channel, end));
            let (outcome, ()) = ready!(readable.poll_alone(context));
            self.readable = None;
            if outcome? == 0 {
                return Poll::Ready(Ok(0));
            }
            if let Some(outcome) = channel.read_at_once(buffers) {
                return Poll::Ready(named(outcome, end));
            }
        }
        // Another reader is always faster, or the peer writes empty messages only: let other tasks
        // run.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes back what is in flight; the channel lets go of it when the system has. To be called before the end lets go of
    /// the channel.
    pub(crate) fn leave(&mut self, _: &Channel) {
        self.readable = None;
    }

    /// As [`leave`](Self::leave), and waits until the system has let go, which takes no peer; at most until `deadline`, should
    /// it be up to this very thread to see it.
    pub(crate) fn take_back(&mut self, _: &Channel, deadline: Instant) {
        if let Some(mut readable) = self.readable.take() {
            readable.cancel();
            let _ = readable.wait_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

fn named(outcome: Outcome, end: EndName) -> io::Result<usize> {
    outcome.map_err(|failure| failure.into_io(Flow::Read.action(), end))
}

/// The writes of one end.
///
/// The system uses a write's bytes until it is complete, and a cancelled write would not say how many have gone. So the bytes are
/// copied, and the copy is written whole.
#[derive(Default)]
pub(crate) struct Writes {
    /// The writes that were accepted, until their outcome was seen; the oldest first.
    accepted: VecDeque<Op<Vec<u8>>>,
    /// Buffers for the next writes, of those that are complete.
    spare: Vec<Vec<u8>>,
}

impl Writes {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        _: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        while !self.accepted.is_empty() {
            match self.poll_oldest(context) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending if self.accepted.len() < MAX_WRITES => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        channel.refuses_writes().map_err(|failure| failure.into_io(Flow::Write.action(), end))?;
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        for buffer in buffers {
            let room = MAX_WRITE - copy.len();
            copy.extend_from_slice(&buffer[..buffer.len().min(room)]);
        }
        let count = copy.len();
        let mut write = op::submit_write(channel, end, copy);
        // One that failed at once was not accepted.
        match write.poll_alone(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.accepted.push_back(write),
            Poll::Ready((outcome, copy)) => self.settle(outcome, copy)?,
        }
        Poll::Ready(Ok(count))
    }

    fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(oldest) = self.accepted.front_mut() else { return Poll::Ready(Ok(())) };
        let (outcome, copy) = ready!(oldest.poll_alone(context));
        self.accepted.pop_front();
        Poll::Ready(self.settle(outcome, copy))
    }

    /// Keeps the buffer of a write that is complete; if it failed, that stands for all that was accepted by then.
    fn settle(&mut self, outcome: io::Result<usize>, copy: Vec<u8>) -> io::Result<()> {
        if self.spare.len() < MAX_WRITES {
            self.spare.push(copy);
        }
        if outcome.is_err() {
            self.detach();
        }
        outcome.map(drop)
    }

    /// Lets go of what was accepted: it is written all the same, but nobody is told any more what became of it.
    fn detach(&mut self) {
        for accepted in self.accepted.drain(..) {
            accepted.detach();
        }
    }

    /// Waits for the completion of what was accepted.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.accepted.is_empty() {
            ready!(self.poll_oldest(context))?;
        }
        self.shrink();
        Poll::Ready(Ok(()))
    }

    /// As [`poll_flush`](Self::poll_flush), blocking.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some(oldest) = self.accepted.pop_front() {
            let (outcome, copy) = oldest.wait();
            self.settle(outcome, copy)?;
        }
        self.shrink();
        Ok(())
    }

    /// How what was accepted has failed, if it has and nobody was told. The system is done with all of it, but whoever observed that
    /// may not yet have said so, which takes a moment.
    pub(crate) fn failure(&mut self, deadline: Instant) -> Option<io::Error> {
        while let Some(oldest) = self.accepted.front_mut() {
            let (outcome, copy) = oldest.wait_timeout(deadline.saturating_duration_since(Instant::now()))?;
            self.accepted.pop_front();
            if let Err(error) = self.settle(outcome, copy) {
                return Some(error);
            }
        }
        None
    }

    /// Nothing is in flight, and perhaps nothing will be for long.
    fn shrink(&mut self) {
        self.spare.truncate(1);
        self.spare.retain(|copy| copy.capacity() <= MAX_SPARE);
    }

    /// See [`Reads::leave`]. What was accepted is written all the same.
    pub(crate) fn leave(&mut self, _: &Channel) {
        self.detach();
    }
}
