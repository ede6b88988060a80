//! Operations in flight.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anonpipe::{AnyOp, wait_any};

use super::flight::Flight;
use super::steps::{Memory, Patience};
use super::world::{Count, Known, MOST, Op, World};
use crate::ledger::Sent;
use crate::pipes::MOST_BYTES;
use crate::size::Pick;

impl World {
    pub(super) fn submit_read(&mut self, end: Pick, length: usize, memory: Memory) {
        let Some((at, line)) = self.reading(end) else { return };
        if self.ops.len() == MOST || !self.ends[at].any.is_overlapped() {
            return;
        }
        let side = self.ends[at].side;
        let entry = self.lines[line].ledger.read(length);
        let flight = Flight::read(&self.ends[at].any, length, memory).expect("an overlapped end that reads");
        self.sides[side].used = true;
        let known =
            Known { side, line, entry, length, reads: true, may_be_cancelled: false, too_late: false, waker: None };
        self.ops.push(Op { flight, known });
    }

    pub(super) fn submit_write(&mut self, end: Pick, length: usize, memory: Memory) {
        let Some((at, line)) = self.writing(end) else { return };
        if self.ops.len() == MOST || !self.ends[at].any.is_overlapped() || self.bytes + length > MOST_BYTES {
            return;
        }
        let side = self.ends[at].side;
        let (entry, bytes) = self.lines[line].ledger.write(length);
        let flight = Flight::write(&self.ends[at].any, bytes, memory).expect("an overlapped end that writes");
        self.bytes += length;
        self.sides[side].used = true;
        let too_late = self.ends[at].closed || self.sides[side].shut;
        let known = Known { side, line, entry, length, reads: false, may_be_cancelled: false, too_late, waker: None };
        self.ops.push(Op { flight, known });
    }

    /// Asks for the outcome without waiting. Whether there was one.
    pub(super) fn ask(&mut self, at: usize, patience: Patience) -> bool {
        let Op { flight, known } = &mut self.ops[at];
        if !flight.is_complete() {
            // The wait is the last poll from now on, if it turns a driver.
            known.waker = None;
        }
        let Some(outcome) = flight.wait_timeout(patience.duration()) else { return false };
        let op = self.ops.swap_remove(at);
        self.landed(&op.known, &outcome);
        true
    }

    /// Without a limit, so only if it is complete.
    pub(super) fn wait(&mut self, op: Pick) {
        if let Some(at) = op.of(self.ops.len())
            && self.ops[at].flight.is_complete()
        {
            let Op { flight, known } = self.ops.swap_remove(at);
            self.landed(&known, &flight.wait());
        }
    }

    pub(super) fn wait_timeout(&mut self, op: Pick, patience: Patience) {
        if let Some(at) = op.of(self.ops.len()) {
            self.ask(at, patience);
        }
    }

    pub(super) fn poll_op(&mut self, op: Pick) {
        let Some(at) = op.of(self.ops.len()) else { return };
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let op = &mut self.ops[at];
        match op.flight.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => {
                // It may have become complete while this poll put another waker in its place.
                let Op { mut known, .. } = self.ops.swap_remove(at);
                known.waker = None;
                self.landed(&known, &outcome);
            }
            // Only the last waker counts.
            Poll::Pending => op.known.waker = Some(count),
        }
    }

    pub(super) fn wait_any(&mut self, picks: &[Pick], patience: Patience) {
        let picked: Vec<_> = picks.iter().take(MOST).filter_map(|pick| pick.of(self.ops.len())).collect();
        let ops: Vec<&dyn AnyOp> = picked.iter().map(|at| self.ops[*at].flight.as_any()).collect();
        let before: Vec<_> = picked.iter().map(|at| self.ops[*at].flight.is_complete()).collect();
        match wait_any(&ops, Some(patience.duration())) {
            Some(first) => {
                assert!(self.ops[picked[first]].flight.is_complete());
                assert!(!before[..first].contains(&true), "one with a lower index was complete");
            }
            None => assert!(!before.contains(&true), "one was complete"),
        }
    }

    pub(super) fn cancel(&mut self, op: Pick) {
        if let Some(at) = op.of(self.ops.len()) {
            self.ops[at].flight.cancel();
            self.ops[at].known.may_be_cancelled = true;
        }
    }

    pub(super) fn drop_op(&mut self, op: Pick) {
        if let Some(at) = op.of(self.ops.len()) {
            // The ledger has that it may have taken or sent something.
            drop(self.ops.swap_remove(at));
        }
    }

    pub(super) fn detach(&mut self, op: Pick) {
        let Some(at) = op.of(self.ops.len()) else { return };
        let Op { flight, known } = self.ops.swap_remove(at);
        let certain = !known.may_be_cancelled && !known.too_late && !self.reader_is_gone(known.line);
        if !known.reads && certain {
            self.lines[known.line].ledger.sent(known.entry, Sent::Exactly(known.length));
            self.detached.push((known.side, known.line, known.entry, known.length));
        }
        self.sides[known.side].detached = true;
        flight.detach();
    }

    pub(super) fn cancel_all(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let end = &self.ends[at];
        if !end.any.cancel_all() || !end.holds() {
            return;
        }
        let (side, reads, writes) = (end.side, end.any.reads(), end.any.writes());
        for Op { known, .. } in self.ops.iter_mut().filter(|op| op.known.side == side) {
            known.may_be_cancelled |= if known.reads { reads } else { writes };
        }
        if writes {
            // Writes that were detached may have been cut short.
            for (_, line, entry, length) in self.detached.extract_if(.., |write| write.0 == side) {
                self.lines[line].ledger.sent(entry, Sent::AtMost(length));
            }
        }
        self.cancel_tasks(side, reads, writes);
    }
}
