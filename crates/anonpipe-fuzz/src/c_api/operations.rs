//! Operations in flight.

use std::ffi::c_int;
use std::ptr;

use super::calls::{
    ANONPIPE_E_CANCELLED, ANONPIPE_E_INVALID_ARGUMENT, ANONPIPE_E_PENDING, ANONPIPE_E_WRONG_DIRECTION, ANONPIPE_OK,
    Count, anonpipe_op, call, expect,
};
use super::ends::limit;
use super::steps::{Nulls, Patience};
use super::world::{Op, World};
use crate::ledger::Sent;
use crate::pipes::MOST_BYTES;
use crate::size::Pick;

const OK: c_int = ANONPIPE_OK as c_int;
const PENDING: c_int = ANONPIPE_E_PENDING as c_int;
/// More operations are not in flight.
const MOST_OPS: usize = 64;

impl World {
    pub(super) fn submit_read(&mut self, end: Pick, length: usize, nulls: Nulls) {
        self.submit(end, length, nulls, /* reads */ true);
    }

    pub(super) fn submit_write(&mut self, end: Pick, length: usize, nulls: Nulls) {
        if self.bytes + length <= MOST_BYTES {
            self.submit(end, length, nulls, /* reads */ false);
        }
    }

    fn submit(&mut self, end: Pick, length: usize, nulls: Nulls, reads: bool) {
        if self.ops.len() == MOST_OPS {
            return;
        }
        let at = end.of_or_none(self.ends.len());
        let pointer = at.map_or(ptr::null_mut(), |at| self.ends[at].pointer);
        let side = at.map(|at| self.ends[at].side);
        let line = side.and_then(|side| if reads { self.sides[side].reads } else { self.sides[side].writes });
        let no_output = nulls.second();
        let no_buffer = nulls.first();
        let valid = line.is_some() && !no_output && (!no_buffer || length == 0);
        let mut buffer = vec![0xee; length].into_boxed_slice();
        let entry = line.filter(|_| valid).map(|line| {
            let ledger = &mut self.lines[line].ledger;
            if reads {
                ledger.read(length)
            } else {
                let (entry, bytes) = ledger.write(length);
                buffer = bytes.into_boxed_slice();
                entry
            }
        });
        let data = if no_buffer { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
        let mut op = ptr::null_mut();
        let output = if no_output { ptr::null_mut() } else { &raw mut op };
        let code = if reads {
            call!(anonpipe_submit_read(pointer, data, length, output))
        } else {
            call!(anonpipe_submit_write(pointer, data.cast_const(), length, output))
        };
        self.note(code);
        let (Some(side), Some(line), Some(entry)) = (side, line, entry) else {
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT, ANONPIPE_E_WRONG_DIRECTION]);
            assert!(op.is_null(), "a failed call wrote its output");
            return;
        };
        expect(code, &[ANONPIPE_OK]);
        assert!(!op.is_null());
        if !reads {
            self.bytes += length;
        }
        self.ops.push(Op { pointer: op, side, line, entry, reads, buffer, may_be_cancelled: false, answer: None });
    }

    /// Notes what a wait said of an operation, and panics if it cannot be.
    fn answered(&mut self, at: usize, code: c_int, count: Count) {
        if let Some(known) = self.ops[at].answer {
            assert_eq!((code, count.0), known, "every wait has the same result");
            return;
        }
        if code == PENDING {
            assert!(count.is_untouched(), "the operation goes on, and transferred was written");
            return;
        }
        let op = &self.ops[at];
        let length = op.buffer.len();
        if code != OK {
            self.expect_failure(at, code);
        }
        let op = &self.ops[at];
        let ledger = &mut self.lines[op.line].ledger;
        if op.reads {
            assert!(count.0 <= length && (code == OK || count.0 == 0), "a read of {length} bytes: {code}, {}", count.0);
            ledger.took(op.entry, &op.buffer[..count.0]);
            let ended = code == OK && count.0 == 0 && length > 0;
            assert!(!ended || self.writer_is_gone(self.ops[at].line), "the end of file, and there is a writer");
        } else {
            assert!(code != OK || count.0 == length, "a write is all or an error");
            ledger.sent(op.entry, Sent::Exactly(count.0));
        }
        self.ops[at].answer = Some((code, count.0));
    }

    /// Asks for the answer without waiting. Whether there is one.
    pub(super) fn ask(&mut self, at: usize) -> bool {
        let mut count = Count::new();
        let pointer = self.ops[at].pointer;
        let code = self.note(call!(anonpipe_wait_timeout(pointer, 0, count.place(false))));
        self.answered(at, code, count);
        code != PENDING
    }

    pub(super) fn wait(&mut self, op: Pick, null: bool) {
        let Some(at) = op.of_or_none(self.ops.len()) else {
            let mut count = Count::new();
            let code = self.note(call!(anonpipe_wait(ptr::null_mut(), count.place(false))));
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        // Without a limit, so only where an end is certain.
        if !self.ops[at].may_be_cancelled && !self.ask(at) {
            return;
        }
        self.wait_for(at, null);
    }

    /// Waits for an operation that ends for certain.
    fn wait_for(&mut self, at: usize, null: bool) {
        let mut count = Count::new();
        let pointer = self.ops[at].pointer;
        let code = self.note(call!(anonpipe_wait(pointer, count.place(null))));
        assert_ne!(code, PENDING);
        if !null {
            self.answered(at, code, count);
        }
    }

    pub(super) fn wait_timeout(&mut self, op: Pick, patience: Patience, null: bool) {
        let at = op.of_or_none(self.ops.len());
        let pointer = at.map_or(ptr::null_mut(), |at| self.ops[at].pointer);
        let quick = at.is_none_or(|at| self.ops[at].answer.is_some());
        let mut count = Count::new();
        let code = self.note(call!(anonpipe_wait_timeout(pointer, limit(patience, quick), count.place(null))));
        match at {
            None => expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]),
            Some(at) if !null => self.answered(at, code, count),
            Some(_) => {}
        }
    }

    pub(super) fn wait_any(&mut self, picks: &[Pick], patience: Patience, nulls: Nulls) {
        let picked: Vec<_> = picks.iter().take(MOST_OPS).map(|pick| pick.of_or_none(self.ops.len())).collect();
        let pointers: Vec<*mut anonpipe_op> =
            picked.iter().map(|at| at.map_or(ptr::null_mut(), |at| self.ops[at].pointer)).collect();
        let quick = picked.iter().flatten().any(|at| self.ops[*at].answer.is_some());
        let array = if nulls.first() { ptr::null() } else { pointers.as_ptr() };
        let mut index = Count::new();
        let place = index.place(nulls.second());
        let code = self.note(call!(anonpipe_wait_any(array, pointers.len(), limit(patience, quick), place)));
        if nulls.first() || nulls.second() || picked.iter().flatten().next().is_none() {
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
        } else if code == PENDING {
            assert!(!quick, "an operation is complete");
        } else {
            expect(code, &[ANONPIPE_OK]);
            let first = picked[index.0].expect("no null entry is complete");
            let earlier = picked[..index.0].iter().flatten().find(|at| self.ops[**at].answer.is_some());
            assert_eq!(earlier, None, "an operation with a lower index is complete");
            assert!(self.ask(first), "the result stays");
            return;
        }
        assert!(index.is_untouched(), "a failed call wrote its output");
    }

    pub(super) fn cancel(&mut self, op: Pick) {
        let at = op.of_or_none(self.ops.len());
        let pointer = at.map_or(ptr::null_mut(), |at| self.ops[at].pointer);
        let code = self.note(call!(anonpipe_cancel(pointer)));
        match at {
            None => expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]),
            Some(at) => {
                expect(code, &[ANONPIPE_OK]);
                self.ops[at].may_be_cancelled = true;
            }
        }
    }

    pub(super) fn release(&mut self, op: Option<usize>) {
        let pointer = op.map_or(ptr::null_mut(), |at| self.ops[at].pointer);
        call!(anonpipe_op_release(pointer));
        // The ledger has that it may have taken or sent something. The buffer is the caller's, who
        // frees it.
        if let Some(at) = op {
            drop(self.ops.swap_remove(at));
        }
    }

    /// Waits for all that has an end for certain.
    pub(super) fn wait_for_the_cancelled(&mut self) {
        for at in 0..self.ops.len() {
            if self.ops[at].may_be_cancelled {
                self.wait_for(at, false);
                let (code, _) = self.ops[at].answer.expect("every wait is noted");
                assert!(code == OK || self.ops[at].reads || code < 0, "{code} after {ANONPIPE_E_CANCELLED:?}");
            }
        }
    }
}
