//! What tasks do with an end.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Bell, Call, Run, Waiting, World};
use crate::contract::Half;
use crate::end::Access;

impl<W: World> Run<W> {
    /// The state of a task that polls: its bell, and how it may end.
    fn waiting(&mut self, half: Half, index: usize, units: u8, runtime: bool) -> (Waiting, bool) {
        let handle = &mut self.handles[index];
        let cancels = self.cancels[handle.side][half as usize];
        let before = if half == Half::Read { handle.reads.take() } else { handle.writes.take() };
        let since = before.map_or(cancels, |before| before.cancels);
        (Waiting { bell: Arc::default(), runtime, cancels: since, units }, cancels != since)
    }

    pub(super) fn poll_read(&mut self, index: usize, units: u8, runtime: bool) -> Result<bool, String> {
        let (waiting, cancelled) = self.waiting(Half::Read, index, units, runtime);
        let side = self.handles[index].side;
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let waker = Waker::from(Arc::clone(&waiting.bell));
        let end = &mut self.handles[index].end;
        let polled = self.world.poll(runtime, |woken_by| {
            end.poll_read(woken_by, &mut Context::from_waker(&waker), &mut [IoSliceMut::new(&mut buffer)])
        });
        match polled {
            Poll::Ready(outcome) => {
                self.ended(Half::Read, side, number, Call::Task { cancelled }, &outcome, &buffer).map(|()| true)
            }
            Poll::Pending => {
                self.promises[side].read_would_block(number);
                self.handles[index].reads = Some(waiting);
                Ok(false)
            }
        }
    }

    pub(super) fn poll_write(&mut self, index: usize, units: u8, runtime: bool) -> Result<bool, String> {
        let (waiting, cancelled) = self.waiting(Half::Write, index, units, runtime);
        let side = self.handles[index].side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(true) };
        let waker = Waker::from(Arc::clone(&waiting.bell));
        let end = &mut self.handles[index].end;
        let polled = self.world.poll(runtime, |woken_by| {
            end.poll_write(woken_by, &mut Context::from_waker(&waker), &[IoSlice::new(&bytes)])
        });
        match polled {
            Poll::Ready(Ok(count)) => {
                self.handles[index].accepted.push(number);
                let cancelled_since = Call::Task { cancelled: true };
                self.ended(Half::Write, side, number, cancelled_since, &Ok(count), &[]).map(|()| true)
            }
            Poll::Ready(Err(error)) => {
                self.promises[1 - side].write_would_block(number);
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                if accepted.is_empty() {
                    let call = Call::Task { cancelled };
                    return self.ended(Half::Write, side, number, call, &Err(error), &[]).map(|()| true);
                }
                // It may be that of an accepted write.
                self.note(|| format!("  Write {number} of end {side}, or one before: {error}"));
                let is_known = self.knows_what_went(side, &accepted) && self.knows_what_went(side, &[number]);
                self.promises[1 - side].one_failed(accepted, Some(number), &error, is_known).map(|()| true)
            }
            Poll::Pending => {
                self.promises[1 - side].write_would_block(number);
                self.handles[index].writes = Some(waiting);
                Ok(false)
            }
        }
    }

    pub(super) fn accepted_failed(&mut self, index: usize) {
        let accepted = std::mem::take(&mut self.handles[index].accepted);
        self.promises[1 - self.handles[index].side].accepted_writes_went(&accepted, false);
    }

    pub(super) fn poll_flush(&mut self, index: usize) -> Result<(), String> {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = self.handles[index].end.poll_flush(&mut Context::from_waker(&waker));
        self.told_to_wait(index, polled.is_pending(), bell);
        self.flushed(index, polled)
    }

    /// The task that waits for a write is the one that polled last.
    fn told_to_wait(&mut self, index: usize, waits: bool, bell: Arc<Bell>) {
        let waiting = self.handles[index].writes.as_mut();
        if let Some(waiting) = waiting.filter(|waiting| waits && !waiting.bell.rang()) {
            waiting.bell = bell;
        }
    }

    fn flushed(&mut self, index: usize, polled: Poll<io::Result<()>>) -> Result<(), String> {
        self.note(|| format!("  {polled:?}"));
        match polled {
            Poll::Ready(Ok(())) => {
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                self.promises[1 - self.handles[index].side].accepted_writes_went(&accepted, true);
            }
            Poll::Ready(Err(error)) => {
                if self.handles[index].accepted.is_empty() && !self.promises[1 - self.handles[index].side].may_fail() {
                    return Err(format!("a flush of nothing failed: {error}"));
                }
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                let side = self.handles[index].side;
                // Of those that are on their own nothing is known here.
                let is_known = !accepted.is_empty() && self.knows_what_went(side, &accepted);
                self.promises[1 - side].one_failed(accepted, None, &error, is_known)?;
            }
            Poll::Pending if self.handles[index].accepted.is_empty() => {
                return Err("a flush of nothing waits".into());
            }
            Poll::Pending => {}
        }
        Ok(())
    }

    pub(super) fn poll_close(&mut self, index: usize) -> Result<(), String> {
        // Whether this is so or not, the end of file may come once the close is over.
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = self.handles[index].end.poll_close(&mut Context::from_waker(&waker));
        self.told_to_wait(index, polled.is_pending(), bell);
        if polled.is_ready() {
            // If nothing was closed, nothing is checked of it any more.
            let (side, access) = (self.handles[index].side, self.handles[index].access);
            self.handles[index].closed = true;
            let failed = matches!(polled, Poll::Ready(Err(_)));
            if failed {
                self.accepted_failed(index);
            }
            if access == Access::Both || self.duplex {
                self.promises[1 - side].no_writer = true;
            }
            self.check_writers(side);
            if failed {
                return Ok(());
            }
        }
        self.flushed(index, polled)
    }
}
