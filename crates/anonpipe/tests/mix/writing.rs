//! What is known of a direction by the one who writes it, whatever becomes of the end meanwhile.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anonpipe::Op;

use crate::check::Fate;
use crate::control::Control;
use crate::inflight::{Done, InFlight};
use crate::plan::Random;
use crate::stream::Stream;
use crate::tally::Tally;
use crate::watch::Slot;

/// Whether a task's write that was reported is with the system; else it is under way.
const REPORTED_IS_WITH_THE_SYSTEM: bool = cfg!(unix);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) stream: Arc<Stream>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) random: Random,
    pub(crate) in_flight: InFlight<usize>,
    /// A task's write that is not reported yet: given up now, it has written nothing.
    pub(crate) unreported: Option<usize>,
    /// The reader is gone.
    pub(crate) broken: bool,
    /// Everything was cancelled, which a task may be told later.
    told_late: bool,
    /// Something may be in flight that nobody waits for.
    pub(crate) loose: bool,
    trailer: bool,
}

impl Writing {
    pub(crate) fn new(stream: Arc<Stream>, slot: Arc<Slot>, seed: u64) -> Self {
        Self {
            stream,
            slot,
            random: Random::new(seed),
            in_flight: InFlight::default(),
            unreported: None,
            broken: false,
            told_late: false,
            loose: false,
            trailer: false,
        }
    }

    /// Whether all has been taken to be written that will be.
    pub(crate) fn is_used_up(&self) -> bool {
        self.broken || self.stream.is_used_up()
    }

    /// Whether that, and the trailer, have been written, as far as anybody waits for it.
    pub(crate) fn is_finished(&self) -> bool {
        self.broken || self.trailer && self.in_flight.is_empty()
    }

    pub(crate) fn submit(&mut self, count: usize, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        for _ in 0..count {
            let Some((number, bytes)) = self.stream.next(self.random.chunk()) else { return };
            self.in_flight.push(submit(bytes), number);
        }
    }

    /// Submits what goes in last, once.
    pub(crate) fn submit_trailer(&mut self, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        if !std::mem::replace(&mut self.trailer, true) {
            let (number, bytes) = self.stream.trailer();
            self.in_flight.push(submit(bytes), number);
        }
    }

    pub(crate) fn drop_one(&mut self, place: usize) {
        if let Some(pending) = self.in_flight.take(place) {
            drop(pending.op);
            self.loose = true;
            self.stream.settle(pending.number, Fate::Unknown);
        }
    }

    pub(crate) fn detach(&mut self) {
        if let Some(pending) = self.in_flight.take(0) {
            let fate = if pending.cancelled { Fate::Unknown } else { Fate::Detached };
            self.stream.settle(pending.number, fate);
            pending.op.detach();
            self.loose = true;
        }
    }

    /// Everything in this direction was cancelled, or may have been.
    pub(crate) fn note_cancel(&mut self) {
        self.told_late = true;
        self.stream.doubt();
        self.in_flight.note_cancel();
    }

    pub(crate) fn settle_op(&mut self, done: Done<usize>, control: &Control) {
        if let Ok(count) = done.result {
            assert_eq!(count, done.bytes.len(), "a write completes with its whole length");
        }
        self.settle(done.number, done.result, false, done.cancelled || control.may_cancel());
    }

    /// Notes what became of a write that the system was given.
    pub(crate) fn settle(
        &mut self,
        number: usize,
        result: io::Result<usize>,
        may_time_out: bool,
        may_be_cancelled: bool,
    ) {
        match result {
            Ok(count) => {
                Tally::Writes.one();
                self.stream.settle(number, Fate::Exactly(count));
            }
            Err(error) => {
                let transferred = self.told(&error, may_time_out, may_be_cancelled);
                self.stream.settle(number, transferred.map_or(Fate::Unknown, Fate::Exactly));
            }
        }
    }

    /// Checks an error, and returns how many bytes had gone, if it says so.
    fn told(&mut self, error: &io::Error, may_time_out: bool, may_be_cancelled: bool) -> Option<usize> {
        let known = anonpipe::Error::of(error).unwrap_or_else(|| panic!("not one of this crate's: {error:?}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                assert!(self.stream.reader_leaves(), "{error:?}, and the reader is there: {}", self.stream.text());
                Tally::BrokenPipes.one();
                self.broken = true;
                self.stream.doubt();
            }
            io::ErrorKind::TimedOut if may_time_out => Tally::TimesUp.one(),
            _ => {
                assert!(known.is_cancelled() && may_be_cancelled, "a write failed: {error:?}");
                Tally::WritesCancelled.one();
            }
        }
        let transferred = known.transferred();
        assert!(transferred.is_some() || cfg!(windows), "everybody else knows how much went: {error:?}");
        transferred
    }

    /// Notes a task's write.
    pub(crate) fn settle_tasks(&mut self, number: usize, result: io::Result<usize>, control: &Control) {
        self.unreported = None;
        let may_be_cancelled = self.told_late || control.may_cancel();
        // What was accepted is told of one by one, but only where something is.
        self.told_late &= !REPORTED_IS_WITH_THE_SYSTEM;
        match result {
            Ok(count) if REPORTED_IS_WITH_THE_SYSTEM => {
                Tally::Writes.one();
                self.stream.settle(number, Fate::Exactly(count));
            }
            Ok(count) => {
                Tally::Writes.one();
                self.loose = true;
                self.stream.accepted(number, count);
            }
            // It is about what was accepted before; this one was not begun.
            Err(error) => {
                let transferred = self.told(&error, false, may_be_cancelled);
                assert!(transferred.is_none_or(|count| count == 0) || self.broken, "{error:?}");
                self.stream.doubt();
                self.stream.settle(number, Fate::Exactly(0));
            }
        }
    }

    pub(crate) fn settle_flush(&mut self, result: io::Result<()>, control: &Control) {
        match result {
            Ok(()) => self.stream.flushed(),
            Err(error) => {
                self.told(&error, false, self.told_late || control.may_cancel());
                self.stream.doubt();
            }
        }
    }

    /// A task's write that was given up before it was reported has written nothing.
    pub(crate) fn settle_unreported(&mut self) {
        if let Some(number) = self.unreported.take() {
            self.stream.settle(number, Fate::Exactly(0));
        }
    }

    /// Waits for what is in flight, none of which is cancelled any more.
    pub(crate) fn take_the_rest(&mut self) {
        self.slot.doing("waits for what is in flight");
        while let Some(done) = self.in_flight.wait() {
            self.settle_op(done, &Control::default());
        }
    }

    /// Writes until that fails, as it must soon: the peer is gone, or going.
    pub(crate) fn until_it_is_broken(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) {
        self.slot.doing("waits for the peer to leave");
        while !self.stream.is_reader_done() {
            thread::sleep(Duration::from_micros(200));
        }
        self.slot.doing("writes to nobody");
        for _ in 0..2000 {
            match write(&[0; 10]) {
                Ok(_) => thread::sleep(Duration::from_millis(1)),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error:?}");
                    Tally::BrokenPipes.one();
                    self.broken = true;
                    return;
                }
            }
        }
        panic!("the peer is gone, and writes to it do not fail");
    }
}
