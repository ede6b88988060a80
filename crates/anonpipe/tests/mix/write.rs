//! The actor that writes: in every way, to one end, and it alone.

use std::io::{IoSlice, Write};
use std::sync::Arc;

use anonpipe::{Overlapped, Writer};

use crate::control::{Actor, Control};
use crate::executors::Family;
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
    async fn step(&mut self, step: WriteStep) {
        let Self { writer, writing, control, .. } = self;
        match step {
            WriteStep::Submit(count) => writing.submit(count, |bytes| writer.submit_write(bytes)),
            WriteStep::Collect(how) => {
                if let Some(done) = writing.in_flight.collect(how).await {
                    writing.settle_op(done, control);
                }
            }
            WriteStep::Cancel(place) => writing.in_flight.cancel(place),
            WriteStep::Drop(place) => writing.drop_one(place),
            WriteStep::Detach => writing.detach(),
            WriteStep::CancelAll => {
                writer.cancel_all();
                writing.note_cancel();
            }
            WriteStep::Clone => {
                *writer = writer.try_clone().expect("a clone");
                writing.stream.nobody_is_told();
            }
            WriteStep::Look => {
                let _ = (writer.info().expect("information"), format!("{writer:?}"));
            }
            WriteStep::Flush => {
                let flushed = writer.flush();
                writing.settle_flush(flushed, control);
            }
            WriteStep::TaskFlush(family) => {
                let flushed = family.flush(writer).await;
                writing.settle_flush(flushed, control);
            }
            WriteStep::Std(length)
            | WriteStep::Vectored(length)
            | WriteStep::Timeout(length, _)
            | WriteStep::Task(_, length)
            | WriteStep::TaskVectored(_, length)
            | WriteStep::Glance(_, length, _) => {
                if let Some((number, bytes)) = writing.stream.next(length) {
                    self.write(step, number, &bytes).await;
                }
            }
        }
    }

    async fn write(&mut self, step: WriteStep, number: usize, bytes: &[u8]) {
        let Self { writer, writing, control, .. } = self;
        let (one, other) = bytes.split_at(bytes.len() / 3);
        let slices = [IoSlice::new(one), IoSlice::new(other)];
        let result = match step {
            WriteStep::Timeout(_, time) => writer.write_timeout(bytes, time),
            WriteStep::Vectored(_) => writer.write_vectored(&slices),
            WriteStep::Std(_) if bytes.len().is_multiple_of(2) => writer.write(bytes),
            WriteStep::Std(_) => (&*writer).write(bytes),
            tasks => {
                writing.unreported = Some(number);
                let result = match tasks {
                    WriteStep::Glance(family, _, polls) => glance(polls, family.write(writer, bytes)).await,
                    WriteStep::TaskVectored(Family::Tokio, _) => {
                        Some(tokio::io::AsyncWriteExt::write_vectored(writer, &slices).await)
                    }
                    WriteStep::TaskVectored(Family::Futures, _) => {
                        Some(futures::AsyncWriteExt::write_vectored(writer, &slices).await)
                    }
                    WriteStep::Task(family, _) => Some(family.write(writer, bytes).await),
                    _ => unreachable!("it writes nothing"),
                };
                return match result {
                    Some(result) => writing.settle_tasks(number, result, control),
                    None => writing.settle_unreported(),
                };
            }
        };
        if let Ok(count) = result {
            let whole = count == bytes.len() || matches!(step, WriteStep::Vectored(_)) && count > 0;
            assert!(whole, "{step:?} wrote {count} of {} bytes", bytes.len());
        }
        writing.settle(number, result, matches!(step, WriteStep::Timeout(..)), control.may_cancel());
    }

    async fn finish(&mut self) {
        let Self { writer, writing, control, .. } = self;
        writing.slot.doing("writes what is last");
        writing.submit_trailer(|bytes| writer.submit_write(bytes));
        while let Some(done) = writing.in_flight.first().await {
            writing.settle_op(done, control);
        }
    }
}

impl Actor for WritingActor {
    async fn work(&mut self, blocking: bool) {
        self.writing.settle_unreported();
        for _ in 0..self.steps {
            if self.writing.is_used_up() || self.control.is_stopped() {
                break;
            }
            let step = WriteStep::random(&mut self.writing.random, blocking);
            self.writing.slot.doing(step);
            self.step(step).await;
        }
        if self.finishes && self.writing.is_used_up() && !self.writing.broken {
            self.finish().await;
        }
        self.writing.slot.doing("on its way home");
    }
}
