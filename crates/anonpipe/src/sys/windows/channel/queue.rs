//! What is in flight in one direction of an end.
//!
//! The kernel has the queue: first in, first out. This one only says what is in it, so that an
//! operation and its buffer live until their completion was observed, a packet is matched with an
//! operation without trusting its pointer, and no cancel is lost while an operation
//! is not with the kernel.

use std::collections::VecDeque;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::wine::Issuer;
use super::Channel;
use super::completion::Ended;
use crate::op::{Header, InFlight, Outcome};
use crate::sys::place_in;

/// One direction of an end.
#[derive(Default)]
pub(super) struct Line {
    queue: Mutex<Queue>,
    /// For the threads among those that wait.
    turn: Condvar,
}

impl Line {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the bell, at most as long as that.
    pub(super) fn wait<'a>(&self, queue: MutexGuard<'a, Queue>, limit: Option<Duration>) -> MutexGuard<'a, Queue> {
        match limit {
            None => self.turn.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.turn.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    /// It may be a waiting thread's turn, or it was cancelled.
    pub(super) fn ring(&self) {
        self.turn.notify_all();
    }
}

/// The kernel's part of it, in its order, and then what waits to be issued, in the order in which
/// it came.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// How many wait, at the back, for another thread to issue them or what is before them. Only
    /// where operations go through events are there any.
    waiting: usize,
    /// The driver's thread was told that something waits, and has not come yet.
    pub(super) told: bool,
}

pub(super) struct Entry {
    what: What,
    /// The kernel has it, and will say when it is complete.
    issued: bool,
    /// The thread that issued it, if it is to be told by a packet.
    issuer: Issuer,
    /// Its end was asked for. The kernel can be told only while it has the operation: before it is
    /// issued, and issued again, this is looked at.
    cancelled: bool,
}

enum What {
    /// An operation owns the channel it runs on: closing the handle under it would look like the
    /// peer's end of file.
    Operation(Arc<dyn InFlight>, Arc<Channel>),
    /// The address of the `OVERLAPPED` of a thread that blocks in `read` or `write`.
    Thread(usize),
}

impl Entry {
    fn new(what: What) -> Self {
        Self { what, issued: false, issuer: Issuer::default(), cancelled: false }
    }

    pub(super) fn operation(operation: Arc<dyn InFlight>, owner: Arc<Channel>) -> Self {
        Self::new(What::Operation(operation, owner))
    }

    pub(super) fn thread(overlapped: *mut OVERLAPPED) -> Self {
        Self::new(What::Thread(overlapped.expose_provenance()))
    }

    pub(super) fn overlapped(&self) -> *mut OVERLAPPED {
        match &self.what {
            What::Operation(operation, _) => operation.header().slot.overlapped(),
            What::Thread(address) => ptr::without_provenance_mut(*address),
        }
    }

    /// The operation, if it is one.
    pub(super) fn header(&self) -> Option<&Header> {
        match &self.what {
            What::Operation(operation, _) => Some(operation.header()),
            What::Thread(_) => None,
        }
    }

    pub(super) fn is_issued(&self) -> bool {
        self.issued
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    pub(super) fn set_issuer(&mut self, issuer: Issuer) {
        self.issuer = issuer;
    }

    pub(super) fn issuer_has_ended(&self) -> bool {
        self.issuer.has_ended()
    }

    /// Asks for its end. Returns whether the kernel has to be told.
    pub(super) fn set_cancelled(&mut self) -> bool {
        self.cancelled = true;
        self.issued
    }
}

impl Queue {
    /// Adds what `waits` for another thread to issue it, or to what waits.
    pub(super) fn push(&mut self, entry: Entry, waits: bool) {
        self.waiting += usize::from(waits || self.waiting > 0);
        self.entries.push_back(entry);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry whose `OVERLAPPED` that is.
    pub(super) fn find(&mut self, overlapped: *mut OVERLAPPED) -> Option<&mut Entry> {
        let place = self.place_of(overlapped)?;
        self.entries.get_mut(place)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// What waits, in its order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.range(self.entries.len() - self.waiting..)
    }

    /// What is to be issued next of what waits.
    pub(super) fn next_waiting(&self) -> Option<&Entry> {
        self.waiting().next()
    }

    /// Whether nothing that waits is before it.
    pub(super) fn is_next(&self, overlapped: *mut OVERLAPPED) -> bool {
        self.place_of(overlapped).is_none_or(|place| place <= self.entries.len() - self.waiting)
    }

    /// The kernel has it now. If it waited, it was the next.
    pub(super) fn set_issued(&mut self, overlapped: *mut OVERLAPPED) {
        let Some(place) = self.place_of(overlapped) else { return };
        self.waiting -= usize::from(self.waits(place));
        self.entries[place].issued = true;
    }

    pub(super) fn remove(&mut self, overlapped: *mut OVERLAPPED) -> Option<Entry> {
        let place = self.place_of(overlapped)?;
        self.waiting -= usize::from(self.waits(place));
        self.entries.remove(place)
    }

    /// Takes out an operation that is over.
    pub(super) fn end(&mut self, overlapped: *mut OVERLAPPED, outcome: Outcome) -> Option<Ended> {
        match self.remove(overlapped)?.what {
            What::Operation(operation, owner) => {
                // Not the last share, so nothing is closed here: the caller has one, too.
                drop(owner);
                Some(Ended::new(operation, outcome))
            }
            What::Thread(_) => None,
        }
    }

    /// It has met an empty message: the kernel has it no more, and behind the others it is issued
    /// again.
    pub(super) fn send_to_the_back(&mut self, overlapped: *mut OVERLAPPED, waits: bool) {
        if let Some(mut entry) = self.remove(overlapped) {
            entry.issued = false;
            self.push(entry, waits);
        }
    }

    fn place_of(&self, overlapped: *mut OVERLAPPED) -> Option<usize> {
        place_in(&self.entries, |entry| entry.overlapped() == overlapped)
    }

    fn waits(&self, place: usize) -> bool {
        place >= self.entries.len() - self.waiting
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::{Entry, Queue};

    fn entry(address: usize) -> Entry {
        Entry::thread(ptr::without_provenance_mut(address))
    }

    fn addresses<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<usize> {
        entries.map(|entry| entry.overlapped().addr()).collect()
    }

    #[test]
    fn what_comes_later_waits_behind_what_waits() {
        let at = ptr::without_provenance_mut;
        let mut queue = Queue::default();
        queue.push(entry(1), false);
        queue.set_issued(at(1));
        assert!(queue.next_waiting().is_none());
        queue.push(entry(2), true);
        queue.push(entry(3), false);
        queue.push(entry(4), true);
        assert_eq!(addresses(queue.waiting()), [2, 3, 4]);
        assert_eq!([1, 2, 3, 4].map(|address| queue.is_next(at(address))), [true, true, false, false]);
        queue.set_issued(at(2));
        assert!(queue.is_next(at(3)) && !queue.is_next(at(4)));
        // One that is taken out from the middle, of what waits and of what is issued.
        queue.remove(at(3));
        queue.remove(at(1));
        assert_eq!(addresses(queue.waiting()), [4]);
        assert_eq!(addresses(queue.iter_mut().map(|entry| &*entry)), [2, 4]);
        // One that goes to the back waits there, as long as something does.
        queue.send_to_the_back(at(2), false);
        assert_eq!(addresses(queue.waiting()), [4, 2]);
        assert!(queue.find(at(2)).is_some_and(|entry| !entry.is_issued()));
        queue.remove(at(4));
        queue.set_issued(at(2));
        queue.send_to_the_back(at(2), false);
        assert!(queue.next_waiting().is_none() && queue.is_next(at(2)));
        queue.send_to_the_back(at(2), true);
        assert_eq!(addresses(queue.waiting()), [2]);
        assert!(queue.remove(at(2)).is_some() && queue.remove(at(2)).is_none());
        assert_eq!((queue.len(), queue.waiting().len()), (0, 0));
    }

    #[test]
    fn a_cancel_is_remembered_and_goes_to_the_kernel_if_that_has_it() {
        let at = ptr::without_provenance_mut;
        let mut queue = Queue::default();
        queue.push(entry(1), false);
        assert!(!queue.find(at(1)).unwrap().set_cancelled(), "the kernel does not have it");
        queue.set_issued(at(1));
        assert!(queue.find(at(1)).unwrap().set_cancelled());
        queue.send_to_the_back(at(1), false);
        assert!(queue.find(at(1)).unwrap().is_cancelled());
    }
}
