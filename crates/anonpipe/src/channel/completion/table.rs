//! The operations in flight in one half of an end.
//!
//! The kernel has the queue: first in, first out. This table only records what is in it. So an
//! operation and its buffer live until their completion was observed, a packet is matched with an
//! operation without trusting the packet's pointer, and no cancel is lost while the kernel does not
//! have the operation.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::pieces::Pieces;
use super::{Channel, Issuer, Slot, SlotId, System, Thread};
use crate::buffer::Loan;
use crate::channel::{InFlight, position_in};
use crate::contract::{Failure, Outcome, swallow_panic};
use crate::sync::{Clock, Condvar, Mutex, MutexGuard, lock};

type ThreadOf<S> = <<S as System>::Issuer as Issuer>::Thread;

/// One half of an end: the table, and the threads that wait for their turn in it.
pub(super) struct HalfTable<S: System> {
    table: Mutex<Table<S>>,
    turn: Condvar,
}

impl<S: System> Default for HalfTable<S> {
    fn default() -> Self {
        Self { table: Mutex::new(Table::default()), turn: Condvar::new() }
    }
}

impl<S: System> HalfTable<S> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Table<S>> {
        lock(&self.table)
    }

    /// Waits for a notification, at most until `deadline`.
    pub(super) fn wait<'a>(
        &'a self,
        table: MutexGuard<'a, Table<S>>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, Table<S>> {
        S::Clock::wait(&self.table, table, &self.turn, deadline)
    }

    /// It may be a waiting thread's turn, or a waiting thread was cancelled.
    pub(super) fn notify(&self, table: &mut Table<S>) {
        self.turn.notify_all();
        // Only threads that turn their driver meanwhile have wakers here: they are not a caller's.
        table.turning.drain(..).for_each(Waker::wake);
    }
}

/// First the entries that the kernel has, in its order; then the entries that wait to be issued, in
/// the order in which they came.
pub(super) struct Table<S: System> {
    entries: VecDeque<Entry<S>>,
    /// How many entries, at the back, wait: for another thread to issue them, for an entry before
    /// them, or for the kernel to have memory.
    waiting: usize,
    /// The kernel had no memory for the entry that is to be issued next, and has not completed
    /// anything since.
    without_memory: bool,
    /// Whether the driver's thread was told that an entry waits, and has not come yet.
    pub(super) driver_notified: bool,
    /// The wakers of threads that wait for their turn, and turn their driver meanwhile.
    pub(super) turning: Vec<Waker>,
}

pub(super) struct Entry<S: System> {
    what: What<S>,
    /// Whether the kernel has it, and will report its completion.
    issued: bool,
    /// The thread that issued it, if a packet is to report its completion.
    issued_by: ThreadOf<S>,
    /// Whether its cancellation was requested. The kernel can be asked only while it has the
    /// operation, so this is checked before each issue.
    cancelled: bool,
    /// If it is a write in pieces.
    pieces: Option<Pieces>,
    /// How many packets are still to come of earlier pieces, or of reads that met empty messages,
    /// which were seen to be over before. They have the same slot as what is issued next.
    late_packets: Cell<usize>,
}

enum What<S: System> {
    /// An operation owns the channel it runs on: closing the handle during the operation would look
    /// like the peer's end of file.
    Operation(Arc<dyn InFlight<S>>, Arc<Channel<S>>),
    /// The slot of a thread that blocks in `read` or `write`.
    Thread(SlotId),
}

impl<S: System> Entry<S> {
    fn new(what: What<S>) -> Self {
        Self {
            what,
            issued: false,
            issued_by: ThreadOf::<S>::default(),
            cancelled: false,
            pieces: None,
            late_packets: Cell::new(0),
        }
    }

    pub(super) fn operation(operation: Arc<dyn InFlight<S>>, owner: Arc<Channel<S>>) -> Self {
        Self::new(What::Operation(operation, owner))
    }

    pub(super) fn thread(id: SlotId) -> Self {
        Self::new(What::Thread(id))
    }

    pub(super) fn id(&self) -> SlotId {
        match &self.what {
            What::Operation(operation, _) => operation.loan().slot().id(),
            What::Thread(id) => *id,
        }
    }

    /// The operation, if the entry is one.
    pub(super) fn as_operation(&self) -> Option<&Arc<dyn InFlight<S>>> {
        match &self.what {
            What::Operation(operation, _) => Some(operation),
            What::Thread(_) => None,
        }
    }

    pub(super) fn is_issued(&self) -> bool {
        self.issued
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    pub(super) fn set_issued_by(&mut self, thread: ThreadOf<S>) {
        self.issued_by = thread;
    }

    pub(super) fn issuing_thread_has_ended(&self) -> bool {
        self.issued_by.has_ended()
    }

    /// It will be issued again, and the packet of what is over has not come.
    pub(super) fn expect_late_packet(&self) {
        self.late_packets.update(|count| count + 1);
    }

    /// Whether the packet that has come was expected late.
    pub(super) fn takes_late_packet(&self) -> bool {
        let count = self.late_packets.get();
        self.late_packets.set(count.saturating_sub(1));
        count > 0
    }

    pub(super) fn set_pieces(&mut self, pieces: Option<Pieces>) {
        self.pieces = pieces;
    }

    /// How many of its bytes are known to have gone.
    pub(super) fn done(&self) -> usize {
        self.pieces.as_ref().map_or(0, Pieces::done)
    }

    fn has_more(&self) -> bool {
        self.pieces.as_ref().is_some_and(Pieces::has_more)
    }

    /// The kernel is done with the operation, or with a piece of it. Returns the outcome, unless
    /// the next piece has to be issued.
    pub(super) fn settle(&mut self, outcome: Outcome) -> Option<Outcome> {
        let What::Operation(operation, _) = &self.what else { return Some(outcome) };
        let Some(pieces) = &mut self.pieces else { return Some(outcome) };
        pieces.settle(operation.loan(), outcome, self.cancelled)
    }

    /// Requests its cancellation. Returns whether the kernel has to be asked.
    pub(super) fn set_cancelled(&mut self) -> bool {
        self.cancelled = true;
        self.issued
    }
}

/// An operation that is over, and out of its table.
pub(super) struct Ended<S: System> {
    operation: Arc<dyn InFlight<S>>,
    outcome: Outcome,
}

impl<S: System> Ended<S> {
    /// The operation was ended by this crate, and not by the caller, because of `error`.
    pub(super) fn because_of(self, error: io::Error) -> Self {
        let outcome = match self.outcome {
            Err(Failure::Cancelled { transferred }) => Err(Failure::os(error, transferred)),
            outcome => outcome,
        };
        Self { outcome, ..self }
    }

    /// Tells the caller the outcome. This runs the caller's code. So no lock is held, and no share
    /// of the channel: a caller who takes the handle out then must be the last owner.
    pub(super) fn tell(self) {
        let outer = TELLS_HERE.replace(true);
        swallow_panic(|| {
            self.operation.complete(self.outcome);
            drop(self.operation);
        });
        TELLS_HERE.set(outer);
    }
}

thread_local! {
    static TELLS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs the code of a caller who is told an outcome. Until it returns, this
/// thread may be the only one that could observe other operations.
pub(super) fn tells_here() -> bool {
    // The threads of a model of all interleavings share this.
    !cfg!(loom) && TELLS_HERE.get()
}

impl<S: System> Default for Table<S> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            waiting: 0,
            without_memory: false,
            driver_notified: false,
            turning: Vec::new(),
        }
    }
}

impl<S: System> Table<S> {
    /// Adds an entry. It waits to be issued if it `waits` for another thread, if other entries
    /// wait, or if the entry before it has more pieces. Returns whether it does.
    pub(super) fn push(&mut self, entry: Entry<S>, waits: bool) -> bool {
        let waits = waits || self.waiting > 0 || self.is_held_up();
        self.waiting += usize::from(waits);
        self.entries.push_back(entry);
        waits
    }

    /// Where the waiting entries begin.
    fn first_waiting(&self) -> usize {
        self.entries.len() - self.waiting
    }

    /// Whether the kernel has an entry.
    pub(super) fn has_issued(&self) -> bool {
        self.entries.iter().any(Entry::is_issued)
    }

    /// Whether nothing may be issued before the kernel completes something: the entry that it got
    /// last has more pieces, or it has no memory for the next.
    fn is_held_up(&self) -> bool {
        self.before_waiting().is_some_and(|last| self.without_memory || last.has_more())
    }

    fn before_waiting(&self) -> Option<&Entry<S>> {
        self.entries.get(self.first_waiting().checked_sub(1)?)
    }

    /// The entry that the kernel got last.
    pub(super) fn last_issued(&self) -> Option<SlotId> {
        self.before_waiting().map(Entry::id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry with this slot.
    pub(super) fn find(&mut self, id: SlotId) -> Option<&mut Entry<S>> {
        let position = self.position_of(id)?;
        self.entries.get_mut(position)
    }

    /// Whether the end of the entry with this slot was asked for.
    pub(super) fn is_cancelled(&self, id: SlotId) -> bool {
        self.position_of(id).is_some_and(|position| self.entries[position].cancelled)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<S>> {
        self.entries.iter_mut()
    }

    /// The waiting entries, in their order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Entry<S>> {
        self.entries.range(self.first_waiting()..)
    }

    /// The waiting entry that may be issued now.
    pub(super) fn next_to_issue(&self) -> Option<&Entry<S>> {
        self.waiting().next().filter(|_| !self.is_held_up())
    }

    /// Whether it may be issued now: no waiting entry is before it, and nothing holds it up.
    pub(super) fn is_next(&self, id: SlotId) -> bool {
        let first = self.first_waiting();
        self.position_of(id).is_none_or(|position| position < first || (position == first && !self.is_held_up()))
    }

    pub(super) fn is_waiting(&self, id: SlotId) -> bool {
        self.position_of(id).is_some_and(|position| self.waits(position))
    }

    /// The kernel has the entry now. If it waited, it was the next.
    pub(super) fn set_issued(&mut self, id: SlotId) {
        let Some(position) = self.position_of(id) else { return };
        self.waiting -= usize::from(self.waits(position));
        self.entries[position].issued = true;
    }

    /// The kernel does not have the entry, of which more pieces are to be issued: it is the next.
    pub(super) fn pause(&mut self, id: SlotId) {
        let Some(position) = self.position_of(id) else { return };
        if !self.waits(position) {
            debug_assert_eq!(position + 1, self.first_waiting(), "something was issued between two pieces");
            self.waiting += 1;
        }
        self.entries[position].issued = false;
        self.without_memory = false;
    }

    /// The kernel has no memory for the entry, which is the next, until it has completed something.
    pub(super) fn wait_for_memory(&mut self, id: SlotId) {
        self.pause(id);
        self.without_memory = true;
    }

    /// The kernel was done at once with the entry, or with a piece of it; see [`Entry::settle`].
    pub(super) fn settle(&mut self, id: SlotId, loan: &Loan<S::Slot>, outcome: Outcome) -> Option<Outcome> {
        let Some(entry) = self.find(id) else { return Some(outcome) };
        let Some(pieces) = &mut entry.pieces else { return Some(outcome) };
        pieces.settle(loan, outcome, entry.cancelled)
    }

    pub(super) fn remove(&mut self, id: SlotId) -> Option<Entry<S>> {
        let position = self.position_of(id)?;
        self.waiting -= usize::from(self.waits(position));
        self.without_memory = false;
        self.entries.remove(position)
    }

    /// Takes out an operation that is over.
    pub(super) fn end(&mut self, id: SlotId, outcome: Outcome) -> Option<Ended<S>> {
        match self.remove(id)?.what {
            What::Operation(operation, owner) => {
                // The caller has a share of the channel, too, so nothing is closed here.
                drop(owner);
                Some(Ended { operation, outcome })
            }
            What::Thread(_) => None,
        }
    }

    /// Takes out the operations that wait, and ends them.
    pub(super) fn end_waiting(&mut self, outcome: impl Fn(usize) -> Outcome) -> Vec<Ended<S>> {
        let waiting = self.entries.split_off(self.first_waiting());
        self.without_memory = false;
        let mut ended = Vec::new();
        for entry in waiting {
            let outcome = outcome(entry.done());
            match entry.what {
                What::Operation(operation, _) => ended.push(Ended { operation, outcome }),
                What::Thread(_) => self.entries.push_back(entry),
            }
        }
        self.waiting -= ended.len();
        ended
    }

    /// The entry has met an empty message: the kernel no longer has it. It will be issued again,
    /// behind the others.
    pub(super) fn send_to_the_back(&mut self, id: SlotId, waits: bool) {
        if let Some(mut entry) = self.remove(id) {
            entry.issued = false;
            self.push(entry, waits);
        }
    }

    fn position_of(&self, id: SlotId) -> Option<usize> {
        position_in(&self.entries, |entry| entry.id() == id)
    }

    fn waits(&self, position: usize) -> bool {
        position >= self.first_waiting()
    }
}
