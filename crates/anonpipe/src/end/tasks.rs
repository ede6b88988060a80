//! Overlapped ends as the async traits see them.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use super::{Access, OverlappedEnd, Owners};
use crate::error::{Action, Failure};
use crate::info::Direction;
use crate::op::Flow;
use crate::polled::WokenBy;
use crate::sys::{Channel, PerProcess};

/// The answer to a use of an end that was closed here.
pub(super) fn closed() -> Failure {
    Failure::refused(io::ErrorKind::BrokenPipe, "it was closed here")
}

impl OverlappedEnd {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// It has let go of its pipe: what it has in the place of that is shared with others of its kind.
    pub(super) fn is_closed_writer(&self) -> bool {
        self.closed && self.access == Access::Write
    }

    pub(super) fn check_open(&self) -> Result<(), Failure> {
        if self.closed { Err(closed()) } else { Ok(()) }
    }

    /// Forgets the tasks: what they have in flight is taken back, except for writes that were accepted.
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
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let reads = self.reads.get_or_insert_default();
        woken_by.fairly(context, |context| reads.poll(&self.channel, self.meta.name, woken_by, context, buffers))
    }

    pub(crate) fn poll_write(
        &mut self,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let is_empty = buffers.iter().all(|buffer| buffer.is_empty());
        if let Err(failure) = self.check_write(is_empty) {
            return Poll::Ready(Err(failure.into_io(Flow::Write.action(), self.meta.name)));
        }
        if is_empty {
            return Poll::Ready(Ok(0));
        }
        let writes = self.writes.get_or_insert_default();
        woken_by.fairly(context, |context| writes.poll(&self.channel, self.meta.name, woken_by, context, buffers))
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writes.as_mut().map_or(Poll::Ready(Ok(())), |writes| writes.poll_flush(context))
    }

    /// Flushes and ends writing here: half-closes a duplex end where the system can, and lets go of the handle if that only
    /// writes.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        // What was accepted has failed, but the end is closed all the same: it is of no use any more.
        let flushed = ready!(self.poll_flush(context));
        let closed = self.close();
        Poll::Ready(flushed.and(closed))
    }

    fn close(&mut self) -> io::Result<()> {
        let fail = |failure: Failure| failure.into_io(Action::Close, self.meta.name);
        if self.access == Access::Both || self.meta.name.direction == Some(Direction::Duplex) {
            match self.channel.shutdown_write().map_err(fail) {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
        }
        if self.access == Access::Write {
            let nowhere = nowhere()?;
            self.leave();
            let open = Self {
                reads: None,
                writes: None,
                channel: std::mem::replace(&mut self.channel, nowhere),
                owners: std::mem::replace(&mut self.owners, Arc::new(Owners::of(Access::Write))),
                meta: self.meta,
                access: Access::Write,
                closed: false,
            };
            drop(open);
        }
        self.closed = true;
        Ok(())
    }
}

/// A pipe that nobody reads, for ends that are closed but whose handle can still be asked for. One for all of them.
fn nowhere() -> io::Result<Arc<Channel>> {
    static NOWHERE: PerProcess<Mutex<Option<Arc<Channel>>>> = PerProcess::new();

    let mut nowhere = NOWHERE.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(channel) = &*nowhere {
        return Ok(Arc::clone(channel));
    }
    let (_, writer) = crate::pipe()?;
    Ok(Arc::clone(nowhere.insert(Arc::clone(&writer.end.channel))))
}
