//! Reads and writes that block the caller: an event of the issuing thread, no port, no other
//! thread.

use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::table::{Entry, Table};
use super::{Answer, Channel, Event, Issuer, Slot, SlotId, System};
use crate::buffer::Borrowed;
use crate::contract::{Failure, Half, Outcome};
use crate::sync::Clock;

type EventOf<S> = <<S as System>::Issuer as Issuer>::Event;

/// Reads, blocking the caller until `deadline`. Pipes have no scattered reads, so only the first
/// non-empty buffer is filled.
pub(super) fn read<S: System>(
    channel: &Arc<Channel<S>>,
    buffers: &mut [IoSliceMut<'_>],
    deadline: Option<Instant>,
) -> Outcome {
    let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
    let first: &mut [u8] = first.map_or(&mut [], |buffer| &mut **buffer);
    let most = first.len().min(<S::Issuer as Issuer>::MAX_TRANSFER);
    block(channel, Half::Read, &Borrowed::to_read(&mut first[..most]), deadline)
}

/// Writes, blocking the caller until `deadline`. Pipes have no gathered writes, so only the first
/// non-empty buffer is written.
pub(super) fn write<S: System>(
    channel: &Arc<Channel<S>>,
    buffers: &[IoSlice<'_>],
    deadline: Option<Instant>,
) -> Outcome {
    let first: &[u8] = buffers.iter().find(|buffer| !buffer.is_empty()).map_or(&[], |buffer| &**buffer);
    let most = first.len().min(<S::Issuer as Issuer>::MAX_TRANSFER);
    block(channel, Half::Write, &Borrowed::to_write(&first[..most]), deadline)
}

fn block<S: System>(
    channel: &Arc<Channel<S>>,
    half: Half,
    loan: &Borrowed<'_, S::Slot>,
    deadline: Option<Instant>,
) -> Outcome {
    let event = EventOf::<S>::of_this_thread()?;
    let id = loan.slot().id();
    let mut blocked = Blocked { channel, half, loan, id, event: &event, deadline, timed_out: false };
    channel.table(half).push(Entry::thread(id), false);
    let mut step = blocked.issue_if_next();
    let outcome = loop {
        step = match step {
            Step::Over(outcome) => break outcome,
            Step::AwaitPlace => {
                blocked.await_place();
                blocked.issue_if_next()
            }
            Step::AwaitEvent { until } => {
                let is_set = event.wait(until);
                blocked.after_event(is_set)
            }
            Step::LetOthersRun => {
                S::Clock::pause(Duration::ZERO);
                blocked.issue_if_next()
            }
        };
    };
    blocked.end();
    outcome
}

/// The next step of a blocked thread.
enum Step {
    Over(Outcome),
    /// An earlier operation is not issued yet. This does not last long: the driver issues it.
    AwaitPlace,
    /// The kernel has the operation.
    AwaitEvent {
        until: Option<Instant>,
    },
    /// The read has met an empty message, and continues behind the others.
    LetOthersRun,
}

/// An operation of a thread that waits for it. Of its methods only
/// [`await_place`](Self::await_place) waits.
struct Blocked<'a, S: System> {
    channel: &'a Arc<Channel<S>>,
    half: Half,
    loan: &'a Borrowed<'a, S::Slot>,
    id: SlotId,
    event: &'a Rc<EventOf<S>>,
    deadline: Option<Instant>,
    /// The time was up, and the kernel was asked to end the operation.
    timed_out: bool,
}

impl<S: System> Blocked<'_, S> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= S::now())
    }

    /// Whether earlier operations are not issued yet, and this one was not cancelled.
    fn has_to_wait(&self, table: &Table<S>) -> bool {
        !table.is_next(self.id) && !table.is_cancelled(self.id)
    }

    /// Waits until earlier operations are issued, this one was cancelled, or the time is up.
    fn await_place(&self) {
        let line = self.channel.line(self.half);
        let table = line.lock();
        if self.has_to_wait(&table) {
            drop(line.wait(table, self.deadline));
        }
    }

    /// Issues the operation, if no earlier one waits.
    fn issue_if_next(&mut self) -> Step {
        let mut table = self.channel.table(self.half);
        if self.has_to_wait(&table) && self.channel.is_on_drivers_thread() {
            drop(table);
            Channel::issue_waiting(Arc::clone(self.channel), self.half);
            table = self.channel.table(self.half);
        }
        if table.is_cancelled(self.id) {
            return Step::Over(Err(Failure::Cancelled { transferred: Some(0) }));
        }
        if !table.is_next(self.id) {
            let late = Step::Over(Err(Failure::TimedOut { transferred: Some(0) }));
            return if self.is_late() { late } else { Step::AwaitPlace };
        }
        match self.channel.issuer.issue(self.half, self.loan, Some(&**self.event), false) {
            Answer::Done(outcome) => Step::Over(outcome),
            Answer::Empty => {
                drop(table);
                self.go_behind()
            }
            Answer::Pending => {
                table.set_issued(self.id);
                self.channel.pass_on(self.half, table);
                Step::AwaitEvent { until: self.deadline }
            }
        }
    }

    /// The kernel has reported the outcome, or the time is up.
    fn after_event(&mut self, is_set: bool) -> Step {
        if !is_set {
            self.timed_out = true;
            self.channel.issuer.cancel(self.id);
            // Wait for the result of the cancellation.
            return Step::AwaitEvent { until: None };
        }
        match self.channel.issuer.observe(self.half, self.loan) {
            Answer::Done(Err(Failure::Cancelled { transferred })) if self.timed_out => {
                Step::Over(Err(Failure::TimedOut { transferred }))
            }
            Answer::Done(outcome) => Step::Over(outcome),
            Answer::Empty => self.go_behind(),
            // The event was set for an earlier operation, not for this one.
            Answer::Pending => Step::AwaitEvent { until: self.deadline.filter(|_| !self.timed_out) },
        }
    }

    /// The read has met an empty message of a peer that writes messages. It still notices a
    /// cancellation, even if the peer writes nothing else.
    fn go_behind(&mut self) -> Step {
        if self.timed_out || self.is_late() {
            return Step::Over(Err(Failure::TimedOut { transferred: Some(0) }));
        }
        let mut table = self.channel.table(self.half);
        table.send_to_the_back(self.id, false);
        self.channel.pass_on(self.half, table);
        Step::LetOthersRun
    }

    fn end(self) {
        let mut table = self.channel.table(self.half);
        table.remove(self.id);
        self.channel.pass_on(self.half, table);
    }
}
