//! Tasks on a system that says when a descriptor is ready.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::info::EndName;
use crate::op::Flow;
use crate::polled::WokenBy;
use crate::sys::{Channel, Task};

/// The reads of one end.
#[derive(Default)]
pub(crate) struct Reads(Task);

impl Reads {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = channel.poll_read(&mut self.0, woken_by, context, buffers);
        polled.map_err(|failure| failure.into_io(Flow::Read.action(), end))
    }

    /// Forgets the task that polled last. To be called before the end lets go of the channel.
    pub(crate) fn leave(&mut self, channel: &Channel) {
        channel.forget_task(Flow::Read, &mut self.0);
    }

    /// As [`leave`](Self::leave): nothing is in flight for a task.
    pub(crate) fn take_back(&mut self, channel: &Channel, _: Instant) {
        self.leave(channel);
    }
}

/// The writes of one end. What was written is with the system at once, so there is nothing to flush.
#[derive(Default)]
pub(crate) struct Writes(Task);

impl Writes {
    pub(crate) fn poll(
        &mut self,
        channel: &Arc<Channel>,
        end: EndName,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = channel.poll_write(&mut self.0, woken_by, context, buffers);
        polled.map_err(|failure| failure.into_io(Flow::Write.action(), end))
    }

    #[expect(clippy::unused_self, reason = "other systems have something to wait for")]
    pub(crate) fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "other systems have something to wait for")]
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "other systems have something that can fail")]
    pub(crate) fn failure(&mut self, _: Instant) -> Option<io::Error> {
        None
    }

    /// See [`Reads::leave`].
    pub(crate) fn leave(&mut self, channel: &Channel) {
        channel.forget_task(Flow::Write, &mut self.0);
    }
}
