//! The async traits: polls of one task, which may give up at any time.

use std::task::{Context, Poll, Waker};

use super::outcomes::{Transfer, ready};
use super::world::{Waits, World};
use crate::ledger::Sent;
use crate::pipes::MOST_BYTES;
use crate::size::Pick;

/// What a poll leaves behind.
fn after<T>(waits: Waits, polled: &Poll<T>) -> Waits {
    match (waits, polled) {
        (_, Poll::Ready(_)) => Waits::No,
        // Asked to be polled once more.
        (Waits::Cancelled, Poll::Pending) => Waits::Cancelled,
        (_, Poll::Pending) => Waits::Yes,
    }
}

impl World {
    pub(super) fn poll_read(&mut self, end: Pick, length: usize, tokio: bool) {
        let Some((at, line)) = self.reading(end) else { return };
        let mut buffer = vec![0xee; length];
        let end = &mut self.ends[at];
        let polled = end.any.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer, tokio);
        let Some(polled) = polled else { return };
        let cancelled = end.read_waits == Waits::Cancelled;
        if length > 0 {
            end.read_waits = after(end.read_waits, &polled);
            self.sides[end.side].used = true;
        }
        if let Poll::Ready(result) = polled {
            // It is served when it is polled.
            let entry = self.lines[line].ledger.read(length);
            self.have_read(
                Transfer { may_be_cancelled: cancelled, ..Transfer::new(line, entry, length) },
                &result,
                &buffer,
            );
        }
    }

    pub(super) fn poll_write(&mut self, end: Pick, length: usize, tokio: bool) {
        let Some((at, line)) = self.writing(end) else { return };
        if self.bytes + length > MOST_BYTES || !self.ends[at].any.is_overlapped() {
            return;
        }
        let (entry, bytes) = self.lines[line].ledger.write(length);
        let end = &mut self.ends[at];
        let polled = end.any.poll_write(&mut Context::from_waker(Waker::noop()), &bytes, tokio);
        let polled = polled.expect("an overlapped end that writes");
        let transfer = Transfer {
            may_be_cancelled: end.write_waits == Waits::Cancelled,
            may_be_closed: end.closed,
            may_be_short: true,
            ..Transfer::new(line, entry, length)
        };
        if length > 0 {
            end.write_waits = after(end.write_waits, &polled);
            self.sides[end.side].used = true;
        }
        match polled {
            Poll::Ready(result) => {
                self.bytes += length;
                self.have_written(transfer, &result);
            }
            Poll::Pending => self.lines[line].ledger.sent(entry, Sent::Exactly(0)),
        }
    }

    pub(super) fn poll_flush(&mut self, end: Pick, tokio: bool) {
        if let Some((at, _)) = self.writing(end)
            && let Some(polled) = self.ends[at].any.poll_flush(&mut Context::from_waker(Waker::noop()), tokio)
        {
            ready(polled).expect("on Unix nothing is accepted that can fail");
        }
    }

    pub(super) fn poll_close(&mut self, end: Pick, tokio: bool) {
        let Some((at, line)) = self.writing(end) else { return };
        let end = &mut self.ends[at];
        let polled = end.any.poll_close(&mut Context::from_waker(Waker::noop()), tokio);
        let Some(polled) = polled else { return };
        ready(polled).expect("an end can be closed");
        if end.closed {
            return;
        }
        end.closed = true;
        end.empty = !end.any.reads();
        end.write_waits = Waits::No;
        let (side, holds) = (end.side, end.holds());
        if self.sides[side].reads.is_some() {
            assert_eq!(self.sides[side].writes, Some(line));
            self.sides[side].shut = true;
        }
        if !holds {
            self.sides[side].holders -= 1;
        }
    }

    /// Everything that waits on a side was cancelled.
    pub(super) fn cancel_tasks(&mut self, side: usize, reads: bool, writes: bool) {
        for end in self.ends.iter_mut().filter(|end| end.side == side) {
            if reads && end.read_waits == Waits::Yes {
                end.read_waits = Waits::Cancelled;
            }
            if writes && end.write_waits == Waits::Yes {
                end.write_waits = Waits::Cancelled;
            }
        }
    }
}
