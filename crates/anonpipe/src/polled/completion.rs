//! Tasks on a system that says when an operation is complete.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::info::EndName;
use crate::op::{self, Flow, Op};
use crate::sys::Channel;

/// How many bytes one write takes at most: what an end may keep that the peer has not read.
///
/// Larger than the usual capacity, so that a bulk transfer does not stop for each capacity's worth.
const MAX_ACCEPTED: usize = 256 * 1024;

/// How large a buffer is kept for the next write. Most ends write little, and there may be many.
const MAX_SPARE: usize = 64 * 1024;

/// The reads of one end.
///
/// A read of nothing completes when there is something to read, and consumes nothing; libuv uses it in the same way. Then a
/// direct read takes what there is. If somebody else was faster, that read is cancelled again, in the same poll.
#[derive(Default)]
pub(crate) struct Reads {
    /// The read of nothing, while it is in flight. Dropping it cancels it.
    readable: Option<Op<()>>,
}

impl Reads {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let readable = self.readable.get_or_insert_with(|| op::submit_readiness(channel, end));
            let (outcome, ()) = ready!(Pin::new(readable).poll(context));
            self.readable = None;
            if outcome? == 0 {
                return Poll::Ready(Ok(0));
            }
            if let Some(outcome) = channel.read_at_once(buffers) {
                return Poll::Ready(outcome.map_err(|failure| failure.into_io(Flow::Read.action(), end)));
            }
        }
    }

    /// Takes back what is in flight; the channel lets go of it when the system has. To be called before the end lets go of
    /// the channel. Returns whether there was something.
    pub(crate) fn leave(&mut self, _: &Channel) {
        self.readable = None;
    }
}

/// The writes of one end.
///
/// The system uses a write's bytes until it is complete, and a cancelled write would not say how many have gone. So the bytes are
/// copied, and the copy is written whole.
#[derive(Default)]
pub(crate) struct Writes {
    /// The write that was accepted last, until its outcome was seen.
    accepted: Option<Op<Vec<u8>>>,
    spare: Vec<u8>,
}

impl Writes {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(context))?;
        let mut copy = std::mem::take(&mut self.spare);
        copy.clear();
        for buffer in buffers {
            let room = MAX_ACCEPTED - copy.len();
            copy.extend_from_slice(&buffer[..buffer.len().min(room)]);
        }
        let count = copy.len();
        self.accepted = Some(op::submit_write(channel, end, copy));
        // One that failed at once was not accepted.
        match self.poll_flush(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    /// Waits for the completion of what was accepted.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(accepted) = &mut self.accepted else { return Poll::Ready(Ok(())) };
        let (outcome, buffer) = ready!(Pin::new(accepted).poll(context));
        self.accepted = None;
        self.keep(buffer);
        Poll::Ready(outcome.map(drop))
    }

    /// As [`poll_flush`](Self::poll_flush), blocking.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(accepted) = self.accepted.take() else { return Ok(()) };
        let (outcome, buffer) = accepted.wait();
        self.keep(buffer);
        outcome.map(drop)
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_SPARE {
            self.spare = buffer;
        }
    }

    /// Lets go of what was accepted: it is written all the same. See [`Reads::leave`].
    pub(crate) fn leave(&mut self, _: &Channel) {
        if let Some(accepted) = self.accepted.take() {
            accepted.detach();
        }
    }
}
