//! The actor that reads: in every way, from one end, and always all in one order.

use std::io::{self, IoSliceMut, Read};
use std::sync::Arc;

use anonpipe::{Op, Overlapped, Reader};

use crate::control::{Actor, Control};
use crate::executors::Family;
use crate::inflight::{Done, InFlight, glance};
use crate::plan::Random;
use crate::steps::{Collect, ReadStep};
use crate::stream::Stream;
use crate::tally::Tally;
use crate::watch::Slot;

/// What is known of a direction by the one who reads it, whatever becomes of the end meanwhile.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) stream: Arc<Stream>,
    pub(crate) slot: Arc<Slot>,
    random: Random,
    pub(crate) in_flight: InFlight<()>,
    /// What came out after all that is in flight, whose outcomes are to be taken first.
    later: Option<(Vec<u8>, ReadStep)>,
    /// There is nothing more to come.
    pub(crate) ended: bool,
    /// Everything was cancelled, which a task is told by its next read if it did not wait for one then.
    told_late: bool,
}

impl Reading {
    pub(crate) fn new(stream: Arc<Stream>, slot: Arc<Slot>, seed: u64) -> Self {
        let (random, in_flight) = (Random::new(seed), InFlight::default());
        Self { stream, slot, random, in_flight, later: None, ended: false, told_late: false }
    }

    pub(crate) fn submit(&mut self, count: usize, submit: impl Fn(Vec<u8>) -> Op<Vec<u8>>) {
        for _ in 0..count {
            let length = self.random.chunk().min(100_000);
            self.in_flight.push(submit(vec![0; length]), ());
        }
    }

    /// Everything in this direction was cancelled, or may have been.
    pub(crate) fn note_cancel(&mut self) {
        self.told_late = true;
        self.in_flight.note_cancel();
    }

    pub(crate) fn settle_op(&mut self, done: Done<()>, control: &Control) {
        self.settle(done.result, &done.bytes, ReadStep::Submit(1), done.cancelled || control.may_cancel());
    }

    pub(crate) fn settle(&mut self, result: io::Result<usize>, bytes: &[u8], how: ReadStep, may_be_cancelled: bool) {
        match result {
            Ok(0) => {
                self.stream.ended(how);
                self.ended = true;
            }
            Ok(count) => {
                self.stream.took(&bytes[..count], how);
                self.ended |= self.stream.trailer_is_out();
            }
            Err(error) => {
                let known = anonpipe::Error::of(&error).unwrap_or_else(|| panic!("not one of this crate's: {error:?}"));
                let timed_out = matches!(how, ReadStep::Timeout(..)) && error.kind() == io::ErrorKind::TimedOut;
                let cancelled = known.is_cancelled() && may_be_cancelled;
                assert!(timed_out || cancelled, "{how:?} failed: {error:?}");
                assert_eq!(known.transferred(), Some(0), "{how:?}: {error:?}");
                if timed_out { Tally::TimesUp.one() } else { Tally::ReadsCancelled.one() }
            }
        }
    }

    /// Notes the outcome of a read that is no operation, and so came after all that are in flight.
    async fn settle_direct(&mut self, result: io::Result<usize>, mut bytes: Vec<u8>, how: ReadStep, control: &Control) {
        let is_a_tasks = matches!(how, ReadStep::Task(..) | ReadStep::Glance(..));
        let late = is_a_tasks && std::mem::take(&mut self.told_late);
        match result {
            Ok(count) => {
                bytes.truncate(count);
                self.later = Some((bytes, how));
                self.settle_earlier(control).await;
            }
            failed => self.settle(failed, &bytes, how, control.may_cancel() || late),
        }
    }

    /// As [`settle_direct`](Self::settle_direct), for a task's read.
    pub(crate) async fn settle_tasks(
        &mut self,
        result: io::Result<usize>,
        bytes: Vec<u8>,
        family: Family,
        control: &Control,
    ) {
        let how = ReadStep::Task(family, bytes.len());
        self.settle_direct(result, bytes, how, control).await;
    }

    /// Takes the outcomes of what came before the last direct read; they are there, or will be in a moment.
    pub(crate) async fn settle_earlier(&mut self, control: &Control) {
        while self.later.is_some()
            && let Some(done) = self.in_flight.first().await
        {
            self.settle_op(done, control);
        }
        if let Some((bytes, how)) = self.later.take() {
            self.settle(Ok(bytes.len()), &bytes, how, false);
        }
    }

    /// Cancels what is in flight, and takes the outcomes.
    pub(crate) fn cancel_the_rest(&mut self) {
        self.slot.doing("cancels what is in flight");
        let control = Control::default();
        pollster::block_on(self.settle_earlier(&control));
        self.in_flight.cancel_each();
        self.take_the_rest();
    }

    /// Takes the outcomes of what was cancelled.
    pub(crate) fn take_the_rest(&mut self) {
        let control = Control::default();
        pollster::block_on(self.settle_earlier(&control));
        while let Some(done) = self.in_flight.wait() {
            self.settle_op(done, &control);
        }
    }

    /// Reads the end of file again, after it was seen, or once the peer has left.
    pub(crate) fn is_at_the_end(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) {
        self.slot.doing("waits for the end of file");
        for _ in 0..2 {
            let mut bytes = [0; 10];
            let count = read(&mut bytes).expect("the end of file");
            assert_eq!(count, 0, "after the last byte came {:?}", &bytes[..count]);
            self.stream.ended(ReadStep::Std(bytes.len()));
        }
    }
}

/// The actor, and the end that it reads.
#[derive(Debug)]
pub(crate) struct ReadingActor {
    pub(crate) reader: Reader<Overlapped>,
    pub(crate) reading: Reading,
    pub(crate) control: Arc<Control>,
    pub(crate) steps: usize,
}

impl ReadingActor {
    async fn step(&mut self, step: ReadStep) {
        let Self { reader, reading, control, .. } = self;
        match step {
            ReadStep::Submit(count) => reading.submit(count, |buffer| reader.submit_read(buffer)),
            ReadStep::Collect(how) => {
                if let Some(done) = reading.in_flight.collect(how).await {
                    reading.settle_op(done, control);
                }
            }
            ReadStep::Cancel(place) => reading.in_flight.cancel(place),
            ReadStep::CancelAll => {
                reader.cancel_all();
                reading.note_cancel();
            }
            ReadStep::Pause(time) => drop(smol::Timer::after(time).await),
            ReadStep::Clone => *reader = reader.try_clone().expect("a clone"),
            ReadStep::Look => {
                let _ = reader.bytes_available().expect("the number of bytes");
                let _ = (reader.info().expect("information"), format!("{reader:?}"));
            }
            ReadStep::Std(limit) | ReadStep::Vectored(limit) | ReadStep::Timeout(limit, _) => {
                let mut bytes = vec![0; limit];
                let result = read_blocking(reader, step, &mut bytes);
                reading.settle_direct(result, bytes, step, control).await;
            }
            ReadStep::Task(family, limit) => {
                let mut bytes = vec![0; limit];
                let result = family.read(reader, &mut bytes).await;
                reading.settle_direct(result, bytes, step, control).await;
            }
            ReadStep::Glance(family, limit, polls) => {
                let mut bytes = vec![0; limit];
                if let Some(result) = glance(polls, family.read(reader, &mut bytes)).await {
                    reading.settle_direct(result, bytes, step, control).await;
                }
            }
        }
    }
}

fn read_blocking(reader: &mut Reader<Overlapped>, step: ReadStep, bytes: &mut [u8]) -> io::Result<usize> {
    match step {
        ReadStep::Timeout(_, time) => reader.read_timeout(bytes, time),
        ReadStep::Vectored(_) => {
            let (one, other) = bytes.split_at_mut(bytes.len() / 3);
            reader.read_vectored(&mut [IoSliceMut::new(one), IoSliceMut::new(other)])
        }
        _ if bytes.len().is_multiple_of(2) => reader.read(bytes),
        _ => (&*reader).read(bytes),
    }
}

impl Actor for ReadingActor {
    async fn work(&mut self, blocking: bool) {
        self.reading.settle_earlier(&self.control).await;
        for _ in 0..self.steps {
            if self.reading.ended || self.control.is_stopped() {
                break;
            }
            let mut step = ReadStep::random(&mut self.reading.random, blocking);
            if step.waits_for_bytes() && !self.reading.in_flight.is_empty() && !self.reading.stream.is_one_way() {
                // They may have taken the last bytes, after which there is no end of file.
                step = ReadStep::Collect(Collect::Await);
            }
            self.reading.slot.doing(step);
            self.step(step).await;
        }
        self.reading.slot.doing("on its way home");
    }
}
