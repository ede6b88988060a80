//! Reads and writes that block the caller: an event of the issuing thread, no port, no other
//! thread.

use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::binding::Route;
use super::issue::Attempt;
use super::table::{Entry, Table, tells_here};
use super::{Answer, Channel, Event, Issuer, Slot, SlotId, System};
use crate::buffer::Borrowed;
use crate::channel::{DriverShare as _, Request};
use crate::contract::{Failure, Half, Outcome};
use crate::sync::{Clock, MutexGuard};

/// How often a thread looks for what no one can tell it.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

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
    let length = first.len();
    block(channel, Request { half: Half::Read, length }, &Borrowed::to_read(first), deadline)
}

/// Writes, blocking the caller until `deadline`. Pipes have no gathered writes, so only the first
/// non-empty buffer is written.
pub(super) fn write<S: System>(
    channel: &Arc<Channel<S>>,
    buffers: &[IoSlice<'_>],
    deadline: Option<Instant>,
) -> Outcome {
    let first: &[u8] = buffers.iter().find(|buffer| !buffer.is_empty()).map_or(&[], |buffer| &**buffer);
    block(channel, Request { half: Half::Write, length: first.len() }, &Borrowed::to_write(first), deadline)
}

fn block<S: System>(
    channel: &Arc<Channel<S>>,
    request: Request,
    loan: &Borrowed<'_, S::Slot>,
    deadline: Option<Instant>,
) -> Outcome {
    let half = request.half;
    let event = EventOf::<S>::of_this_thread()?;
    let id = loan.slot().id();
    let pieces = channel.fit(request, loan)?;
    let in_pieces = pieces.is_some();
    let timed_out = false;
    let mut blocked =
        Blocked { channel, half, loan, id, event: &event, deadline, timed_out, in_pieces, had_no_time: false };
    blocked.had_no_time = blocked.is_late();
    let mut entry = Entry::thread(id);
    entry.set_pieces(pieces);
    // In one go with its first issue: between the two nothing else may be issued.
    let mut table = channel.table(half);
    table.push(entry, false);
    let mut step = blocked.issue_if_next(table);
    let outcome = loop {
        step = match step {
            Step::Over(outcome) => break outcome,
            Step::AwaitPlace => {
                blocked.await_place();
                blocked.issue_if_next(channel.table(half))
            }
            Step::AwaitEvent { until } => {
                let is_set = event.wait(until);
                blocked.after_event(is_set)
            }
            Step::NextPiece => blocked.issue_if_next(channel.table(half)),
            Step::LetOthersRun => {
                S::Clock::pause(Duration::ZERO);
                blocked.issue_if_next(channel.table(half))
            }
        };
    };
    blocked.end();
    outcome
}

/// The next step of a blocked thread.
enum Step {
    Over(Outcome),
    /// An earlier operation is not issued yet. This does not last long, unless that is a write in
    /// pieces, or the kernel has no memory.
    AwaitPlace,
    /// The kernel has the operation.
    AwaitEvent {
        until: Option<Instant>,
    },
    /// A piece of the write went, or has to be smaller.
    NextPiece,
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
    in_pieces: bool,
    /// It was late when it began: it transfers what can be transferred without a wait, however many
    /// pieces that is.
    had_no_time: bool,
}

impl<'a, S: System> Blocked<'a, S> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= S::now())
    }

    /// Whether earlier operations are not issued yet, and this one was not cancelled.
    fn has_to_wait(&self, table: &Table<S>) -> bool {
        !table.is_next(self.id) && !table.is_cancelled(self.id)
    }

    /// Waits until earlier operations are issued, this one was cancelled, or the time is up.
    ///
    /// That may take as long as an earlier write has pieces, which the driver of the end issues. If
    /// the caller has to turn that driver, no other thread may be there to do it.
    fn await_place(&self) {
        let line = self.channel.line(self.half);
        if tells_here() {
            // A waker blocks here, though it should not.
            self.channel.look_at_last_issued(self.half);
            return S::Clock::pause(LOOK_AGAIN);
        }
        let is_bound = matches!(self.channel.known_route(), Route::Port { .. });
        let Some(driver) = self.channel.attachment.get().filter(|_| is_bound) else {
            let table = line.lock();
            if self.has_to_wait(&table) {
                drop(line.wait(table, self.deadline));
            }
            return;
        };
        let mut waker = None;
        let poll = |new: &Waker| {
            let mut table = line.lock();
            if !self.has_to_wait(&table) {
                return Poll::Ready(());
            }
            table.turning.push(waker.insert(new.clone()).clone());
            Poll::Pending
        };
        driver.run_until(poll, self.deadline);
        if let Some(waker) = waker {
            line.lock().turning.retain(|other| !other.will_wake(&waker));
        }
    }

    /// Issues the operation, if no earlier one waits.
    fn issue_if_next(&mut self, mut table: MutexGuard<'a, Table<S>>) -> Step {
        if self.has_to_wait(&table) {
            table = self.issue_what_waits(table);
        }
        let transferred = table.find(self.id).map(|entry| entry.done());
        if table.is_cancelled(self.id) {
            return Step::Over(Err(Failure::Cancelled { transferred }));
        }
        if !table.is_next(self.id) {
            let late = Step::Over(Err(Failure::TimedOut { transferred }));
            return if self.is_late() { late } else { Step::AwaitPlace };
        }
        match self.channel.attempt(self.half, &mut table, self.id, self.loan, Some(&**self.event), false) {
            Attempt::Over(outcome) => Step::Over(outcome),
            Attempt::Empty => {
                drop(table);
                self.go_behind()
            }
            Attempt::Pending => {
                self.channel.pass_on(self.half, table);
                Step::AwaitEvent { until: self.deadline }
            }
            Attempt::Again => {
                self.in_pieces = true;
                table.pause(self.id);
                self.next_piece(&mut table)
            }
            Attempt::Later => {
                self.had_no_time = false;
                table.wait_for_memory(self.id);
                Step::AwaitPlace
            }
        }
    }

    /// Issues earlier operations that may be issued now, where this thread may do that.
    fn issue_what_waits(&self, table: MutexGuard<'a, Table<S>>) -> MutexGuard<'a, Table<S>> {
        let is_free = matches!(self.channel.known_route(), Route::Port { .. });
        if !is_free && !self.channel.is_on_drivers_thread() {
            return table;
        }
        drop(table);
        Channel::issue_waiting(Arc::clone(self.channel), self.half, None);
        self.channel.table(self.half)
    }

    /// A piece is over, and the next one is not issued yet.
    fn next_piece(&self, table: &mut Table<S>) -> Step {
        if !self.timed_out && (self.had_no_time || !self.is_late()) {
            return Step::NextPiece;
        }
        let transferred = table.find(self.id).map(|entry| entry.done());
        Step::Over(Err(Failure::TimedOut { transferred }))
    }

    /// The kernel has reported the outcome, or the time is up.
    fn after_event(&mut self, is_set: bool) -> Step {
        self.had_no_time = false;
        if !is_set {
            self.timed_out = true;
            self.channel.issuer.cancel(self.id);
            // Wait for the result of the cancellation.
            return Step::AwaitEvent { until: None };
        }
        let outcome = match self.channel.issuer.observe(self.half, self.loan) {
            Answer::Done(outcome) => outcome,
            Answer::NoResources(failure) => Err(failure),
            Answer::Empty => return self.go_behind(),
            // The event was set for an earlier operation, not for this one.
            Answer::Pending => return Step::AwaitEvent { until: self.deadline.filter(|_| !self.timed_out) },
        };
        let outcome = if self.in_pieces {
            let mut table = self.channel.table(self.half);
            let Some(outcome) = table.settle(self.id, self.loan, outcome) else {
                table.pause(self.id);
                return self.next_piece(&mut table);
            };
            outcome
        } else {
            outcome
        };
        Step::Over(match outcome {
            Err(Failure::Cancelled { transferred }) if self.timed_out => Err(Failure::TimedOut { transferred }),
            outcome => outcome,
        })
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
