//! The actor that reads: in every way, from one end.

use std::io::{self, IoSliceMut, Read};
use std::sync::Arc;

use anonpipe::{Overlapped, Reader};

use crate::control::{Actor, Control, Phase};
use crate::inflight::glance;
use crate::reading::Reading;
use crate::steps::{Collect, ReadStep};

/// The actor, and the end that it reads.
#[derive(Debug)]
pub(crate) struct ReadingActor {
    pub(crate) reader: Reader<Overlapped>,
    pub(crate) reading: Reading,
    pub(crate) control: Arc<Control>,
    pub(crate) steps: usize,
}

impl ReadingActor {
    /// What it brings home.
    pub(crate) fn unpack(self, phase: &Phase) -> (Reader<Overlapped>, Reading) {
        let Self { reader, mut reading, .. } = self;
        if phase.control.may_cancel() {
            reading.note_cancel();
        }
        (reader, reading)
    }

    async fn step(&mut self, step: ReadStep) {
        let Self { reader, reading, control, .. } = self;
        match step {
            ReadStep::Submit(count) => reading.submit(count, |buffer| reader.submit_read(buffer)),
            ReadStep::Collect(how) => {
                if let Some(done) = reading.in_flight.collect(how).await {
                    reading.record_op(done, control);
                }
            }
            ReadStep::Cancel(place) => reading.in_flight.cancel(place),
            ReadStep::CancelAll => {
                reading.stream.cancels_reads();
                reader.cancel_all();
                reading.note_cancel();
            }
            ReadStep::Pause(time) => drop(smol::Timer::after(time).await),
            ReadStep::Clone => *reader = reader.try_clone().expect("a clone"),
            ReadStep::Look => {
                let _ = reader.bytes_available().expect("the number of bytes");
                let _ = (reader.info().expect("information"), format!("{reader:?}"));
            }
            ReadStep::Std(limit)
            | ReadStep::Vectored(limit)
            | ReadStep::Timeout(limit, _)
            | ReadStep::Task(_, limit)
            | ReadStep::Glance(_, limit, _) => {
                let mut bytes = vec![0; limit];
                let turn = reading.stream.begin_read(step);
                let result = match step {
                    ReadStep::Task(family, _) => Some(family.read(reader, &mut bytes).await),
                    ReadStep::Glance(family, _, polls) => glance(polls, family.read(reader, &mut bytes)).await,
                    _ => Some(read_blocking(reader, step, &mut bytes)),
                };
                // Given up, it took nothing.
                if let Some(result) = result {
                    reading.record(turn.over(), result, bytes, step, control);
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
        for _ in 0..self.steps {
            if self.reading.ended() || self.control.is_stopped() {
                break;
            }
            let mut step = ReadStep::random(&mut self.reading.random, blocking);
            if step.waits_for_bytes() && !self.reading.in_flight.is_empty() && !self.reading.stream.is_one_way {
                // They may have taken the last bytes, after which there is no end of file.
                step = ReadStep::Collect(Collect::Await);
            }
            self.reading.slot.doing(step);
            self.step(step).await;
        }
        self.reading.slot.doing("on its way home");
    }
}
