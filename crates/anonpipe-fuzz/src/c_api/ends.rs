//! Handles and ends: opening, closing, and calls that block.

use std::ffi::c_int;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::ptr;

use super::calls::{
    ANONPIPE_E_BROKEN_PIPE, ANONPIPE_E_BUSY, ANONPIPE_E_CANCELLED, ANONPIPE_E_INVALID_ARGUMENT, ANONPIPE_E_TIMED_OUT,
    ANONPIPE_E_WRONG_DIRECTION, ANONPIPE_E_WRONG_MODE, ANONPIPE_INFINITE, ANONPIPE_OK, Count, anonpipe_end, call,
    expect,
};
use super::steps::{Nulls, Patience};
use super::world::{End, Owner, World};
use crate::ledger::Sent;
use crate::pipes::{Handle, MOST_BYTES};
use crate::plain;
use crate::size::Pick;

const OK: c_int = ANONPIPE_OK as c_int;
/// What no function writes as a handle.
const UNTOUCHED: c_int = -77;

impl World {
    fn open_raw(&mut self, handle: c_int, exclusive: bool, output: *mut *mut anonpipe_end) -> c_int {
        let code = if exclusive {
            call!(anonpipe_end_open_exclusive(handle, output))
        } else {
            call!(anonpipe_end_open(handle, output))
        };
        self.note(code)
    }

    pub(super) fn open(&mut self, handle: Pick, exclusive: bool, null: bool) {
        let Some(at) = handle.of(self.handles.len()) else { return };
        let Handle { descriptor, side } = self.handles.swap_remove(at);
        let descriptor = descriptor.into_raw_fd();
        let mut pointer = ptr::null_mut();
        let code = self.open_raw(descriptor, exclusive, if null { ptr::null_mut() } else { &raw mut pointer });
        if !null && self.sides[side].overlapped {
            expect(code, &[ANONPIPE_OK]);
            assert!(!pointer.is_null());
            self.sides[side].owner = Owner::End;
            self.ends.push(End { pointer, descriptor, side });
            return;
        }
        expect(code, &[if null { ANONPIPE_E_INVALID_ARGUMENT } else { ANONPIPE_E_WRONG_MODE }]);
        assert!(pointer.is_null(), "a failed call wrote its output");
        // SAFETY: the call failed, so it is still the caller's.
        self.handles.push(Handle { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) }, side });
    }

    pub(super) fn open_no_pipe(&mut self, which: u8, exclusive: bool) {
        let owned = plain::no_pipe(which);
        let (handle, promised) = match which {
            250 => (-1, ANONPIPE_E_INVALID_ARGUMENT as c_int),
            251 => (c_int::MIN, ANONPIPE_E_INVALID_ARGUMENT as c_int),
            // Not open.
            252..=255 => (999_999, rustix::io::Errno::BADF.raw_os_error()),
            _ => (owned.as_raw_fd(), ANONPIPE_E_INVALID_ARGUMENT as c_int),
        };
        let mut pointer = ptr::null_mut();
        let code = self.open_raw(handle, exclusive, &raw mut pointer);
        assert_eq!(code, promised, "opening {handle}, which is no pipe");
        assert!(pointer.is_null(), "a failed call wrote its output");
        rustix::io::fcntl_getfd(&owned).expect("a handle that was refused stays open");
    }

    pub(super) fn close(&mut self, end: Option<usize>) {
        let Some(at) = end else {
            call!(anonpipe_end_close(ptr::null_mut()));
            return;
        };
        let end = self.ends.swap_remove(at);
        call!(anonpipe_end_close(end.pointer));
        self.sides[end.side].owner = Owner::Gone;
        for op in self.ops.iter_mut().filter(|op| op.side == end.side && op.reads) {
            op.may_be_cancelled = true;
        }
    }

    pub(super) fn take_handle(&mut self, end: Option<usize>, null: bool) {
        let mut handle = UNTOUCHED;
        let output = if null { ptr::null_mut() } else { &raw mut handle };
        let pointer = end.map_or(ptr::null_mut(), |at| self.ends[at].pointer);
        let code = self.note(call!(anonpipe_end_into_handle(pointer, output)));
        let (Some(at), false) = (end, null) else {
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            assert_eq!(handle, UNTOUCHED, "a failed call wrote its output");
            return;
        };
        let side = self.ends[at].side;
        if self.may_be_in_flight(side, true) || self.may_be_in_flight(side, false) {
            expect(code, &[ANONPIPE_OK, ANONPIPE_E_BUSY]);
        } else {
            expect(code, &[ANONPIPE_OK]);
        }
        if code == OK {
            let end = self.ends.swap_remove(at);
            assert_eq!(handle, end.descriptor, "the handle that it was opened with");
            // SAFETY: it is the caller's now.
            self.handles.push(Handle { descriptor: unsafe { OwnedFd::from_raw_fd(handle) }, side });
            self.sides[side].owner = Owner::Handle;
        } else {
            assert_eq!(handle, UNTOUCHED, "a failed call wrote its output");
        }
    }

    pub(super) fn close_handle(&mut self, handle: Pick) {
        if let Some(at) = handle.of(self.handles.len()) {
            let handle = self.handles.swap_remove(at);
            self.sides[handle.side].owner = Owner::Gone;
        }
    }

    pub(super) fn plain_read(&mut self, handle: Pick, length: usize) {
        let Some(at) = handle.of(self.handles.len()) else { return };
        let Some(line) = self.sides[self.handles[at].side].reads else { return };
        if length == 0 {
            return;
        }
        if let Some(bytes) = plain::read(&self.handles[at].descriptor, length) {
            self.took(line, &bytes);
        }
    }

    /// A read was complete at once.
    pub(super) fn took(&mut self, line: usize, bytes: &[u8]) {
        assert!(!bytes.is_empty() || self.writer_is_gone(line), "the end of file, and there is a writer");
        let ledger = &mut self.lines[line].ledger;
        let entry = ledger.read(bytes.len());
        ledger.took(entry, bytes);
    }

    pub(super) fn plain_write(&mut self, handle: Pick, length: usize) {
        let Some(at) = handle.of(self.handles.len()) else { return };
        let side = &self.sides[self.handles[at].side];
        let Some(line) = side.writes else { return };
        // A reader that is gone may still be open for a moment: that would raise a signal.
        if side.shut || self.reader_is_gone(line) || self.bytes + length > MOST_BYTES || length == 0 {
            return;
        }
        let (entry, bytes) = self.lines[line].ledger.write(length);
        let sent = plain::write(&self.handles[at].descriptor, &bytes).unwrap_or(0);
        self.lines[line].ledger.sent(entry, Sent::Exactly(sent));
        self.bytes += sent;
    }

    pub(super) fn read(&mut self, end: Pick, length: usize, patience: Patience, nulls: Nulls) {
        let mut buffer = vec![0xee; length];
        let data = if nulls.first() { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
        let mut count = Count::new();
        let Some(at) = end.of_or_none(self.ends.len()) else {
            let code = self.note(call!(anonpipe_read(ptr::null_mut(), data, length, 0, count.place(false))));
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        let End { pointer, side, .. } = self.ends[at];
        let quick = !self.may_be_in_flight(side, true) && plain::can_read(self.ends[at].borrow());
        let code = self.note(call!(anonpipe_read(pointer, data, length, limit(patience, quick), count.place(false))));
        let Some(line) = self.sides[side].reads else {
            expect(code, &[ANONPIPE_E_WRONG_DIRECTION, ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        match code {
            OK if length == 0 => assert_eq!(count.0, 0),
            OK => {
                assert!(!data.is_null() && count.0 <= length);
                self.took(line, &buffer[..count.0]);
            }
            _ if data.is_null() && length > 0 => expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]),
            _ => {
                expect(code, &[ANONPIPE_E_TIMED_OUT]);
                assert!(!quick || length == 0, "there is something to read");
                assert_eq!(count.0, 0, "a read that timed out consumed nothing");
            }
        }
    }

    pub(super) fn write(&mut self, end: Pick, length: usize, patience: Patience, nulls: Nulls) {
        if self.bytes + length > MOST_BYTES {
            return;
        }
        let mut count = Count::new();
        let Some(at) = end.of_or_none(self.ends.len()) else {
            let bytes = vec![0; length];
            let data = bytes.as_ptr().cast();
            let code = self.note(call!(anonpipe_write(ptr::null_mut(), data, length, 0, count.place(false))));
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        let End { pointer, side, .. } = self.ends[at];
        let line = self.sides[side].writes;
        let (entry, bytes) = match line {
            Some(line) => {
                let (entry, bytes) = self.lines[line].ledger.write(length);
                (Some(entry), bytes)
            }
            None => (None, vec![0; length]),
        };
        let data = if nulls.first() { ptr::null() } else { bytes.as_ptr().cast() };
        let quick =
            !self.may_be_in_flight(side, false) && length <= plain::AT_ONCE && plain::can_write(self.ends[at].borrow());
        let place = count.place(nulls.second());
        let code = self.note(call!(anonpipe_write(pointer, data, length, limit(patience, quick), place)));
        let (Some(line), Some(entry)) = (line, entry) else {
            expect(code, &[ANONPIPE_E_WRONG_DIRECTION, ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        let refused = data.is_null() && length > 0;
        let sent = match code {
            _ if refused => {
                expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
                assert!(count.is_untouched());
                Sent::Exactly(0)
            }
            OK => {
                assert!(length == 0 || !self.sides[side].shut, "a write after the half-close");
                assert!(nulls.second() || count.0 == length, "a write is all or an error");
                Sent::Exactly(length)
            }
            _ => {
                self.expect_write_error(side, line, code);
                assert!(!quick || code == ANONPIPE_E_BROKEN_PIPE as c_int, "there was room");
                if nulls.second() { Sent::AtMost(length) } else { Sent::Exactly(count.0) }
            }
        };
        self.bytes += length;
        self.lines[line].ledger.sent(entry, sent);
    }

    fn expect_write_error(&self, side: usize, line: usize, code: c_int) {
        expect(code, &[ANONPIPE_E_TIMED_OUT, ANONPIPE_E_BROKEN_PIPE]);
        let broken = code == ANONPIPE_E_BROKEN_PIPE as c_int;
        assert!(!broken || self.sides[side].shut || self.reader_is_gone(line), "broken, and there is a reader");
    }

    pub(super) fn cancel_all(&mut self, end: Pick) {
        let Some(at) = end.of_or_none(self.ends.len()) else {
            let code = self.note(call!(anonpipe_cancel_all(ptr::null_mut())));
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            return;
        };
        expect(call!(anonpipe_cancel_all(self.ends[at].pointer)), &[ANONPIPE_OK]);
        let side = self.ends[at].side;
        for op in self.ops.iter_mut().filter(|op| op.side == side) {
            op.may_be_cancelled = true;
        }
    }

    pub(super) fn bytes_available(&mut self, end: Pick, null: bool) {
        let mut count = Count::new();
        let at = end.of_or_none(self.ends.len());
        let pointer = at.map_or(ptr::null_mut(), |at| self.ends[at].pointer);
        let code = self.note(call!(anonpipe_bytes_available(pointer, count.place(null))));
        let (Some(at), false) = (at, null) else {
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]);
            assert!(count.is_untouched());
            return;
        };
        if self.sides[self.ends[at].side].reads.is_none() {
            expect(code, &[ANONPIPE_E_WRONG_DIRECTION]);
            assert!(count.is_untouched());
            return;
        }
        expect(code, &[ANONPIPE_OK]);
        assert!(count.0 <= MOST_BYTES, "{} bytes, which is more than were written", count.0);
    }

    pub(super) fn shutdown_write(&mut self, end: Pick) {
        let at = end.of_or_none(self.ends.len());
        let pointer = at.map_or(ptr::null_mut(), |at| self.ends[at].pointer);
        let code = self.note(call!(anonpipe_shutdown_write(pointer)));
        let Some(at) = at else { return expect(code, &[ANONPIPE_E_INVALID_ARGUMENT]) };
        let side = &mut self.sides[self.ends[at].side];
        if side.reads.is_some() && side.writes.is_some() {
            expect(code, &[ANONPIPE_OK]);
            side.shut = true;
        } else {
            expect(code, &[ANONPIPE_E_WRONG_DIRECTION]);
        }
    }

    /// What a wait may answer for an operation that failed.
    pub(super) fn expect_failure(&self, at: usize, code: c_int) {
        let op = &self.ops[at];
        if code == ANONPIPE_E_CANCELLED as c_int {
            assert!(op.may_be_cancelled, "cancelled, and nothing has cancelled it");
        } else {
            expect(code, &[ANONPIPE_E_BROKEN_PIPE]);
            let broken = !op.reads && (self.sides[op.side].shut || self.reader_is_gone(op.line));
            assert!(broken, "broken, and there is a reader");
        }
    }
}

/// In milliseconds. `quick`: what it waits for is there, so a wait without a limit ends.
pub(super) fn limit(patience: Patience, quick: bool) -> u32 {
    match patience {
        Patience::Infinite if quick => ANONPIPE_INFINITE,
        Patience::Milliseconds => 1,
        Patience::Zero | Patience::Infinite => 0,
    }
}
