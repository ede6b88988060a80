//! What goes into a stream, write by write, and what became of each.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::check::{Fate, Written};
use crate::stream::Stream;
use crate::tally::Tally;
use crate::test_data;

/// What goes in last where the reader cannot see an end of file, because writing goes on the other
/// way.
pub(crate) const TRAILER: [u8; 24] = *b"and that was the last.\r\n";

/// The writes of a stream, in order.
#[derive(Debug)]
pub(crate) struct GoingIn {
    /// Where the stream begins in the pattern.
    offset: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) written: Mutex<Vec<Written>>,
    /// An actor's turn is under way.
    busy: AtomicBool,
}

pub(crate) fn end_of(written: &[Written]) -> usize {
    written.last().map_or(0, |last| last.start + last.bytes.len())
}

impl GoingIn {
    pub(crate) fn new(offset: usize, limit: Option<usize>) -> Self {
        Self { offset, limit, written: Mutex::default(), busy: AtomicBool::new(false) }
    }

    pub(crate) fn written(&self) -> MutexGuard<'_, Vec<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of it has been taken to be written.
    pub(crate) fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| end_of(&self.written()) >= limit)
    }

    fn change(&self, change: impl Fn(&mut Written)) {
        self.written().iter_mut().for_each(change);
    }

    /// What was accepted has been cancelled, or has failed.
    pub(crate) fn doubt(&self) {
        self.change(|entry| {
            if matches!(entry.fate, Fate::Accepted | Fate::Detached) {
                entry.fate = Fate::Unknown;
            }
        });
    }

    /// What was accepted is with the system now.
    pub(crate) fn flushed(&self) {
        self.change(|entry| {
            if entry.fate == Fate::Accepted {
                entry.fate = Fate::Exactly(entry.bytes.len());
            }
        });
    }

    /// No actor is left that could learn what became of what was accepted.
    pub(crate) fn nobody_is_told(&self) {
        self.change(|entry| {
            if entry.fate == Fate::Accepted {
                entry.fate = Fate::Detached;
            }
        });
    }
}

/// A write that is about to be made: what comes after it waits until it has its place in the queue.
/// Dropped, it wrote nothing.
#[derive(Debug)]
pub(crate) struct WriteTurn {
    stream: Arc<Stream>,
    number: usize,
    open: bool,
}

impl WriteTurn {
    /// It has its place in the queue, or is done. Returns the number by which it is known.
    pub(crate) fn over(mut self) -> usize {
        self.open = false;
        self.number
    }
}

impl Drop for WriteTurn {
    fn drop(&mut self) {
        if self.open {
            self.stream.record_write(self.number, Fate::Exactly(0));
        }
        self.stream.going_in.busy.store(false, Ordering::SeqCst);
    }
}

impl Stream {
    fn written_next(self: &Arc<Self>, take: impl FnOnce(usize) -> Vec<u8>) -> Option<(WriteTurn, Vec<u8>)> {
        let mut written = self.going_in.written();
        let start = end_of(&written);
        let bytes = take(start);
        if bytes.is_empty() {
            self.going_in.busy.store(false, Ordering::SeqCst);
            return None;
        }
        written.push(Written { start, bytes: bytes.clone(), fate: Fate::Open });
        Some((WriteTurn { stream: Arc::clone(self), number: written.len() - 1, open: true }, bytes))
    }

    fn pattern(&self, start: usize, length: usize) -> Vec<u8> {
        let GoingIn { offset, limit, .. } = &self.going_in;
        let length = limit.map_or(length, |limit| length.min(limit.saturating_sub(start)));
        test_data::bytes(offset + start, length)
    }

    /// A turn to write up to `length` of the bytes that go in next. `None`: that was all.
    pub(crate) fn begin_write(self: &Arc<Self>, length: usize) -> Option<(WriteTurn, Vec<u8>)> {
        while self.going_in.busy.swap(true, Ordering::SeqCst) {
            thread::yield_now();
        }
        self.written_next(|start| self.pattern(start, length))
    }

    /// As [`begin_write`](Self::begin_write), but not while another actor has its turn.
    pub(crate) fn try_begin_write(self: &Arc<Self>, length: usize) -> Option<(WriteTurn, Vec<u8>)> {
        if self.going_in.busy.swap(true, Ordering::SeqCst) {
            return None;
        }
        self.written_next(|start| self.pattern(start, length))
    }

    /// The turn to write what goes in last.
    pub(crate) fn begin_trailer(self: &Arc<Self>) -> (WriteTurn, Vec<u8>) {
        while self.going_in.busy.swap(true, Ordering::SeqCst) {
            thread::yield_now();
        }
        self.written_next(|_| TRAILER.to_vec()).expect("it has bytes")
    }

    /// Notes what became of a write.
    pub(crate) fn record_write(&self, number: usize, fate: Fate) {
        let entry = &mut self.going_in.written()[number];
        assert_eq!(entry.fate, Fate::Open, "{}: a write is recorded twice, now as {fate:?}", self.name);
        if let Fate::Exactly(count) = fate {
            assert!(count <= entry.bytes.len(), "{}: {count} of {} bytes went", self.name, entry.bytes.len());
            Tally::Bytes.add(count);
        }
        entry.fate = fate;
    }

    /// Notes that `count` bytes of a write were accepted.
    pub(crate) fn accept_write(&self, number: usize, count: usize) {
        self.record_write(number, Fate::Accepted);
        self.going_in.written()[number].bytes.truncate(count);
    }

    /// Notes what became of a write that the system was given.
    pub(crate) fn record_written(&self, number: usize, result: io::Result<usize>, may: May) {
        let fate = match result {
            Ok(count) => {
                Tally::Writes.one();
                Fate::Exactly(count)
            }
            Err(error) => self.told(&error, may).map_or(Fate::Unknown, Fate::Exactly),
        };
        self.record_write(number, fate);
    }

    /// Checks a write's error, and returns how many bytes had gone, if it says so.
    pub(crate) fn told(&self, error: &io::Error, may: May) -> Option<usize> {
        let known = anonpipe::Error::of(error).unwrap_or_else(|| panic!("not one of this crate's: {error:?}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                assert!(self.reader_leaves(), "{error:?}, and the reader is there: {}", self.text());
                Tally::BrokenPipes.one();
                self.breaks();
                self.going_in.doubt();
            }
            io::ErrorKind::TimedOut if may.time_out => Tally::TimesUp.one(),
            _ => {
                assert!(known.is_cancelled() && may.be_cancelled, "a write failed: {error:?}");
                Tally::WritesCancelled.one();
            }
        }
        let transferred = known.transferred();
        assert!(transferred.is_some() || cfg!(windows), "everybody else knows how much went: {error:?}");
        transferred
    }
}

/// How a read or a write may end, besides well.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct May {
    pub(crate) time_out: bool,
    pub(crate) be_cancelled: bool,
}
