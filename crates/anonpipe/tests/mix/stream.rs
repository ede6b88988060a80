//! One direction of a pair: what went in, what came out, and whether the one fits the other.
//!
//! Byte N of what goes in is a function of the stream and N, so that bytes which are lost, doubled
//! or out of order are seen. What has its place in the queue of an end takes a number here in the
//! same order, as a *turn*: see [`WriteTurn`](crate::going_in) and [`ReadTurn`](crate::coming_out).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::check::{Fate, Written, fits};
use crate::coming_out::{ComingOut, Out};
use crate::going_in::{GoingIn, TRAILER, end_of};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    /// Of a pair that goes no other way: it ends with the end of file.
    pub(crate) is_one_way: bool,
    pub(crate) going_in: GoingIn,
    pub(crate) coming_out: ComingOut,
    writer_leaves: AtomicBool,
    reader_leaves: AtomicBool,
    reader_done: AtomicBool,
    broken: AtomicBool,
    /// How often all reads, and all writes, were cancelled.
    cancels: [AtomicUsize; 2],
}

impl Stream {
    /// Takes `limit` bytes; without a limit, what goes in until the reader is gone.
    pub(crate) fn new(name: String, number: usize, is_one_way: bool, limit: Option<usize>) -> Self {
        Self {
            name,
            is_one_way,
            going_in: GoingIn::new(number * 104_729, limit),
            coming_out: ComingOut::default(),
            writer_leaves: AtomicBool::new(false),
            reader_leaves: AtomicBool::new(false),
            reader_done: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            cancels: Default::default(),
        }
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

    pub(crate) fn reader_leaves(&self) -> bool {
        self.reader_leaves.load(Ordering::SeqCst)
    }

    /// To be called when nothing is read any more: what goes in now is not looked at.
    pub(crate) fn reader_is_done(&self) {
        self.reader_done.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_reader_done(&self) -> bool {
        self.reader_done.load(Ordering::SeqCst)
    }

    /// A write has said that the reader is gone.
    pub(crate) fn breaks(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// To be called before all reads are cancelled.
    pub(crate) fn cancels_reads(&self) {
        self.cancels[0].fetch_add(1, Ordering::SeqCst);
    }

    /// To be called before all writes are cancelled.
    pub(crate) fn cancels_writes(&self) {
        self.cancels[1].fetch_add(1, Ordering::SeqCst);
    }

    /// How often all reads, and all writes, were cancelled.
    pub(crate) fn cancels(&self) -> [usize; 2] {
        [0, 1].map(|way: usize| self.cancels[way].load(Ordering::SeqCst))
    }

    /// Compares what came out with what went in. To be called when both sides are closed.
    pub(crate) fn verdict(&self) {
        let (written, out) = (self.going_in.written(), self.coming_out.out());
        let whole = !self.reader_leaves();
        let open = written.iter().filter(|entry| entry.fate == Fate::Open).count();
        assert!(!whole || open == 0, "{}: nobody knows what became of {open} writes", self.name);
        assert!(out.is_settled(), "{}: nobody knows what became of a read", self.name);
        if whole && !out.ended && !out.bytes.ends_with(&TRAILER) {
            panic!("the reader saw no end: {}", self.text_around(&written, &out, out.bytes.len()));
        }
        let mut furthest = 0;
        if !fits(&out.bytes, &written, whole, &mut furthest) {
            panic!("what came out is not what went in: {}", self.text_around(&written, &out, furthest));
        }
    }

    /// All that is known of it.
    pub(crate) fn text(&self) -> String {
        let (written, out) = (self.going_in.written(), self.coming_out.out());
        self.text_around(&written, &out, out.bytes.len())
    }

    fn text_around(&self, written: &[Written], out: &Out, place: usize) -> String {
        let sample = &out.bytes[place..];
        let sample = &sample[..sample.len().min(12)];
        let belongs = written.iter().find_map(|entry| {
            let place = entry.bytes.windows(sample.len().max(1)).position(|window| window == sample)?;
            Some(entry.start + place)
        });
        let writes: Vec<_> = written.iter().map(|entry| (entry.start, entry.bytes.len(), entry.fate)).collect();
        format!(
            "{}: {} bytes came out. What comes at {place} belongs to byte {belongs:?}: {sample:?}\nwrites (where, length, \
             fate): {writes:?}\nthe last reads (where, length, how): {:?}",
            self.name,
            out.bytes.len(),
            out.last_reads(),
        )
    }

    /// How far it is, for the report on a round that went wrong.
    pub(crate) fn in_short(&self) -> String {
        // The thread that reports may hold one of them.
        let (Ok(written), Ok(out)) = (self.going_in.written.try_lock(), self.coming_out.out.try_lock()) else {
            return self.name.clone();
        };
        let last: Vec<_> = written.iter().rev().take(4).map(|entry| (entry.bytes.len(), entry.fate)).collect();
        format!(
            "{}: {} of {:?} bytes written, the last ones {last:?}, {} read, ended: {}, writer leaves: {}, reader leaves: {}",
            self.name,
            end_of(&written),
            self.going_in.limit,
            out.bytes.len(),
            out.ended,
            self.writer_leaves(),
            self.reader_leaves()
        )
    }
}
