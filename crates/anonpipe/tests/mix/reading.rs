//! What the reading side knows of a direction, even when its end changes hands.

use std::io;
use std::sync::Arc;

use anonpipe::Op;

use crate::control::Control;
use crate::going_in::May;
use crate::inflight::{Done, InFlight};
use crate::steps::ReadStep;
use crate::stream::Stream;
use crate::test_data::Random;
use crate::watch::Slot;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) stream: Arc<Stream>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) random: Random,
    pub(crate) in_flight: InFlight,
    /// Everything was cancelled, which a task is told by its next read if it did not wait for one
    /// then.
    told_late: bool,
}

impl Reading {
    pub(crate) fn new(stream: Arc<Stream>, slot: Arc<Slot>, seed: u64) -> Self {
        Self { stream, slot, random: Random::new(seed), in_flight: InFlight::default(), told_late: false }
    }

    /// Whether there is nothing more to come.
    pub(crate) fn ended(&self) -> bool {
        self.stream.coming_out.is_at_the_end()
    }

    pub(crate) fn submit(&mut self, count: usize, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        for _ in 0..count {
            let length = self.random.chunk().min(100_000);
            let turn = self.stream.begin_read(ReadStep::Submit(1));
            self.in_flight.push(submit(vec![0; length]), turn.over());
        }
    }

    /// Everything in this direction was cancelled, or may have been.
    pub(crate) fn note_cancel(&mut self) {
        self.told_late = true;
        self.in_flight.note_cancel();
    }

    pub(crate) fn record_op(&mut self, done: Done, control: &Control) {
        let may = May { time_out: false, be_cancelled: done.cancelled || control.may_cancel() };
        self.stream.record_read(done.number, done.result, done.bytes, may);
    }

    /// Notes the outcome of a read that is no operation.
    pub(crate) fn record(
        &mut self,
        number: usize,
        result: io::Result<usize>,
        bytes: Vec<u8>,
        how: ReadStep,
        control: &Control,
    ) {
        let is_a_tasks = matches!(how, ReadStep::Task(..) | ReadStep::Glance(..));
        let late = is_a_tasks && std::mem::take(&mut self.told_late);
        let may = May { time_out: matches!(how, ReadStep::Timeout(..)), be_cancelled: control.may_cancel() || late };
        self.stream.record_read(number, result, bytes, may);
    }

    /// Cancels what is in flight, and takes the outcomes.
    pub(crate) fn cancel_the_rest(&mut self) {
        self.in_flight.cancel_each();
        self.take_the_rest();
    }

    /// Takes the outcomes of what was cancelled.
    pub(crate) fn take_the_rest(&mut self) {
        self.slot.doing("waits for what was cancelled");
        while let Some(done) = self.in_flight.wait() {
            self.record_op(done, &Control::default());
        }
    }

    /// Reads the end of file again, after it was seen, or once the peer has left.
    pub(crate) fn is_at_the_end(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) {
        self.slot.doing("waits for the end of file");
        for _ in 0..2 {
            let mut bytes = vec![0; 10];
            let turn = self.stream.begin_read(ReadStep::Std(bytes.len()));
            let result = read(&mut bytes);
            assert_eq!(result.as_ref().ok(), Some(&0), "after the last byte came {result:?}, {bytes:?}");
            self.stream.record_read(turn.over(), result, bytes, May::default());
        }
    }
}
