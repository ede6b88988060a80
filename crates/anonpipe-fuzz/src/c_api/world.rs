//! What a C program has in its hands, and what it knows of it.

use std::ffi::c_int;
use std::os::fd::{BorrowedFd, RawFd};

use super::calls::{anonpipe_end, anonpipe_error, anonpipe_op};
use super::steps::Step;
use crate::ledger::Entry;
use crate::pipes::{Handle, Line};

/// Who has a side of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Handle,
    End,
    Gone,
}

/// One of a pipe's two sides.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) reads: Option<usize>,
    pub(super) writes: Option<usize>,
    pub(super) overlapped: bool,
    pub(super) owner: Owner,
    pub(super) shut: bool,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) pointer: *mut anonpipe_end,
    /// The handle that it was opened with.
    pub(super) descriptor: RawFd,
    pub(super) side: usize,
}

#[derive(Debug)]
pub(super) struct Op {
    pub(super) pointer: *mut anonpipe_op,
    pub(super) side: usize,
    pub(super) line: usize,
    pub(super) entry: Entry,
    pub(super) reads: bool,
    pub(super) buffer: Box<[u8]>,
    /// Something has happened that may cancel it.
    pub(super) may_be_cancelled: bool,
    /// The answer that every wait gives from now on.
    pub(super) answer: Option<(c_int, usize)>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) lines: Vec<Line>,
    pub(super) sides: Vec<Side>,
    pub(super) handles: Vec<Handle>,
    pub(super) ends: Vec<End>,
    pub(super) ops: Vec<Op>,
    pub(super) bytes: usize,
    /// The code of the last call that failed in this thread and left a text.
    pub(super) last_failure: Option<c_int>,
}

impl World {
    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Pair { options, outputs } => self.pair(options.as_ref(), *outputs),
            Step::Open { handle, exclusive, nulls } => self.open(*handle, *exclusive, nulls.first()),
            Step::OpenNoPipe { which, exclusive } => self.open_no_pipe(*which, *exclusive),
            Step::Close { end } => self.close(end.of_or_none(self.ends.len())),
            Step::IntoHandle { end, nulls } => self.take_handle(end.of_or_none(self.ends.len()), nulls.first()),
            Step::CloseHandle { handle } => self.close_handle(*handle),
            Step::PlainRead { handle, length } => self.plain_read(*handle, length.0),
            Step::PlainWrite { handle, length } => self.plain_write(*handle, length.0),
            Step::Read { end, length, patience, nulls } => self.read(*end, length.0, *patience, *nulls),
            Step::Write { end, length, patience, nulls } => self.write(*end, length.0, *patience, *nulls),
            Step::CancelAll { end } => self.cancel_all(*end),
            Step::BytesAvailable { end, nulls } => self.bytes_available(*end, nulls.first()),
            Step::ShutdownWrite { end } => self.shutdown_write(*end),
            Step::SubmitRead { end, length, nulls } => self.submit_read(*end, length.0, *nulls),
            Step::SubmitWrite { end, length, nulls } => self.submit_write(*end, length.0, *nulls),
            Step::Wait { op, nulls } => self.wait(*op, nulls.first()),
            Step::WaitTimeout { op, patience, nulls } => self.wait_timeout(*op, *patience, nulls.first()),
            Step::WaitAny { ops, patience, nulls } => self.wait_any(ops, *patience, *nulls),
            Step::Cancel { op } => self.cancel(*op),
            Step::Release { op } => self.release(op.of_or_none(self.ops.len())),
            Step::StrError { code, small, is_small, room, nulls } => {
                self.strerror(if *is_small { i32::from(*small) } else { *code }, *room, nulls.first());
            }
            Step::LastErrorText { room, nulls } => self.last_error_text(*room, nulls.first()),
            Step::Version => Self::version(),
        }
    }

    /// Notes that a call failed, for its text.
    pub(super) fn note(&mut self, code: c_int) -> c_int {
        if code != anonpipe_error::ANONPIPE_OK as c_int {
            self.last_failure = Some(code);
        }
        code
    }

    /// Whether the side at the other end of a line, which reads it, may be gone for its writer.
    pub(super) fn reader_is_gone(&self, line: usize) -> bool {
        self.sides[self.lines[line].reader].owner == Owner::Gone
    }

    /// Whether nothing new can be written to a line.
    pub(super) fn writer_is_gone(&self, line: usize) -> bool {
        let side = &self.sides[self.lines[line].writer];
        side.shut || side.owner == Owner::Gone
    }

    /// Whether operations of a side may be in flight in that direction.
    pub(super) fn may_be_in_flight(&self, side: usize, reads: bool) -> bool {
        self.ops.iter().any(|op| op.side == side && op.reads == reads && op.answer.is_none())
    }
}

impl End {
    /// Its descriptor, for which C has no function.
    pub(super) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: the end is open, and so is its handle.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}
