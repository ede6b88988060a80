//! A kernel of pipes: what it has of each, and what it does with reads, writes and cancels.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{Inbox, chance};
use super::event::Event;
use super::{Issuer, IssuingThread};
use crate::buffer;
use crate::channel::completion::{self, Packet, SlotId, Thread as _};
use crate::sync::{Mutex, lock};

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Success,
    /// The system lacks something.
    Failed,
    Cancelled,
    PeerClosed,
}

/// Memory that the kernel writes to.
#[derive(Default)]
pub(crate) struct Slot(pub(super) Arc<Mutex<Written>>);

#[derive(Default)]
pub(super) enum Written {
    #[default]
    Nothing,
    Pending,
    Done(Said, Vec<u8>),
}

impl buffer::Slot for Slot {
    fn is_lent(&self) -> bool {
        matches!(*lock(&self.0), Written::Pending)
    }
}

impl completion::Slot for Slot {
    fn id(&self) -> SlotId {
        SlotId(Arc::as_ptr(&self.0).addr())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        assert!(!matches!(*lock(&self.0), Written::Pending), "an operation is freed that the kernel has");
    }
}

/// A pipe in the kernel.
pub(super) struct Kernel {
    /// By the end that reads it.
    pub(super) streams: [Stream; 2],
    pub(super) closed: [bool; 2],
}

pub(super) struct Stream {
    pub(super) quota: usize,
    /// The writes that are not read yet; the first may be read in part.
    pub(super) entries: VecDeque<Entry>,
    pub(super) reads: VecDeque<Pending>,
    /// What it has no memory for.
    pub(super) refused: Refused,
    /// Whether a write is a message.
    pub(super) is_for_messages: bool,
    /// Every cancel of a write comes too late.
    pub(super) is_deaf: bool,
    /// The lengths of the writes that it took.
    pub(super) took: Vec<usize>,
}

/// Which writes a kernel has no memory for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refused {
    /// Those of more bytes than this.
    pub(crate) above: Option<usize>,
    /// All of them, while another write is pending.
    pub(crate) while_busy: bool,
    /// All of them, once it took so many.
    pub(crate) after: Option<usize>,
}

pub(super) struct Entry {
    pub(super) bytes: VecDeque<u8>,
    /// If the entry exceeded the quota: the write that completes when the entry is read.
    pub(super) write: Option<Pending>,
}

/// An operation that the kernel has.
pub(super) struct Pending {
    pub(super) slot: Arc<Mutex<Written>>,
    pub(super) length: usize,
    pub(super) told_by: ToldBy,
    pub(super) thread: IssuingThread,
}

pub(super) enum ToldBy {
    Packet(Inbox<Packet<Said>>, usize),
    Event(Event),
}

impl Pending {
    fn id(&self) -> SlotId {
        SlotId(Arc::as_ptr(&self.slot).addr())
    }

    /// Writes the slot and reports the end. Events are set later, without the kernel's lock.
    pub(super) fn end(self, said: Said, taken: Vec<u8>, then: &mut Vec<Event>) {
        let id = self.id();
        // Some systems lose what they would report to a thread that has ended, but not the packet.
        let is_lost = self.thread.has_ended() && matches!(self.told_by, ToldBy::Packet(..)) && chance::one_in(2);
        if !is_lost {
            *lock(&self.slot) = Written::Done(said, taken);
        }
        match self.told_by {
            ToldBy::Packet(port, key) => port.send(key, Packet { id, said }),
            ToldBy::Event(event) => then.push(event),
        }
    }
}

impl Stream {
    pub(super) fn queued(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }

    /// Takes bytes for a read, out of one entry, as on a pipe for messages.
    pub(super) fn take(&mut self, length: usize, then: &mut Vec<Event>) -> Option<Vec<u8>> {
        let entry = self.entries.front_mut()?;
        if length == 0 {
            return Some(Vec::new());
        }
        let count = length.min(entry.bytes.len());
        let taken = entry.bytes.drain(..count).collect();
        if entry.bytes.is_empty()
            && let Some(write) = self.entries.pop_front().and_then(|entry| entry.write)
        {
            write.end(Said::Success, Vec::new(), then);
        }
        Some(taken)
    }

    /// Serves the waiting reads.
    pub(super) fn serve(&mut self, closed: bool, then: &mut Vec<Event>) {
        while let Some(length) = self.reads.front().map(|read| read.length) {
            let Some(taken) = self.take(length, then) else { break };
            if let Some(read) = self.reads.pop_front() {
                read.end(Said::Success, taken, then);
            }
        }
        if closed {
            for read in self.reads.drain(..) {
                read.end(Said::PeerClosed, Vec::new(), then);
            }
        }
    }

    /// Whether it has no memory for a write of this length. By chance it has none for the moment:
    /// for fewer bytes it has, or once it is done with a write.
    pub(super) fn refuses(&self, length: usize) -> bool {
        let is_busy = self.entries.iter().any(|entry| entry.write.is_some());
        let comes_to_it = !self.is_for_messages && (length > <Issuer as completion::Issuer>::MIN_PIECE || is_busy);
        self.refused.above.is_some_and(|most| length > most)
            || (self.refused.while_busy && is_busy)
            || self.refused.after.is_some_and(|count| self.took.len() >= count)
            || (comes_to_it && chance::one_in(6))
            || chance::fault(40)
    }

    pub(super) fn cancel(&mut self, id: SlotId, then: &mut Vec<Event>) -> bool {
        if let Some(place) = self.reads.iter().position(|read| read.id() == id) {
            let read = self.reads.remove(place);
            read.into_iter().for_each(|read| read.end(Said::Cancelled, Vec::new(), then));
            return true;
        }
        if self.is_deaf {
            return false;
        }
        self.end_write(id, Said::Cancelled, then)
    }

    /// Ends a write before it is read. Returns whether it is pending.
    pub(super) fn end_write(&mut self, id: SlotId, said: Said, then: &mut Vec<Event>) -> bool {
        let is_it = |entry: &Entry| entry.write.as_ref().is_some_and(|write| write.id() == id);
        let place = self.entries.iter().position(is_it);
        let write = place.and_then(|place| self.entries.remove(place)).and_then(|entry| entry.write);
        write.map(|write| write.end(said, Vec::new(), then)).is_some()
    }

    pub(super) fn slot_of(&self, id: SlotId) -> Option<Arc<Mutex<Written>>> {
        let writes = self.entries.iter().filter_map(|entry| entry.write.as_ref());
        self.reads.iter().chain(writes).find(|known| known.id() == id).map(|known| Arc::clone(&known.slot))
    }
}

impl Kernel {
    /// A pipe of which each direction holds `quota` bytes.
    pub(super) fn new(quota: usize) -> Self {
        let stream = || Stream {
            quota,
            entries: VecDeque::new(),
            reads: VecDeque::new(),
            refused: Refused::default(),
            is_for_messages: chance::one_in(8),
            is_deaf: false,
            took: Vec::new(),
        };
        Self { streams: [stream(), stream()], closed: [false; 2] }
    }

    pub(super) fn cancel(&mut self, id: SlotId, then: &mut Vec<Event>) -> bool {
        self.streams.iter_mut().any(|stream| stream.cancel(id, then))
    }

    /// An end goes. What it has written can still be read.
    pub(super) fn close(&mut self, side: usize, then: &mut Vec<Event>) {
        self.closed[side] = true;
        self.streams[1 - side].serve(true, then);
        for entry in self.streams[side].entries.drain(..) {
            entry.write.into_iter().for_each(|write| write.end(Said::PeerClosed, Vec::new(), then));
        }
    }
}
