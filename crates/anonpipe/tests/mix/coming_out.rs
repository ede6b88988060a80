//! What comes out of a stream, read by read, in the order in which they had their places in the
//! queue.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::going_in::{May, TRAILER};
use crate::steps::ReadStep;
use crate::stream::Stream;
use crate::tally::Tally;

/// How many of the last reads are told when something is wrong.
const TOLD: usize = 25;

/// The reads of a stream.
#[derive(Debug, Default)]
pub(crate) struct ComingOut {
    pub(crate) out: Mutex<Out>,
    /// An actor's turn is under way.
    busy: AtomicBool,
}

#[derive(Debug)]
struct Read {
    how: ReadStep,
    /// `None` until it is done.
    bytes: Option<Vec<u8>>,
    /// Where these begin in the stream, once all reads before it are done.
    start: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Out {
    reads: Vec<Read>,
    /// How many of them, from the first on, are done.
    done: usize,
    /// What these took.
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: bool,
}

impl Out {
    fn fill(&mut self, number: usize, bytes: Vec<u8>) {
        self.reads[number].bytes = Some(bytes);
        while let Some(Read { bytes: Some(bytes), start, .. }) = self.reads.get_mut(self.done) {
            *start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            self.done += 1;
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.done == self.reads.len()
    }

    /// Where they began, what they took, and how.
    pub(crate) fn last_reads(&self) -> Vec<(usize, usize, ReadStep)> {
        let reads = self.reads.iter().filter(|read| read.bytes.as_ref().is_some_and(|bytes| !bytes.is_empty()));
        let mut last: Vec<_> = reads
            .rev()
            .take(TOLD)
            .map(|read| (read.start, read.bytes.as_ref().map_or(0, Vec::len), read.how))
            .collect();
        last.reverse();
        last
    }
}

impl ComingOut {
    pub(crate) fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much came out.
    pub(crate) fn count(&self) -> usize {
        self.out().bytes.len()
    }

    /// Whether there is nothing more to come.
    pub(crate) fn is_at_the_end(&self) -> bool {
        let out = self.out();
        out.ended || out.bytes.ends_with(&TRAILER)
    }
}

/// A read that is about to be made: what comes after it waits until it has its place in the queue.
/// Dropped, it took nothing.
#[derive(Debug)]
pub(crate) struct ReadTurn {
    stream: Arc<Stream>,
    number: usize,
    open: bool,
}

impl ReadTurn {
    /// It has its place in the queue, or is done. Returns the number by which it is known.
    pub(crate) fn over(mut self) -> usize {
        self.open = false;
        self.number
    }
}

impl Drop for ReadTurn {
    fn drop(&mut self) {
        if self.open {
            self.stream.coming_out.out().fill(self.number, Vec::new());
        }
        self.stream.coming_out.busy.store(false, Ordering::SeqCst);
    }
}

impl Stream {
    fn read_next(self: &Arc<Self>, how: ReadStep) -> ReadTurn {
        let mut out = self.coming_out.out();
        out.reads.push(Read { how, bytes: None, start: 0 });
        ReadTurn { stream: Arc::clone(self), number: out.reads.len() - 1, open: true }
    }

    /// A turn to read.
    pub(crate) fn begin_read(self: &Arc<Self>, how: ReadStep) -> ReadTurn {
        while self.coming_out.busy.swap(true, Ordering::SeqCst) {
            thread::yield_now();
        }
        self.read_next(how)
    }

    /// As [`begin_read`](Self::begin_read), but not while another actor has its turn.
    pub(crate) fn try_begin_read(self: &Arc<Self>, how: ReadStep) -> Option<ReadTurn> {
        (!self.coming_out.busy.swap(true, Ordering::SeqCst)).then(|| self.read_next(how))
    }

    /// Notes what became of a read, and checks that it may have ended so.
    pub(crate) fn record_read(&self, number: usize, result: io::Result<usize>, mut bytes: Vec<u8>, may: May) {
        let mut out = self.coming_out.out();
        let how = out.reads[number].how;
        match result {
            Ok(0) => {
                assert!(self.writer_leaves(), "{}: {how:?} is at the end of file, and the writer is there", self.name);
                Tally::EndsOfFile.one();
                out.ended = true;
                bytes.clear();
            }
            Ok(count) => {
                Tally::Reads.one();
                bytes.truncate(count);
            }
            Err(error) => {
                let known = anonpipe::Error::of(&error).unwrap_or_else(|| panic!("not one of this crate's: {error:?}"));
                let timed_out = may.time_out && error.kind() == io::ErrorKind::TimedOut;
                let cancelled = may.be_cancelled && known.is_cancelled();
                assert!(timed_out || cancelled, "{}: {how:?} failed: {error:?}", self.name);
                assert_eq!(known.transferred(), Some(0), "{how:?}: {error:?}");
                if timed_out {
                    Tally::TimesUp.one()
                } else {
                    Tally::ReadsCancelled.one()
                }
                bytes.clear();
            }
        }
        out.fill(number, bytes);
    }
}
