//! Calls that block, where what they wait for is there, and calls with a timeout.

use super::outcomes::Transfer;
use super::steps::Patience;
use super::world::World;
use crate::ledger::{Entry, Sent};
use crate::pipes::MOST_BYTES;
use crate::plain;
use crate::size::Pick;

impl World {
    pub(super) fn read_timeout(&mut self, end: Pick, length: usize, patience: Patience) {
        let Some((at, line)) = self.reading(end) else { return };
        if self.ends[at].any.is_overlapped() {
            self.timed_read(at, line, length, patience);
        }
    }

    /// A read with a timeout. How many bytes it took, unless it failed.
    pub(super) fn timed_read(&mut self, at: usize, line: usize, length: usize, patience: Patience) -> Option<usize> {
        let mut buffer = vec![0xee; length];
        let entry = self.lines[line].ledger.read(length);
        let end = &self.ends[at];
        let result = end.any.read_timeout(&mut buffer, patience.duration()).expect("an overlapped end that reads");
        self.sides[end.side].used = true;
        self.have_read(Transfer { may_time_out: true, ..Transfer::new(line, entry, length) }, &result, &buffer);
        result.ok()
    }

    pub(super) fn write_timeout(&mut self, end: Pick, length: usize, patience: Patience) {
        let Some((at, line)) = self.writing(end) else { return };
        if !self.ends[at].any.is_overlapped() || self.bytes + length > MOST_BYTES {
            return;
        }
        let (entry, bytes) = self.lines[line].ledger.write(length);
        let end = &self.ends[at];
        let result = end.any.write_timeout(&bytes, patience.duration()).expect("an overlapped end that writes");
        let transfer = Transfer { may_time_out: true, may_be_closed: end.closed, ..Transfer::new(line, entry, length) };
        self.sides[end.side].used = true;
        self.bytes += length;
        self.have_written(transfer, &result);
    }

    pub(super) fn read(&mut self, end: Pick, length: usize, vectored: bool) {
        let Some((at, line)) = self.reading(end) else { return };
        let quick = !self.may_be_in_flight(self.ends[at].side, true) && plain::can_read(self.ends[at].any.borrow());
        if quick || length == 0 {
            self.blocking_read(at, line, length, vectored);
        }
    }

    /// A read of which it is certain that it does not wait. How many bytes it took.
    pub(super) fn blocking_read(&mut self, at: usize, line: usize, length: usize, vectored: bool) -> usize {
        let mut buffer = vec![0xee; length];
        let entry = self.lines[line].ledger.read(length);
        let result = self.ends[at].any.read(&mut buffer, vectored).expect("an end that reads");
        self.have_read(Transfer::new(line, entry, length), &result, &buffer);
        result.expect("a read has no other reason to fail")
    }

    pub(super) fn write(&mut self, end: Pick, length: usize, vectored: bool) {
        let Some((at, line)) = self.writing(end) else { return };
        let length = length.min(plain::AT_ONCE);
        let side = self.ends[at].side;
        let quick = !self.may_be_in_flight(side, false) && plain::can_write(self.ends[at].any.borrow());
        if self.bytes + length > MOST_BYTES || !quick && length > 0 {
            return;
        }
        let (entry, bytes) = self.lines[line].ledger.write(length);
        let result = self.ends[at].any.write(&bytes, vectored).expect("an end that writes");
        self.bytes += length;
        let short = !self.sides[side].overlapped;
        let transfer =
            Transfer { may_be_closed: self.ends[at].closed, may_be_short: short, ..Transfer::new(line, entry, length) };
        self.have_written(transfer, &result);
    }

    pub(super) fn flush(&mut self, end: Pick) {
        if let Some((at, _)) = self.writing(end) {
            self.ends[at].any.flush().expect("an end that writes").expect("nothing was accepted that can fail");
        }
    }

    pub(super) fn plain_read(&mut self, handle: Pick, length: usize) {
        if let Some(at) = handle.of(self.handles.len())
            && length > 0
        {
            self.read_plainly(at, length);
        }
    }

    /// The system's own read, if it does not wait. How many bytes it took.
    pub(super) fn read_plainly(&mut self, at: usize, length: usize) -> Option<usize> {
        let line = self.sides[self.handles[at].side].reads?;
        let bytes = plain::read(&self.handles[at].descriptor, length)?;
        assert!(!bytes.is_empty() || self.writer_is_gone(line), "the end of file, and there is a writer");
        let ledger = &mut self.lines[line].ledger;
        let entry = ledger.read(bytes.len());
        ledger.took(entry, &bytes);
        Some(bytes.len())
    }

    pub(super) fn plain_write(&mut self, handle: Pick, length: usize) {
        let Some(at) = handle.of(self.handles.len()) else { return };
        let side = &self.sides[self.handles[at].side];
        let Some(line) = side.writes else { return };
        if side.shut || self.reader_is_gone(line) || self.bytes + length > MOST_BYTES {
            return;
        }
        let (entry, bytes): (Entry, _) = self.lines[line].ledger.write(length);
        let sent = plain::write(&self.handles[at].descriptor, &bytes).unwrap_or(0);
        self.lines[line].ledger.sent(entry, Sent::Exactly(sent));
        self.bytes += sent;
    }
}
