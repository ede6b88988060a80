//! The actor that writes: in every way, to one end.

use std::io::{IoSlice, Write};
use std::sync::Arc;

use anonpipe::{Overlapped, Writer};

use crate::control::{Actor, Control, Phase};
use crate::executors::Family;
use crate::going_in::{May, WriteTurn};
use crate::inflight::glance;
use crate::steps::WriteStep;
use crate::writing::Writing;

/// The actor, and the end that it writes to.
#[derive(Debug)]
pub(crate) struct WritingActor {
    pub(crate) writer: Writer<Overlapped>,
    pub(crate) writing: Writing,
    pub(crate) control: Arc<Control>,
    pub(crate) steps: usize,
    /// Writes the trailer, too, when it comes to that.
    pub(crate) finishes: bool,
}

impl WritingActor {
    /// What it brings home.
    pub(crate) fn unpack(self, phase: &Phase) -> (Writer<Overlapped>, Writing) {
        let Self { writer, mut writing, .. } = self;
        if phase.control.may_cancel() {
            writing.note_cancel();
        }
        (writer, writing)
    }

    async fn step(&mut self, step: WriteStep) {
        let Self { writer, writing, control, .. } = self;
        match step {
            WriteStep::Submit(count) => writing.submit(count, |bytes| writer.submit_write(bytes)),
            WriteStep::Collect(how) => {
                if let Some(done) = writing.in_flight.collect(how).await {
                    writing.record_op(done, control);
                }
            }
            WriteStep::Cancel(place) => writing.in_flight.cancel(place),
            WriteStep::Drop(place) => writing.drop_one(place),
            WriteStep::Detach => writing.detach(),
            WriteStep::CancelAll => {
                writing.stream.cancels_writes();
                writer.cancel_all();
                writing.note_cancel();
            }
            WriteStep::Pause(time) => drop(smol::Timer::after(time).await),
            WriteStep::Clone => {
                *writer = writer.try_clone().expect("a clone");
                writing.stream.going_in.nobody_is_told();
            }
            WriteStep::Look => {
                let _ = (writer.info().expect("information"), format!("{writer:?}"));
            }
            WriteStep::Flush => {
                let flushed = writer.flush();
                writing.record_flush(flushed, control);
            }
            WriteStep::TaskFlush(family) => {
                let flushed = family.flush(writer).await;
                writing.record_flush(flushed, control);
            }
            WriteStep::Std(length) | WriteStep::Vectored(length) | WriteStep::Timeout(length, _) => {
                if let Some((turn, bytes)) = writing.stream.begin_write(length) {
                    self.write_blocking(step, turn, &bytes);
                }
            }
            WriteStep::Task(_, length) | WriteStep::TaskVectored(_, length) | WriteStep::Glance(_, length, _) => {
                if let Some((turn, bytes)) = writing.stream.begin_write(length) {
                    self.write_as_a_task(step, turn, &bytes).await;
                }
            }
        }
    }

    fn write_blocking(&mut self, step: WriteStep, turn: WriteTurn, bytes: &[u8]) {
        let Self { writer, writing, control, .. } = self;
        let result = match step {
            WriteStep::Timeout(_, time) => writer.write_timeout(bytes, time),
            WriteStep::Vectored(_) => {
                let (one, other) = bytes.split_at(bytes.len() / 3);
                writer.write_vectored(&[IoSlice::new(one), IoSlice::new(other)])
            }
            _ if bytes.len().is_multiple_of(2) => writer.write(bytes),
            _ => (&*writer).write(bytes),
        };
        if let Ok(count) = result {
            let whole = count == bytes.len() || matches!(step, WriteStep::Vectored(_)) && count > 0;
            assert!(whole, "{step:?} wrote {count} of {} bytes", bytes.len());
        }
        let may = May { time_out: matches!(step, WriteStep::Timeout(..)), be_cancelled: control.may_cancel() };
        writing.stream.record_written(turn.over(), result, may);
    }

    async fn write_as_a_task(&mut self, step: WriteStep, turn: WriteTurn, bytes: &[u8]) {
        let Self { writer, writing, control, .. } = self;
        let (one, other) = bytes.split_at(bytes.len() / 3);
        let slices = [IoSlice::new(one), IoSlice::new(other)];
        let result = match step {
            WriteStep::Glance(family, _, polls) => glance(polls, family.write(writer, bytes)).await,
            WriteStep::TaskVectored(Family::Tokio, _) => {
                Some(tokio::io::AsyncWriteExt::write_vectored(writer, &slices).await)
            }
            WriteStep::TaskVectored(Family::Futures, _) => {
                Some(futures::AsyncWriteExt::write_vectored(writer, &slices).await)
            }
            WriteStep::Task(family, _) => Some(family.write(writer, bytes).await),
            _ => unreachable!("it is no task's write"),
        };
        // Given up before it was reported, it has written nothing.
        if let Some(result) = result {
            writing.record_tasks(turn, result, control);
        }
    }

    async fn finish(&mut self) {
        let Self { writer, writing, control, .. } = self;
        writing.slot.doing("writes what is last");
        writing.submit_trailer(|bytes| writer.submit_write(bytes));
        while let Some(done) = writing.in_flight.first().await {
            writing.record_op(done, control);
        }
    }
}

impl Actor for WritingActor {
    async fn work(&mut self, blocking: bool) {
        for _ in 0..self.steps {
            if self.writing.is_used_up() || self.control.is_stopped() {
                break;
            }
            let step = WriteStep::random(&mut self.writing.random, blocking);
            self.writing.slot.doing(step);
            self.step(step).await;
        }
        if self.finishes && self.writing.is_used_up() && !self.writing.stream.is_broken() {
            self.finish().await;
        }
        self.writing.slot.doing("on its way home");
    }
}
