//! A kernel of pipes: what it has of each, and what it does with reads, writes and cancels.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
pub(crate) struct Slot(pub(super) Arc<Memory>);

/// What a slot is to the kernel.
pub(super) struct Memory {
    /// Stands for its address. It is soon used again, as addresses are.
    id: SlotId,
    pub(super) written: Mutex<Written>,
}

thread_local! {
    /// The addresses that are free again.
    static FREE: RefCell<Vec<SlotId>> = const { RefCell::new(Vec::new()) };
}

/// Makes a program's addresses depend on the program alone.
#[cfg(not(loom))]
pub(super) fn forget_addresses() {
    FREE.take();
}

impl Default for Memory {
    fn default() -> Self {
        /// No two slots have one address, whichever thread made them.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let free = FREE.with_borrow_mut(Vec::pop);
        let id = free.unwrap_or_else(|| SlotId(NEXT.fetch_add(1, Ordering::Relaxed)));
        Self { id, written: Mutex::default() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A thread that ends may have no list any more.
        let _ = FREE.try_with(|free| free.borrow_mut().push(self.id));
    }
}

#[derive(Default)]
pub(super) enum Written {
    #[default]
    Nothing,
    Pending,
    Done(Said, Vec<u8>),
}

impl buffer::Slot for Slot {
    fn is_lent(&self) -> bool {
        matches!(*lock(&self.0.written), Written::Pending)
    }
}

impl completion::Slot for Slot {
    fn id(&self) -> SlotId {
        self.0.id
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        assert!(!matches!(*lock(&self.0.written), Written::Pending), "an operation is freed that the kernel has");
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
    pub(super) slot: Arc<Memory>,
    pub(super) length: usize,
    pub(super) told_by: ToldBy,
    pub(super) thread: IssuingThread,
    /// If it is a write, or a piece of one: where its bytes go.
    pub(super) piece: Option<Piece>,
}

pub(super) enum ToldBy {
    /// `may_be_lost`: the system may lose what it would report to a thread that has ended, but not
    /// the packet.
    Packet {
        port: Inbox<Packet<Said>>,
        key: usize,
        may_be_lost: bool,
    },
    Event(Event),
}

/// The stream of a piece, by the end that reads it, and the piece's first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) stream: usize,
    pub(super) first: u8,
}

thread_local! {
    /// The pieces of which no one knows how much went: they failed after they were pending.
    static UNKNOWN: RefCell<Vec<Piece>> = const { RefCell::new(Vec::new()) };
}

/// Whether it is known how much went of a write with these bytes.
#[cfg(not(loom))]
pub(super) fn is_known(stream: usize, bytes: std::ops::RangeInclusive<u8>) -> bool {
    let is_it = |piece: &Piece| piece.stream == stream && bytes.contains(&piece.first);
    UNKNOWN.with_borrow(|unknown| !unknown.iter().any(is_it))
}

#[cfg(not(loom))]
pub(super) fn forget_pieces() {
    UNKNOWN.take();
}

impl Pending {
    fn id(&self) -> SlotId {
        self.slot.id
    }

    /// Writes the slot and reports the end. Events are set later, without the kernel's lock.
    pub(super) fn end(self, said: Said, taken: Vec<u8>, then: &mut Vec<Event>) {
        let id = self.id();
        if let Some(piece) = self.piece.filter(|_| said != Said::Success && cfg!(not(loom))) {
            UNKNOWN.with_borrow_mut(|unknown| unknown.push(piece));
        }
        let may_be_lost = matches!(self.told_by, ToldBy::Packet { may_be_lost: true, .. });
        let is_lost = may_be_lost && self.thread.has_ended() && chance::one_in(2);
        if !is_lost {
            *lock(&self.slot.written) = Written::Done(said, taken);
        }
        match self.told_by {
            ToldBy::Packet { port, key, .. } => port.send(key, Packet { id, said }),
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

    /// The addresses of the operations that the kernel has.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SlotId> {
        let writes = self.entries.iter().filter_map(|entry| entry.write.as_ref());
        self.reads.iter().chain(writes).map(Pending::id)
    }

    /// Ends a write before it is read. Returns whether it is pending.
    pub(super) fn end_write(&mut self, id: SlotId, said: Said, then: &mut Vec<Event>) -> bool {
        let is_it = |entry: &Entry| entry.write.as_ref().is_some_and(|write| write.id() == id);
        let place = self.entries.iter().position(is_it);
        let write = place.and_then(|place| self.entries.remove(place)).and_then(|entry| entry.write);
        write.map(|write| write.end(said, Vec::new(), then)).is_some()
    }

    pub(super) fn slot_of(&self, id: SlotId) -> Option<Arc<Memory>> {
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
