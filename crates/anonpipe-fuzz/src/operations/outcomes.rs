//! Whether a result is one that the contract allows.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use anonpipe::Error;

use super::flight::Outcome;
use super::world::{Count, Known, World};
use crate::fence::LIMIT;
use crate::ledger::{Entry, Sent};

/// A read or write, as the contract sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub(super) line: usize,
    pub(super) entry: Entry,
    pub(super) length: usize,
    /// It may end by a timeout; because it was cancelled; because its own end was closed.
    pub(super) may_time_out: bool,
    pub(super) may_be_cancelled: bool,
    pub(super) may_be_closed: bool,
    /// A write may take a part.
    pub(super) may_be_short: bool,
}

impl Transfer {
    pub(super) fn new(line: usize, entry: Entry, length: usize) -> Self {
        Self {
            line,
            entry,
            length,
            may_time_out: false,
            may_be_cancelled: false,
            may_be_closed: false,
            may_be_short: false,
        }
    }

    /// How many bytes had gone when it failed.
    fn failed(&self, error: &io::Error, may_break: bool) -> usize {
        let own = Error::of(error).unwrap_or_else(|| panic!("an error without this crate's own inside: {error:?}"));
        assert_eq!(own.kind(), error.kind());
        let allowed = match error.kind() {
            _ if own.is_cancelled() => self.may_be_cancelled,
            ErrorKind::TimedOut => self.may_time_out,
            ErrorKind::BrokenPipe => may_break,
            _ => false,
        };
        assert!(allowed, "{error}, and nothing has happened that explains it: {self:?}");
        own.transferred().expect("on Unix that is known")
    }
}

impl World {
    /// Notes what a read answered; panics if it cannot be.
    pub(super) fn have_read(&mut self, transfer: Transfer, result: &io::Result<usize>, buffer: &[u8]) {
        let Transfer { line, entry, length, .. } = transfer;
        let count = match result {
            Ok(count) => {
                assert!(*count <= length, "{count} bytes in a buffer of {length}");
                let ended = *count == 0 && length > 0;
                assert!(!ended || self.writer_is_gone(line), "the end of file, and there is a writer");
                *count
            }
            Err(error) => {
                assert_eq!(transfer.failed(error, false), 0, "a failed read took nothing");
                0
            }
        };
        self.lines[line].ledger.took(entry, &buffer[..count]);
    }

    /// Notes what a write answered; panics if it cannot be.
    pub(super) fn have_written(&mut self, transfer: Transfer, result: &io::Result<usize>) {
        let Transfer { line, entry, length, .. } = transfer;
        let shut = self.sides[self.lines[line].writer].shut;
        let sent = match result {
            Ok(count) => {
                let whole = *count == length || transfer.may_be_short && (1..length).contains(count);
                assert!(whole, "{count} bytes of {length}");
                *count
            }
            Err(error) => {
                let nothing_to_write = length == 0;
                let may_break = shut || transfer.may_be_closed || (self.reader_is_gone(line) && !nothing_to_write);
                transfer.failed(error, may_break)
            }
        };
        self.lines[line].ledger.sent(entry, Sent::Exactly(sent));
    }

    /// Notes what became of an operation; panics if it cannot be.
    pub(super) fn landed(&mut self, op: &Known, (result, buffer): &Outcome) {
        assert_eq!(buffer.len(), op.length, "the buffer comes back as it went");
        let mut transfer = Transfer::new(op.line, op.entry, op.length);
        transfer.may_be_cancelled = op.may_be_cancelled;
        transfer.may_be_closed = op.too_late;
        if op.reads {
            self.have_read(transfer, result, buffer);
        } else {
            assert!(self.lines[op.line].ledger.is(op.entry, buffer), "a write changed its buffer");
            self.have_written(transfer, result);
        }
        if let Some(waker) = &op.waker {
            expect_wake(waker);
        }
    }
}

/// What is complete has woken its task, or is about to.
fn expect_wake(waker: &Arc<Count>) {
    let begun = Instant::now();
    while !waker.is_woken() {
        assert!(begun.elapsed() < LIMIT, "an operation is complete, and its task was not woken");
        std::thread::yield_now();
    }
}

/// What a call that never waits must not be.
pub(super) fn ready<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}
