//! What this model asks of a system.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use crate::buffer::{self, Loan};
use crate::contract::{Failure, Half, Outcome, Process, Turn};

/// The handle of one end, on a system that takes operations and reports their completion.
///
/// The kernel has a queue for each half: first in, first out. It knows an operation by its slot,
/// and may use the slot and the operation's bytes until it has reported that the operation is
/// complete.
///
/// No call waits.
pub(crate) trait Issuer: Send + Sync + Sized + 'static {
    type Process: Process;
    /// What a caller gets who takes the handle out.
    type Handle;
    type Port: Turn<Report = Packet<Self::Said>>;
    type Slot: Slot;
    type Event: Event;
    type Thread: Thread;
    /// What a packet says of its operation.
    type Said: Copy + Send;

    /// The most bytes that one call transfers.
    const MAX_TRANSFER: usize;

    /// The most bytes that one read asks for.
    const MAX_READ: usize;

    /// The most bytes of a write that are issued at once, where a write may go in pieces.
    const MAX_PIECE: usize;

    /// The fewest bytes that a piece has, except the last one of a write.
    const MIN_PIECE: usize;

    /// Gives an operation to the kernel. The slot and the bytes belong together, and must stay
    /// until the operation was observed to be complete.
    ///
    /// The kernel reports the completion through `event`, or else by a packet. `packet_on_success`:
    /// the packet comes even if the operation succeeds at once.
    fn issue(
        &self,
        half: Half,
        loan: &Loan<Self::Slot>,
        event: Option<&Self::Event>,
        packet_on_success: bool,
    ) -> Answer;

    /// What the kernel has reported about an operation.
    fn observe(&self, half: Half, loan: &Loan<Self::Slot>) -> Answer;

    /// The outcome of an operation that the kernel is done with, although it never reported so in
    /// the slot. Only what the packet said is known.
    fn observe_lost(&self, half: Half, loan: &Loan<Self::Slot>, said: Self::Said) -> Outcome;

    /// Asks the kernel to end an operation. Returns whether the kernel had it.
    fn cancel(&self, id: SlotId) -> bool;

    /// Whether the peer cannot tell a write in pieces from one at a time. No, if that is unknown.
    fn takes_pieces(&self) -> bool;

    /// Binds the handle to a port: its packets go there, with `key`.
    fn bind(&self, port: &Self::Port, key: usize) -> io::Result<Bound>;

    /// Unbinds the handle, where the system can do so.
    fn unbind(&self);

    /// Sends a packet to a port.
    fn post(port: &Self::Port, key: usize, id: SlotId) -> io::Result<()>;

    /// Whether children inherit the handle. Yes, if that is unknown.
    fn is_inheritable(&self) -> bool;

    /// Whether there is something to read, or the end of file. No, if that is unknown.
    fn is_readable(&self) -> bool;

    /// How a write would fail at once, because the peer is gone. `None`: it would not fail, or that
    /// is unknown.
    fn refusal_of_writes(&self) -> Option<Failure>;

    /// Half-closes, where the system can do so.
    fn shutdown_write(&self) -> Result<(), Failure>;

    /// Gives the system's handle away, once. From then on the handle is not used here.
    fn give_away(&self) -> Option<Self::Handle>;
}

/// What the kernel has reported about an operation.
pub(crate) enum Answer {
    /// Nothing yet.
    Pending,
    Done(Outcome),
    /// The operation read an empty message of a peer that writes messages. It got nothing, so it
    /// has to be issued again.
    Empty,
    /// The kernel has no memory for a write of this length now. Nothing went, as far as is known.
    /// The failure is for a caller who has no other choice.
    NoResources(Failure),
}

/// Identifies an operation to the kernel: the address of its slot. Zero is no slot's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(pub(crate) usize);

impl SlotId {
    pub(crate) const NONE: Self = Self(0);
}

/// Memory that the kernel writes to. It does not move while the kernel has it.
pub(crate) trait Slot: buffer::Slot {
    fn id(&self) -> SlotId;
}

/// A port's report: the operation with that id is complete, if it is one of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<Said> {
    pub(crate) id: SlotId,
    pub(crate) said: Said,
}

/// The result of binding a handle.
pub(crate) enum Bound {
    /// `skips`: an operation that succeeds at once sends no packet.
    Here { skips: bool },
    /// The handle was already bound to another port.
    Elsewhere,
}

/// An event that a thread, or a thread pool, waits for.
pub(crate) trait Event: Send + Sync + Sized + 'static {
    fn new() -> io::Result<Self>;

    /// The event of the calling thread, which blocks in one operation at a time.
    fn of_this_thread() -> io::Result<Rc<Self>>;

    /// Blocks until the event is set. `false`: `deadline` came first.
    fn wait(&self, deadline: Option<Instant>) -> bool;

    /// Calls `then` when the event is set, on a thread of the system's. If the system cannot do so,
    /// returns the event, for which the caller has to wait, and the reason.
    fn when_set(self, then: impl FnOnce() + Send + 'static) -> Result<(), (Self, io::Error)>;
}

/// The thread that issued an operation, where it matters that it may have ended. Default: none.
pub(crate) trait Thread: Default + Send {
    fn current() -> Self;

    /// Whether the thread is known to have ended.
    fn has_ended(&self) -> bool;
}
