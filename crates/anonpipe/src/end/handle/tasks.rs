//! Overlapped ends as the async traits see them.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::{EndHandle, HandleCount};
use crate::channel::{Channel as _, System, TaskReads as _, TaskWrites as _, WokenBy};
use crate::contract::{Action, Direction, Failure, Half};
use crate::end::{Access, total};
use crate::op::fairly;

impl<S: System> EndHandle<S> {
    /// Forgets the tasks: takes back what they have in flight, except for accepted writes.
    pub(super) fn leave(&mut self) {
        if let Some(mut reads) = self.reads.take() {
            reads.leave(&self.channel);
        }
        if let Some(mut writes) = self.writes.take() {
            writes.leave(&self.channel);
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match self.decided(Half::Read, total(buffers)) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                let reads = self.reads.get_or_insert_default();
                fairly(woken_by, context, |context| reads.poll(&self.channel, woken_by, context, buffers))
            }
        };
        polled.map(|outcome| self.named(Half::Read, outcome))
    }

    pub(crate) fn poll_write(
        &mut self,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match self.decided(Half::Write, total(buffers)) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                let writes = self.writes.get_or_insert_default();
                fairly(woken_by, context, |context| writes.poll(&self.channel, woken_by, context, buffers))
            }
        };
        polled.map(|outcome| self.named(Half::Write, outcome))
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.writes.as_mut().map_or(Poll::Ready(Ok(())), |writes| writes.poll_flush(context));
        flushed.map_err(|failure| failure.into_io(Action::Write, self.origin.name))
    }

    /// Flushes and ends writing here: half-closes a duplex end where the system can, and gives up
    /// the handle if it only writes.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        // If accepted writes have failed, the end is closed all the same: it is of no further use.
        let flushed = ready!(self.poll_flush(context));
        let closed = self.close();
        Poll::Ready(flushed.and(closed))
    }

    fn close(&mut self) -> io::Result<()> {
        let fail = |failure: Failure| failure.into_io(Action::Close, self.origin.name);
        if self.access == Access::Both || self.origin.name.direction == Some(Direction::Duplex) {
            match self.channel.shutdown_write().map_err(fail) {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
        }
        if self.access == Access::Write {
            let nowhere = S::unread_writer().map_err(fail)?;
            self.leave();
            let open = Self {
                reads: None,
                writes: None,
                channel: std::mem::replace(&mut self.channel, nowhere),
                handles: std::mem::replace(&mut self.handles, Arc::new(HandleCount::of(Access::Write))),
                origin: self.origin,
                access: Access::Write,
                closed: false,
                is_without_pipe: false,
            };
            drop(open);
            self.is_without_pipe = true;
        }
        self.closed = true;
        Ok(())
    }
}
