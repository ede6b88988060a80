//! What the writing side knows of a direction, even when its end changes hands.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anonpipe::Op;

use crate::check::Fate;
use crate::control::Control;
use crate::going_in::{May, WriteTurn};
use crate::inflight::{Done, InFlight};
use crate::stream::Stream;
use crate::tally::Tally;
use crate::test_data::Random;
use crate::watch::Slot;

/// Whether a task's write that was reported is with the system; else it is under way.
const REPORTED_IS_WITH_THE_SYSTEM: bool = cfg!(unix);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) stream: Arc<Stream>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) random: Random,
    pub(crate) in_flight: InFlight,
    /// Everything was cancelled, which a task may be told later.
    told_late: bool,
    /// Something may be in flight that no actor waits for.
    pub(crate) loose: bool,
    trailer: bool,
}

impl Writing {
    pub(crate) fn new(stream: Arc<Stream>, slot: Arc<Slot>, seed: u64) -> Self {
        let (random, in_flight) = (Random::new(seed), InFlight::default());
        Self { stream, slot, random, in_flight, told_late: false, loose: false, trailer: false }
    }

    /// Whether all has been taken to be written that will be.
    pub(crate) fn is_used_up(&self) -> bool {
        self.stream.is_broken() || self.stream.going_in.is_used_up()
    }

    /// Whether that, and the trailer, have been written, as far as an actor waits for it.
    pub(crate) fn is_finished(&self) -> bool {
        self.stream.is_broken() || self.trailer && self.in_flight.is_empty()
    }

    pub(crate) fn submit(&mut self, count: usize, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        for _ in 0..count {
            let Some((turn, bytes)) = self.stream.begin_write(self.random.chunk()) else { return };
            self.in_flight.push(submit(bytes), turn.over());
        }
    }

    /// Submits what goes in last, once.
    pub(crate) fn submit_trailer(&mut self, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        if !std::mem::replace(&mut self.trailer, true) {
            let (turn, bytes) = self.stream.begin_trailer();
            self.in_flight.push(submit(bytes), turn.over());
        }
    }

    pub(crate) fn drop_one(&mut self, place: usize) {
        if let Some(pending) = self.in_flight.take(place) {
            drop(pending.op);
            self.loose = true;
            self.stream.record_write(pending.number, Fate::Unknown);
        }
    }

    pub(crate) fn detach(&mut self) {
        if let Some(pending) = self.in_flight.take(0) {
            let fate = if pending.cancelled { Fate::Unknown } else { Fate::Detached };
            self.stream.record_write(pending.number, fate);
            pending.op.detach();
            self.loose = true;
        }
    }

    /// Everything in this direction was cancelled, or may have been.
    pub(crate) fn note_cancel(&mut self) {
        self.told_late = true;
        self.stream.going_in.doubt();
        self.in_flight.note_cancel();
    }

    pub(crate) fn record_op(&mut self, done: Done, control: &Control) {
        if let Ok(count) = done.result {
            assert_eq!(count, done.bytes.len(), "a write completes with its whole length");
        }
        let may = May { time_out: false, be_cancelled: done.cancelled || control.may_cancel() };
        self.stream.record_written(done.number, done.result, may);
    }

    /// Notes a task's write.
    pub(crate) fn record_tasks(&mut self, turn: WriteTurn, result: io::Result<usize>, control: &Control) {
        let may = May { time_out: false, be_cancelled: self.told_late || control.may_cancel() };
        // What was accepted is told of one by one, but only where something is.
        self.told_late &= !REPORTED_IS_WITH_THE_SYSTEM;
        match result {
            Ok(count) if REPORTED_IS_WITH_THE_SYSTEM => {
                self.stream.record_written(turn.over(), Ok(count), may);
            }
            Ok(count) => {
                Tally::Writes.one();
                self.loose = true;
                self.stream.accept_write(turn.over(), count);
            }
            // It is about what was accepted before; this one was not begun, and is given up with
            // its turn.
            Err(error) => {
                let transferred = self.stream.told(&error, may);
                let began = transferred.is_some_and(|count| count > 0) && !self.stream.is_broken();
                assert!(!began, "a task's write that failed says that some of it went: {error:?}");
                self.stream.going_in.doubt();
            }
        }
    }

    pub(crate) fn record_flush(&mut self, result: io::Result<()>, control: &Control) {
        match result {
            Ok(()) => self.stream.going_in.flushed(),
            Err(error) => {
                let may = May { time_out: false, be_cancelled: self.told_late || control.may_cancel() };
                self.stream.told(&error, may);
                self.stream.going_in.doubt();
            }
        }
    }

    /// Waits for what is in flight, none of which is cancelled any more.
    pub(crate) fn take_the_rest(&mut self) {
        self.slot.doing("waits for what is in flight");
        while let Some(done) = self.in_flight.wait() {
            self.record_op(done, &Control::default());
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
                    return self.stream.breaks();
                }
            }
        }
        panic!("the peer is gone, and writes to it do not fail");
    }
}
