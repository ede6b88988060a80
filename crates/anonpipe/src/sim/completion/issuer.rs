//! An end of a pipe, and the calls on it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Inbox, OneProcess, chance, meanwhile};
#[cfg(not(loom))]
use super::Refused;
use super::event::Event;
use super::kernel::{Entry, Kernel, Pending, Piece, Said, Slot, Stream, ToldBy, Written};
use super::{FORMER, IssuingThread, LATE, Pool};
use crate::buffer::Loan;
use crate::channel::completion::{self, Answer, Bound, Packet, SlotId};
use crate::contract::{Failure, Half, Outcome};
use crate::sync::{Mutex, lock};

/// A key from before the program began, of an end that was handed on.
const NO_KEY_OF_OURS: usize = usize::MAX;

/// One end of a pipe.
pub(crate) struct Issuer {
    kernel: Arc<Mutex<Kernel>>,
    side: usize,
    port: Mutex<Option<Bond>>,
    pool: Pool,
    /// Another process has a handle as well, which it inherited.
    is_shared: bool,
    given_away: AtomicBool,
}

/// The port to which a handle is bound, and its key.
pub(super) type Bond = (Inbox<Packet<Said>>, usize);

impl Issuer {
    pub(super) fn new(kernel: Arc<Mutex<Kernel>>, side: usize, pool: Pool) -> Self {
        let is_shared = chance::one_in(4);
        Self { kernel, side, port: Mutex::default(), pool, is_shared, given_away: AtomicBool::new(false) }
    }

    /// Whether its packets go to a port.
    #[cfg(not(loom))]
    pub(super) fn is_bound(&self) -> bool {
        lock(&self.port).is_some()
    }

    /// We give up the handle, and its next owner has the binding.
    fn stays_bound(&self) {
        if let Some(bond) = &*lock(&self.port) {
            FORMER.with_borrow_mut(|former| former.push(bond.clone()));
        }
    }

    /// What the kernel has of the writes of this end.
    fn with_stream<R>(&self, call: impl FnOnce(&mut Stream) -> R) -> R {
        call(&mut lock(&self.kernel).streams[1 - self.side])
    }

    /// From now on the kernel has no memory for some writes.
    #[cfg(not(loom))]
    pub(crate) fn refuse(&self, refused: Refused) {
        self.with_stream(|stream| stream.refused = refused);
    }

    /// Makes the pipe one for messages.
    #[cfg(not(loom))]
    pub(crate) fn carry_messages(&self) {
        self.with_stream(|stream| stream.is_for_messages = true);
    }

    /// From now on every cancel of a write comes too late.
    #[cfg(not(loom))]
    pub(crate) fn be_deaf(&self) {
        self.with_stream(|stream| stream.is_deaf = true);
    }

    /// The lengths of the writes that the kernel took.
    #[cfg(not(loom))]
    pub(crate) fn took(&self) -> Vec<usize> {
        self.with_stream(|stream| stream.took.clone())
    }

    /// Another process starts an operation on a handle that is bound to a port of ours, and the
    /// packet comes here. The operation has an address in that process, where an operation of ours
    /// may have the same one.
    ///
    /// With our own key it comes only if there is another handle to this end: a child inherits it.
    /// A key of a handle that was handed on, bound, stays with the next owner; no driver gives it
    /// to another channel. What is left is a caller who duplicates a handle that no child inherits.
    /// The unit tests play that one: the channel's for a thread that lives, `tests` here for one
    /// that has ended.
    fn hear_from_a_stranger(&self) {
        let Some((port, key)) = lock(&self.port).clone() else { return };
        let mut bonds = FORMER.with_borrow(Clone::clone);
        if self.is_shared {
            bonds.push((port, key));
        } else {
            bonds.push((port, NO_KEY_OF_OURS));
        }
        let mut ids: Vec<_> = self.with_kernel(|kernel, _| kernel.streams.iter().flat_map(Stream::addresses).collect());
        ids.push(SlotId(usize::MAX));
        let any = |count: usize| usize::from(chance::below(u8::try_from(count).unwrap_or(u8::MAX)));
        let ((port, key), id) = (&bonds[any(bonds.len())], ids[any(ids.len())]);
        let said = if chance::one_in(3) { Said::Cancelled } else { Said::Success };
        port.send(*key, Packet { id, said });
    }

    fn with_kernel<R>(&self, call: impl FnOnce(&mut Kernel, &mut Vec<Event>) -> R) -> R {
        assert!(!self.given_away.load(Ordering::Relaxed), "a handle is used that was given away");
        with_kernel(&self.kernel, call)
    }
}

fn with_kernel<R>(kernel: &Mutex<Kernel>, call: impl FnOnce(&mut Kernel, &mut Vec<Event>) -> R) -> R {
    let mut then = Vec::new();
    let result = call(&mut lock(kernel), &mut then);
    then.into_iter().for_each(|event| event.set());
    meanwhile::in_the_kernel();
    result
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if !*self.given_away.get_mut() {
            if self.is_shared {
                self.stays_bound();
            }
            self.with_kernel(|kernel, then| kernel.close(self.side, then));
        }
    }
}

fn answer(half: Half, said: Said, taken: &[u8], loan: &Loan<Slot>) -> Answer {
    let length = loan.address(half).1;
    loan.with_mut(|buffer| {
        let count = taken.len().min(buffer.len());
        buffer[..count].copy_from_slice(&taken[..count]);
    });
    let outcome = match (half, said) {
        (Half::Read, Said::Success) if length == 0 => Ok(1),
        (Half::Read, Said::Success) if taken.is_empty() => return Answer::Empty,
        (Half::Read, Said::Success) => Ok(taken.len()),
        (Half::Write, Said::Success) => Ok(length),
        (Half::Read, Said::Failed) => Err(Failure::os(io::Error::other("no resources"), Some(0))),
        (Half::Write, Said::Failed) => Err(Failure::os(io::Error::other("no resources"), None)),
        (Half::Read, Said::PeerClosed) => Ok(0),
        (Half::Write, Said::PeerClosed) => Err(Failure::os(io::ErrorKind::BrokenPipe.into(), None)),
        (Half::Read, Said::Cancelled) => Err(Failure::Cancelled { transferred: Some(0) }),
        (Half::Write, Said::Cancelled) => Err(Failure::Cancelled { transferred: None }),
    };
    Answer::Done(outcome)
}

impl completion::Issuer for Issuer {
    type Process = OneProcess;
    type Handle = Self;
    type Port = Inbox<Packet<Said>>;
    type Slot = Slot;
    type Event = Event;
    type Thread = IssuingThread;
    type Said = Said;

    const MAX_TRANSFER: usize = 1 << 20;
    const MAX_READ: usize = 64;
    const MAX_PIECE: usize = 4;
    const MIN_PIECE: usize = 1;

    fn issue(&self, half: Half, loan: &Loan<Slot>, event: Option<&Event>, packet_on_success: bool) -> Answer {
        let (slot, length) = (loan.slot(), loan.address(half).1);
        assert!(!matches!(*lock(&slot.0.written), Written::Pending), "an operation is issued twice");
        assert!(half == Half::Write || length <= Self::MAX_READ, "a read asks for too much");
        let told_by = || match (event, &*lock(&self.port)) {
            (Some(event), _) => {
                event.belongs_to(&self.pool);
                ToldBy::Event(event.clone())
            }
            (None, Some((port, key))) => {
                // Where there is another handle, a lost report cannot be told from a stranger's
                // packet.
                ToldBy::Packet { port: port.clone(), key: *key, may_be_lost: !self.is_shared }
            }
            (None, None) => panic!("an operation of which nothing will be said"),
        };
        let bytes: VecDeque<u8> = match half {
            Half::Read => VecDeque::new(),
            Half::Write => loan.with(|bytes| bytes.iter().copied().collect()),
        };
        let piece = bytes.front().map(|first| Piece { stream: 1 - self.side, first: *first });
        let pending = || Pending {
            slot: Arc::clone(&slot.0),
            length,
            told_by: told_by(),
            thread: completion::Thread::current(),
            piece,
        };
        if chance::fault(24) {
            return Answer::Done(Err(Failure::os(io::Error::other("no resources"), Some(0))));
        }
        if chance::one_in(16) {
            self.hear_from_a_stranger();
        }
        self.with_kernel(|kernel, then| {
            let peer_closed = kernel.closed[1 - self.side];
            let stream = &mut kernel.streams[if half == Half::Read { self.side } else { 1 - self.side }];
            let at_once = match half {
                Half::Read if stream.reads.is_empty() || length == 0 => stream
                    .take(length, then)
                    .map(|taken| (Said::Success, taken))
                    .or(peer_closed.then_some((Said::PeerClosed, Vec::new()))),
                Half::Read => None,
                Half::Write if peer_closed => Some((Said::PeerClosed, Vec::new())),
                Half::Write if stream.refuses(length) => {
                    return Answer::NoResources(Failure::os(io::ErrorKind::OutOfMemory.into(), Some(0)));
                }
                Half::Write => {
                    stream.took.push(length);
                    let fits = stream.queued() + length <= stream.quota;
                    let write = if fits { None } else { Some(pending()) };
                    *lock(&slot.0.written) = Written::Pending;
                    stream.entries.push_back(Entry { bytes, write });
                    stream.serve(false, then);
                    if !fits {
                        if chance::fault(24) {
                            stream.end_write(completion::Slot::id(slot), Said::Failed, then);
                        }
                        return Answer::Pending;
                    }
                    Some((Said::Success, Vec::new()))
                }
            };
            let Some((said, taken)) = at_once else {
                *lock(&slot.0.written) = Written::Pending;
                if chance::fault(16) {
                    pending().end(Said::Failed, Vec::new(), then);
                } else {
                    stream.reads.push_back(pending());
                }
                return Answer::Pending;
            };
            *lock(&slot.0.written) = Written::Nothing;
            let is_told = said == Said::Success && packet_on_success;
            if is_told || (length > 0 && chance::one_in(4)) {
                *lock(&slot.0.written) = Written::Pending;
                pending().end(said, taken, then);
                return Answer::Pending;
            }
            match answer(half, said, &taken, loan) {
                // It was not even begun.
                Answer::Done(Err(failure)) => Answer::Done(Err(failure.after(0))),
                answer => answer,
            }
        })
    }

    fn observe(&self, half: Half, loan: &Loan<Slot>) -> Answer {
        let mut written = lock(&loan.slot().0.written);
        match std::mem::take(&mut *written) {
            Written::Done(said, taken) => {
                drop(written);
                answer(half, said, &taken, loan)
            }
            other => {
                *written = other;
                Answer::Pending
            }
        }
    }

    fn observe_lost(&self, half: Half, loan: &Loan<Slot>, said: Said) -> Outcome {
        *lock(&loan.slot().0.written) = Written::Nothing;
        match answer(half, said, &[], loan) {
            Answer::Done(outcome) => outcome,
            Answer::Pending | Answer::Empty | Answer::NoResources(_) => {
                Err(Failure::os(io::Error::other("its bytes are lost"), None))
            }
        }
    }

    fn cancel(&self, id: SlotId) -> bool {
        if chance::one_in(4) {
            // The kernel gets to it later. The operation may be over by then.
            let slot = self.with_kernel(|kernel, _| kernel.streams.iter().find_map(|stream| stream.slot_of(id)));
            let is_known = slot.is_some();
            if let Some(slot) = slot {
                let kernel = Arc::clone(&self.kernel);
                let cancel = move || {
                    with_kernel(&kernel, |kernel, then| kernel.cancel(id, then));
                    // Until then no other operation has this address.
                    drop(slot);
                };
                LATE.with_borrow_mut(|late| late.push(Box::new(cancel)));
            }
            return is_known;
        }
        self.with_kernel(|kernel, then| kernel.cancel(id, then))
    }

    fn takes_pieces(&self) -> bool {
        self.with_stream(|stream| !stream.is_for_messages)
    }

    fn bind(&self, port: &Inbox<Packet<Said>>, key: usize) -> io::Result<Bound> {
        if lock(&self.port).is_some() || chance::one_in(6) {
            return Ok(Bound::Elsewhere);
        }
        if chance::fault(12) {
            return Err(io::Error::other("no resources"));
        }
        *lock(&self.port) = Some((port.clone(), key));
        Ok(Bound::Here { skips: !chance::one_in(3) })
    }

    /// Not every system can.
    fn unbind(&self) {
        if chance::one_in(3) {
            self.stays_bound();
        } else {
            *lock(&self.port) = None;
        }
    }

    fn post(port: &Inbox<Packet<Said>>, key: usize, id: SlotId) -> io::Result<()> {
        if chance::fault(30) {
            return Err(io::Error::from_raw_os_error(8));
        }
        port.send(key, Packet { id, said: Said::Success });
        Ok(())
    }

    fn is_inheritable(&self) -> bool {
        self.is_shared
    }

    fn is_readable(&self) -> bool {
        self.with_kernel(|kernel, _| !kernel.streams[self.side].entries.is_empty() || kernel.closed[1 - self.side])
    }

    fn refusal_of_writes(&self) -> Option<Failure> {
        let is_closed = self.with_kernel(|kernel, _| kernel.closed[1 - self.side]);
        is_closed.then(|| Failure::os(io::ErrorKind::BrokenPipe.into(), Some(0)))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        Err(Failure::refused(io::ErrorKind::Unsupported, "there is no half-close"))
    }

    fn give_away(&self) -> Option<Self> {
        if self.given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        let port = lock(&self.port).take();
        Some(Self {
            kernel: Arc::clone(&self.kernel),
            side: self.side,
            port: Mutex::new(port),
            pool: Arc::clone(&self.pool),
            is_shared: self.is_shared,
            given_away: AtomicBool::new(false),
        })
    }
}
