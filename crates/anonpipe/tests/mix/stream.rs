//! One direction of a pair: what went in, what came out, and whether the one fits the other.
//!
//! Byte N of what goes in is a function of the stream and N, so that bytes which are lost, doubled or out of order are seen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::check::{Fate, Written, fits};
use crate::pattern;
use crate::steps::ReadStep;
use crate::tally::Tally;

/// What goes in last where the reader cannot see an end of file, because writing goes on the other way.
const TRAILER: [u8; 24] = *b"and that was the last.\r\n";

/// How many of the last reads are told when something is wrong.
const TOLD: usize = 25;

fn end_of(written: &[Written]) -> usize {
    written.last().map_or(0, |last| last.start + last.bytes.len())
}

#[derive(Debug, Default)]
struct Out {
    bytes: Vec<u8>,
    /// Where the last reads began, how much they took, and how.
    reads: VecDeque<(usize, usize, ReadStep)>,
    ended: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Stream {
    name: String,
    /// Of a pair that goes no other way: it ends with the end of file.
    one_way: bool,
    /// Where it begins in the pattern.
    offset: usize,
    /// How many bytes go in; without a limit, it is until nobody reads them.
    limit: Option<usize>,
    written: Mutex<Vec<Written>>,
    out: Mutex<Out>,
    writer_leaves: AtomicBool,
    reader_leaves: AtomicBool,
    reader_done: AtomicBool,
}

impl Stream {
    pub(crate) fn new(name: String, number: usize, one_way: bool, limit: Option<usize>) -> Self {
        Self {
            name,
            one_way,
            offset: number * 104_729,
            limit,
            written: Mutex::default(),
            out: Mutex::default(),
            writer_leaves: AtomicBool::new(false),
            reader_leaves: AtomicBool::new(false),
            reader_done: AtomicBool::new(false),
        }
    }

    fn written(&self) -> MutexGuard<'_, Vec<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to `length` of the bytes that are to go in next, and the number by which their write is known. `None`: that was all.
    pub(crate) fn next(&self, length: usize) -> Option<(usize, Vec<u8>)> {
        let mut written = self.written();
        let start = end_of(&written);
        let length = self.limit.map_or(length, |limit| length.min(limit.saturating_sub(start)));
        if length == 0 {
            return None;
        }
        let bytes = pattern::bytes(self.offset + start, length);
        written.push(Written { start, bytes: bytes.clone(), fate: Fate::Open });
        Some((written.len() - 1, bytes))
    }

    /// What goes in last.
    pub(crate) fn trailer(&self) -> (usize, Vec<u8>) {
        let mut written = self.written();
        let start = end_of(&written);
        written.push(Written { start, bytes: TRAILER.to_vec(), fate: Fate::Open });
        (written.len() - 1, TRAILER.to_vec())
    }

    pub(crate) fn is_one_way(&self) -> bool {
        self.one_way
    }

    /// Whether all of it has been taken to be written.
    pub(crate) fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| end_of(&self.written()) >= limit)
    }

    /// Notes what became of a write.
    pub(crate) fn settle(&self, write: usize, fate: Fate) {
        let entry = &mut self.written()[write];
        assert_eq!(entry.fate, Fate::Open, "{}: a write is settled twice, now as {fate:?}", self.name);
        if let Fate::Exactly(count) = fate {
            assert!(count <= entry.bytes.len(), "{}: {count} of {} bytes went", self.name, entry.bytes.len());
            Tally::Bytes.add(count);
        }
        entry.fate = fate;
    }

    /// Notes that `count` bytes of a write were accepted.
    pub(crate) fn accepted(&self, write: usize, count: usize) {
        self.settle(write, Fate::Accepted);
        self.written()[write].bytes.truncate(count);
    }

    /// What was accepted has been cancelled, or has failed.
    pub(crate) fn doubt(&self) {
        for entry in &mut *self.written() {
            if matches!(entry.fate, Fate::Accepted | Fate::Detached) {
                entry.fate = Fate::Unknown;
            }
        }
    }

    /// What was accepted is with the system now.
    pub(crate) fn flushed(&self) {
        for entry in &mut *self.written() {
            if entry.fate == Fate::Accepted {
                entry.fate = Fate::Exactly(entry.bytes.len());
            }
        }
    }

    /// Whoever was to be told what became of what was accepted is gone.
    pub(crate) fn nobody_is_told(&self) {
        for entry in &mut *self.written() {
            if entry.fate == Fate::Accepted {
                entry.fate = Fate::Detached;
            }
        }
    }

    /// Notes what was read, and how.
    pub(crate) fn took(&self, bytes: &[u8], how: ReadStep) {
        let mut out = self.out();
        let start = out.bytes.len();
        out.reads.push_back((start, bytes.len(), how));
        if out.reads.len() > TOLD {
            out.reads.pop_front();
        }
        out.bytes.extend_from_slice(bytes);
        Tally::Reads.one();
    }

    pub(crate) fn count_out(&self) -> usize {
        self.out().bytes.len()
    }

    /// Whether the last bytes came out.
    pub(crate) fn trailer_is_out(&self) -> bool {
        self.out().bytes.ends_with(&TRAILER)
    }

    /// Notes an end of file.
    pub(crate) fn ended(&self, how: ReadStep) {
        assert!(self.writer_leaves(), "{}: {how:?} is at the end of file, and the writer is there", self.name);
        self.out().ended = true;
        Tally::EndsOfFile.one();
    }

    /// To be called before the writing side is closed.
    pub(crate) fn writer_is_leaving(&self) {
        self.writer_leaves.store(true, Ordering::SeqCst);
    }

    pub(crate) fn writer_leaves(&self) -> bool {
        self.writer_leaves.load(Ordering::SeqCst)
    }

    /// To be called before the reading side is closed, if there may be more to read.
    pub(crate) fn reader_is_leaving(&self) {
        self.reader_leaves.store(true, Ordering::SeqCst);
        self.reader_is_done();
    }

    /// To be called before the reading side is closed, in any case.
    pub(crate) fn reader_is_done(&self) {
        self.reader_done.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_reader_done(&self) -> bool {
        self.reader_done.load(Ordering::SeqCst)
    }

    pub(crate) fn reader_leaves(&self) -> bool {
        self.reader_leaves.load(Ordering::SeqCst)
    }

    /// Compares what came out with what went in. To be called when both sides are closed.
    pub(crate) fn verdict(&self) {
        let (written, out) = (self.written(), self.out());
        let whole = !self.reader_leaves();
        if whole && !out.ended && !out.bytes.ends_with(&TRAILER) {
            panic!("the reader saw no end: {}", self.difference(&written, &out, out.bytes.len().saturating_sub(40)));
        }
        let open = written.iter().filter(|entry| entry.fate == Fate::Open).count();
        assert!(!whole || open == 0, "{}: nobody knows what became of {open} writes", self.name);
        let mut furthest = 0;
        if !fits(&out.bytes, &written, whole, &mut furthest) {
            panic!("{}", self.difference(&written, &out, furthest));
        }
    }

    /// How far it is, for the report on a round that went wrong.
    pub(crate) fn in_short(&self) -> String {
        // Whoever reports may hold one of them.
        let (Ok(written), Ok(out)) = (self.written.try_lock(), self.out.try_lock()) else { return self.name.clone() };
        let last: Vec<_> = written.iter().rev().take(4).map(|entry| (entry.bytes.len(), entry.fate)).collect();
        let (sum, total) = written.iter().fold((0, 0), |(least, most), entry| {
            let (l, m) = entry.least_and_most();
            (least + l, most + m)
        });
        format!(
            "{}: {sum} to {total} of {:?} bytes written, the last ones {last:?}, {} read, ended: {}, writer leaves: {}, reader \
             leaves: {}",
            self.name,
            self.limit,
            out.bytes.len(),
            out.ended,
            self.writer_leaves(),
            self.reader_leaves()
        )
    }

    pub(crate) fn text(&self) -> String {
        let (written, out) = (self.written(), self.out());
        self.difference(&written, &out, out.bytes.len().saturating_sub(40))
    }

    fn difference(&self, written: &[Written], out: &Out, furthest: usize) -> String {
        let found = &out.bytes[furthest..];
        let sample = &found[..found.len().min(12)];
        let belongs = written.iter().find_map(|entry| {
            let place = entry.bytes.windows(sample.len().max(1)).position(|window| window == sample)?;
            Some(entry.start + place)
        });
        let writes: Vec<_> = written.iter().map(|entry| (entry.start, entry.bytes.len(), entry.fate)).collect();
        format!(
            "{}: {} bytes came out, which fit what went in up to byte {furthest}. What comes there belongs to byte \
             {belongs:?}: {sample:?}\nwrites (where, length, fate): {writes:?}\nthe last reads (where, length, how): {:?}",
            self.name,
            out.bytes.len(),
            out.reads,
        )
    }
}
