//! The actor that reads and writes one duplex end at once, with operations in flight both ways.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anonpipe::{Duplex, Overlapped, wait_any};

use crate::control::{Actor, Control, Phase};
use crate::executors::Family;
use crate::inflight::glance;
use crate::reading::Reading;
use crate::steps::{BothStep, ReadStep};
use crate::test_data::Random;
use crate::writing::Writing;

/// How many operations it has in flight each way, at most.
const MOST: usize = 6;

/// The actor, and the end that it uses.
#[derive(Debug)]
pub(crate) struct BothActor {
    pub(crate) duplex: Duplex<Overlapped>,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    pub(crate) control: Arc<Control>,
    pub(crate) steps: usize,
    pub(crate) random: Random,
}

impl BothActor {
    /// What it brings home.
    pub(crate) fn unpack(self, phase: &Phase) -> (Duplex<Overlapped>, Reading, Writing) {
        let Self { duplex, mut reading, mut writing, .. } = self;
        if phase.control.may_cancel() {
            reading.note_cancel();
            writing.note_cancel();
        }
        (duplex, reading, writing)
    }

    /// None of its steps waits for one direction alone: the peer may wait for the other.
    async fn step(&mut self, step: BothStep, blocking: bool) {
        let Self { duplex, reading, writing, .. } = self;
        match step {
            BothStep::SubmitReads(count) => {
                reading
                    .submit(count.min(MOST - reading.in_flight.len().min(MOST)), |buffer| duplex.submit_read(buffer));
            }
            BothStep::SubmitWrites(count) => {
                writing.submit(count.min(MOST - writing.in_flight.len().min(MOST)), |bytes| duplex.submit_write(bytes));
            }
            BothStep::CancelRead(place) => reading.in_flight.cancel(place),
            BothStep::CancelWrite(place) => writing.in_flight.cancel(place),
            BothStep::DropWrite(place) => writing.drop_one(place),
            BothStep::DetachWrite => writing.detach(),
            BothStep::CancelAll => {
                reading.stream.cancels_reads();
                writing.stream.cancels_writes();
                duplex.cancel_all();
                reading.note_cancel();
                writing.note_cancel();
            }
            BothStep::Clone => {
                *duplex = duplex.try_clone().expect("a clone");
                writing.stream.going_in.nobody_is_told();
            }
            BothStep::Look => {
                let _ = (duplex.bytes_available().expect("the number of bytes"), duplex.info().expect("information"));
                let _ = format!("{duplex:?}");
            }
            BothStep::Glances(family, limit) => self.glances(family, limit).await,
            BothStep::Wait(time) => self.wait(if blocking { Some(time) } else { None }).await,
        }
    }

    async fn glances(&mut self, family: Family, limit: usize) {
        let Self { duplex, reading, writing, control, .. } = self;
        if let Some((turn, bytes)) = writing.stream.begin_write(limit)
            && let Some(result) = glance(2, family.write(duplex, &bytes)).await
        {
            writing.record_tasks(turn, result, control);
        }
        let mut bytes = vec![0; limit];
        let how = ReadStep::Glance(family, limit, 2);
        let turn = reading.stream.begin_read(how);
        if let Some(result) = glance(2, family.read(duplex, &mut bytes)).await {
            reading.record(turn.over(), result, bytes, how, control);
        }
    }

    /// Waits for something to be complete, either way: at most for `time`, blocking, or as a task.
    async fn wait(&mut self, time: Option<Duration>) {
        let Self { duplex, reading, writing, control, .. } = self;
        if reading.in_flight.is_empty() && !reading.ended() {
            reading.submit(1, |buffer| duplex.submit_read(buffer));
        }
        // The peer may wait for a byte of ours before it writes one.
        if writing.in_flight.is_empty() {
            writing.submit(1, |bytes| duplex.submit_write(bytes));
        }
        let Some(time) = time else {
            return poll_fn(|context| {
                if let Poll::Ready(done) = reading.in_flight.poll_first(context) {
                    reading.record_op(done, control);
                    return Poll::Ready(());
                }
                writing.in_flight.poll_first(context).map(|done| writing.record_op(done, control))
            })
            .await;
        };
        let ops: Vec<_> = reading.in_flight.ops().chain(writing.in_flight.ops()).collect();
        let _ = wait_any(&ops, Some(time));
        while let Some(done) = reading.in_flight.first_complete() {
            reading.record_op(done, control);
        }
        while let Some(done) = writing.in_flight.first_complete() {
            writing.record_op(done, control);
        }
    }
}

impl Actor for BothActor {
    async fn work(&mut self, blocking: bool) {
        for _ in 0..self.steps {
            if self.reading.ended() || self.writing.is_used_up() || self.control.is_stopped() {
                break;
            }
            let step = BothStep::random(&mut self.random);
            self.reading.slot.doing(step);
            self.step(step, blocking).await;
        }
    }
}
