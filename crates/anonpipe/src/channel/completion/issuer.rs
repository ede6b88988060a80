//! What this model asks of a system.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use crate::buffer::Bytes;
use crate::contract::{Failure, Half, Outcome, Process, Turn};

/// The handle of one end, on a system that takes operations and says when they are complete.
///
/// Its kernel has a queue for each half: first in, first out. It knows an operation by its slot,
/// and may use that and the operation's bytes until it has said that the operation is complete.
///
/// No call waits.
pub(crate) trait Issuer: Send + Sync + Sized + 'static {
    type Process: Process;
    /// What a caller gets who takes it out.
    type Handle;
    type Port: Turn<Event = Packet<Self::Said>>;
    type Slot: Slot;
    type Event: Event;
    type Thread: Thread;
    /// What a packet says of its operation.
    type Said: Copy + Send;

    /// How many bytes one operation transfers at most.
    const MOST_AT_ONCE: usize;

    /// Gives an operation to the kernel. Slot and bytes belong together, and stay until the slot
    /// was observed to be complete.
    ///
    /// It is told by `event`, or else by a packet. `packet_on_success`: that comes even if the
    /// operation succeeds at once.
    fn issue(
        &self,
        half: Half,
        slot: &Self::Slot,
        bytes: &Bytes,
        event: Option<&Self::Event>,
        packet_on_success: bool,
    ) -> Answer;

    /// What the kernel has said of an operation.
    fn observe(&self, half: Half, slot: &Self::Slot, bytes: &Bytes) -> Answer;

    /// The outcome of an operation that the kernel is done with, although it never said so in the
    /// slot: all that is known of it is what its packet said.
    fn observe_lost(&self, half: Half, slot: &Self::Slot, bytes: &Bytes, said: Self::Said) -> Outcome;

    /// Asks for the end of an operation. Returns whether the kernel had it.
    fn cancel(&self, id: SlotId) -> bool;

    /// Binds the handle to a port: its packets come there, with `key`.
    fn bind(&self, port: &Self::Port, key: usize) -> io::Result<Bound>;

    /// Undoes that, where the system can.
    fn unbind(&self);

    /// Sends a packet to a port.
    fn post(port: &Self::Port, key: usize, id: SlotId) -> io::Result<()>;

    /// Whether children inherit the handle. Yes, if that is not known.
    fn is_inheritable(&self) -> bool;

    /// Whether there is something to read, or the end of file. No, if that is not known.
    fn is_readable(&self) -> bool;

    /// How a write would fail at once, because the peer is gone. `None`: it would not, or that is
    /// not known.
    fn refusal_of_writes(&self) -> Option<Failure>;

    /// Half-closes, where the system can do that.
    fn shutdown_write(&self) -> Result<(), Failure>;

    /// Gives the system's handle away, once. It is not used here from then on.
    fn give_away(&self) -> Option<Self::Handle>;
}

/// What the kernel has said of an operation.
pub(crate) enum Answer {
    /// Nothing yet.
    Pending,
    Done(Outcome),
    /// It read an empty message of a peer that writes messages. Nothing came of it, so it has to go
    /// on.
    Empty,
}

/// What an operation is known by to the kernel: the address of its slot. Zero is no slot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(pub(crate) usize);

impl SlotId {
    pub(crate) const NONE: Self = Self(0);
}

/// What the kernel writes to. It is not moved while the kernel has it.
pub(crate) trait Slot: Default + Send + Sync {
    fn id(&self) -> SlotId;
}

/// What a port says: that the operation with that id is complete, if it is one of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<Said> {
    pub(crate) id: SlotId,
    pub(crate) said: Said,
}

/// What became of binding a handle.
pub(crate) enum Bound {
    /// `skips`: an operation that succeeds at once sends no packet.
    Here { skips: bool },
    /// It was bound to another port already.
    Elsewhere,
}

/// What a thread, or a thread pool, waits for.
pub(crate) trait Event: Send + Sync + Sized + 'static {
    fn new() -> io::Result<Self>;

    /// That of the calling thread, which blocks in one operation at a time.
    fn of_this_thread() -> io::Result<Rc<Self>>;

    /// Blocks until it is set. `Ok(false)`: `deadline` came first.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<bool>;

    /// Has `then` called when it is set, on a thread of the system's. If that cannot be, the caller
    /// gets the event back, and has to wait for it.
    fn when_set(self, then: impl FnOnce() + Send + 'static) -> Result<(), Self>;
}

/// The thread that issued an operation, where it matters that it may have ended. Default: none.
pub(crate) trait Thread: Default + Send {
    fn current() -> Self;

    /// Whether it is known to have ended.
    fn has_ended(&self) -> bool;
}
