//! What is in flight in one half of an end.
//!
//! The kernel has the queue: first in, first out. This table only says what is in it, so that an
//! operation and its buffer live until their completion was observed, a packet is matched with an
//! operation without trusting its pointer, and no cancel is lost while an operation is not with the
//! kernel.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Channel, Issuer, Slot, SlotId, System, Thread};
use crate::channel::{InFlight, place_in};
use crate::contract::{Outcome, caught};

type ThreadOf<S> = <<S as System>::Issuer as Issuer>::Thread;

/// One half of an end: the table, and the threads that wait for their turn in it.
pub(super) struct Line<S: System> {
    table: Mutex<Table<S>>,
    turn: Condvar,
}

impl<S: System> Default for Line<S> {
    fn default() -> Self {
        Self { table: Mutex::default(), turn: Condvar::new() }
    }
}

impl<S: System> Line<S> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Table<S>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits to be notified, at most as long as `limit`.
    pub(super) fn wait<'a>(
        &self,
        table: MutexGuard<'a, Table<S>>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, Table<S>> {
        match limit {
            None => self.turn.wait(table).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.turn.wait_timeout(table, limit).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// It may be a waiting thread's turn, or it was cancelled.
    pub(super) fn notify(&self) {
        self.turn.notify_all();
    }
}

/// The kernel's part of it, in its order, and then what waits to be issued, in the order in which
/// it came.
pub(super) struct Table<S: System> {
    entries: VecDeque<Entry<S>>,
    /// How many wait, at the back, for another thread to issue them or what is before them. Only
    /// where operations go through events are there any.
    waiting: usize,
    /// The driver's thread was told that something waits, and has not come yet.
    pub(super) told: bool,
}

pub(super) struct Entry<S: System> {
    what: What<S>,
    /// The kernel has it, and will say when it is complete.
    issued: bool,
    /// The thread that issued it, if it is to be told by a packet.
    issued_by: ThreadOf<S>,
    /// Its end was asked for. The kernel can be told only while it has the operation: before it is
    /// issued, and issued again, this is looked at.
    cancelled: bool,
}

enum What<S: System> {
    /// An operation owns the channel it runs on: closing the handle under it would look like the
    /// peer's end of file.
    Operation(Arc<dyn InFlight<S>>, Arc<Channel<S>>),
    /// The slot of a thread that blocks in `read` or `write`.
    Thread(SlotId),
}

impl<S: System> Entry<S> {
    fn new(what: What<S>) -> Self {
        Self { what, issued: false, issued_by: ThreadOf::<S>::default(), cancelled: false }
    }

    pub(super) fn operation(operation: Arc<dyn InFlight<S>>, owner: Arc<Channel<S>>) -> Self {
        Self::new(What::Operation(operation, owner))
    }

    pub(super) fn thread(id: SlotId) -> Self {
        Self::new(What::Thread(id))
    }

    pub(super) fn id(&self) -> SlotId {
        match &self.what {
            What::Operation(operation, _) => operation.request().slot.id(),
            What::Thread(id) => *id,
        }
    }

    /// The operation, if it is one.
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

    /// Asks for its end. Returns whether the kernel has to be told.
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
    /// Tells the caller who waits for it. This runs the caller's code, so no lock is held, and no
    /// share of the channel: the caller may want to take the handle out, and must be the last owner
    /// then.
    pub(super) fn tell(self) {
        caught(|| {
            self.operation.complete(self.outcome);
            drop(self.operation);
        });
    }
}

impl<S: System> Default for Table<S> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), waiting: 0, told: false }
    }
}

impl<S: System> Table<S> {
    /// Adds what `waits` for another thread to issue it, or to what waits.
    pub(super) fn push(&mut self, entry: Entry<S>, waits: bool) {
        self.waiting += usize::from(waits || self.waiting > 0);
        self.entries.push_back(entry);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry whose slot that is.
    pub(super) fn find(&mut self, id: SlotId) -> Option<&mut Entry<S>> {
        let place = self.place_of(id)?;
        self.entries.get_mut(place)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<S>> {
        self.entries.iter_mut()
    }

    /// What waits, in its order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Entry<S>> {
        self.entries.range(self.entries.len() - self.waiting..)
    }

    /// What is to be issued next of what waits.
    pub(super) fn next_waiting(&self) -> Option<&Entry<S>> {
        self.waiting().next()
    }

    /// Whether nothing that waits is before it.
    pub(super) fn is_next(&self, id: SlotId) -> bool {
        self.place_of(id).is_none_or(|place| place <= self.entries.len() - self.waiting)
    }

    /// The kernel has it now. If it waited, it was the next.
    pub(super) fn set_issued(&mut self, id: SlotId) {
        let Some(place) = self.place_of(id) else { return };
        self.waiting -= usize::from(self.waits(place));
        self.entries[place].issued = true;
    }

    pub(super) fn remove(&mut self, id: SlotId) -> Option<Entry<S>> {
        let place = self.place_of(id)?;
        self.waiting -= usize::from(self.waits(place));
        self.entries.remove(place)
    }

    /// Takes out an operation that is over.
    pub(super) fn end(&mut self, id: SlotId, outcome: Outcome) -> Option<Ended<S>> {
        match self.remove(id)?.what {
            What::Operation(operation, owner) => {
                // Not the last share, so nothing is closed here: the caller has one, too.
                drop(owner);
                Some(Ended { operation, outcome })
            }
            What::Thread(_) => None,
        }
    }

    /// It has met an empty message: the kernel has it no more, and behind the others it is issued
    /// again.
    pub(super) fn send_to_the_back(&mut self, id: SlotId, waits: bool) {
        if let Some(mut entry) = self.remove(id) {
            entry.issued = false;
            self.push(entry, waits);
        }
    }

    fn place_of(&self, id: SlotId) -> Option<usize> {
        place_in(&self.entries, |entry| entry.id() == id)
    }

    fn waits(&self, place: usize) -> bool {
        place >= self.entries.len() - self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::SlotId;
    use crate::sim::completion::Sim;

    type Entry = super::Entry<Sim>;
    type Table = super::Table<Sim>;

    fn entry(number: usize) -> Entry {
        Entry::thread(SlotId(number))
    }

    fn numbers<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<usize> {
        entries.map(|entry| entry.id().0).collect()
    }

    #[test]
    fn what_comes_later_waits_behind_what_waits() {
        let at = SlotId;
        let mut table = Table::default();
        table.push(entry(1), false);
        table.set_issued(at(1));
        assert!(table.next_waiting().is_none());
        table.push(entry(2), true);
        table.push(entry(3), false);
        table.push(entry(4), true);
        assert_eq!(numbers(table.waiting()), [2, 3, 4]);
        assert_eq!([1, 2, 3, 4].map(|number| table.is_next(at(number))), [true, true, false, false]);
        table.set_issued(at(2));
        assert!(table.is_next(at(3)) && !table.is_next(at(4)));
        // One that is taken out from the middle, of what waits and of what is issued.
        table.remove(at(3));
        table.remove(at(1));
        assert_eq!(numbers(table.waiting()), [4]);
        assert_eq!(numbers(table.iter_mut().map(|entry| &*entry)), [2, 4]);
        // One that goes to the back waits there, as long as something does.
        table.send_to_the_back(at(2), false);
        assert_eq!(numbers(table.waiting()), [4, 2]);
        assert!(table.find(at(2)).is_some_and(|entry| !entry.is_issued()));
        table.remove(at(4));
        table.set_issued(at(2));
        table.send_to_the_back(at(2), false);
        assert!(table.next_waiting().is_none() && table.is_next(at(2)));
        table.send_to_the_back(at(2), true);
        assert_eq!(numbers(table.waiting()), [2]);
        assert!(table.remove(at(2)).is_some() && table.remove(at(2)).is_none());
        assert_eq!((table.len(), table.waiting().len()), (0, 0));
    }

    #[test]
    fn a_cancel_is_remembered_and_goes_to_the_kernel_if_that_has_it() {
        let at = SlotId;
        let mut table = Table::default();
        table.push(entry(1), false);
        assert!(!table.find(at(1)).unwrap().set_cancelled(), "the kernel does not have it");
        table.set_issued(at(1));
        assert!(table.find(at(1)).unwrap().set_cancelled());
        table.send_to_the_back(at(1), false);
        assert!(table.find(at(1)).unwrap().is_cancelled());
    }
}
