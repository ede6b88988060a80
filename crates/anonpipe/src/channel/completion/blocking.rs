//! Reads and writes that block the caller: an event of the issuing thread, no port, no other
//! thread.

use std::io::{self, IoSlice, IoSliceMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::table::Entry;
use super::{Answer, Channel, Event, Issuer, Slot, System};
use crate::buffer::Borrowed;
use crate::contract::{Failure, Half, Outcome};

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
    let most = first.len().min(<S::Issuer as Issuer>::MOST_AT_ONCE);
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
    let most = first.len().min(<S::Issuer as Issuer>::MOST_AT_ONCE);
    block(channel, Half::Write, &Borrowed::to_write(&first[..most]), deadline)
}

fn block<S: System>(channel: &Arc<Channel<S>>, half: Half, bytes: &Borrowed<'_>, deadline: Option<Instant>) -> Outcome {
    let event = EventOf::<S>::of_this_thread()?;
    // Declared after the bytes, so that it is dropped before they are given back: a system may
    // check in this drop that it is done with them.
    let slot = S::Slot::default();
    let mut blocked = Blocked { channel, half, bytes, event: &event, slot: &slot, deadline, timed_out: false };
    channel.table(half).push(Entry::thread(slot.id()), false);
    let mut step = blocked.take_turn();
    let outcome = loop {
        step = match step {
            Step::Over(outcome) => break outcome,
            Step::AwaitTurn => {
                blocked.await_turn();
                blocked.take_turn()
            }
            Step::AwaitEvent { until } => match event.wait(until) {
                Ok(is_set) => blocked.go_on(is_set),
                Err(error) => unwaitable(&error),
            },
            Step::LetOthersRun => {
                std::thread::yield_now();
                blocked.take_turn()
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
    AwaitTurn,
    /// The kernel has the operation.
    AwaitEvent {
        until: Option<Instant>,
    },
    /// The read has met an empty message, and continues behind the others.
    LetOthersRun,
}

/// An operation of a thread that waits for it. No method waits, except for
/// [`await_turn`](Self::await_turn).
struct Blocked<'a, S: System> {
    channel: &'a Arc<Channel<S>>,
    half: Half,
    bytes: &'a Borrowed<'a>,
    event: &'a Rc<EventOf<S>>,
    slot: &'a S::Slot,
    deadline: Option<Instant>,
    /// The time was up, and the kernel was asked to end the operation.
    timed_out: bool,
}

impl<S: System> Blocked<'_, S> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= S::now())
    }

    /// Issues the operation, if it is its turn.
    fn take_turn(&mut self) -> Step {
        let id = self.slot.id();
        let mut table = self.channel.table(self.half);
        if table.find(id).is_some_and(|entry| entry.is_cancelled()) {
            return Step::Over(Err(Failure::Cancelled { transferred: Some(0) }));
        }
        if !table.is_next(id) {
            if self.is_late() {
                return Step::Over(Err(Failure::TimedOut { transferred: Some(0) }));
            }
            return Step::AwaitTurn;
        }
        match self.channel.issuer.issue(self.half, self.slot, self.bytes, Some(&**self.event), false) {
            Answer::Done(outcome) => Step::Over(outcome),
            Answer::Empty => {
                drop(table);
                self.go_behind()
            }
            Answer::Pending => {
                table.set_issued(id);
                self.channel.pass_on(self.half, table);
                Step::AwaitEvent { until: self.deadline }
            }
        }
    }

    /// The kernel has reported the outcome, or the time is up.
    fn go_on(&mut self, is_set: bool) -> Step {
        if !is_set {
            self.timed_out = true;
            self.channel.issuer.cancel(self.slot.id());
            // Wait for the result of the cancellation.
            return Step::AwaitEvent { until: None };
        }
        match self.channel.issuer.observe(self.half, self.slot, self.bytes) {
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
        table.send_to_the_back(self.slot.id(), false);
        self.channel.pass_on(self.half, table);
        Step::LetOthersRun
    }

    /// Waits until it may be this thread's turn, the operation was cancelled, or the time is up.
    fn await_turn(&self) {
        let id = self.slot.id();
        if self.channel.is_on_drivers_thread() {
            Channel::issue_waiting(Arc::clone(self.channel), self.half);
        }
        let mut table = self.channel.table(self.half);
        if table.is_next(id) || table.find(id).is_some_and(|entry| entry.is_cancelled()) {
            return;
        }
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(S::now()));
        drop(self.channel.line(self.half).wait(table, left));
    }

    fn end(&mut self) {
        let mut table = self.channel.table(self.half);
        table.remove(self.slot.id());
        self.channel.pass_on(self.half, table);
    }
}

/// The kernel writes to this thread's stack until the event is set, and there is no way to wait for
/// the event. Going on would be worse than ending the process. Seen only when the program closes a
/// handle that is not its own.
fn unwaitable(error: &io::Error) -> ! {
    eprintln!("anonpipe: cannot wait for an operation in flight: {error}");
    std::process::abort()
}
