//! The model of Windows: submit, and be told of the outcome.
//!
//! The kernel has the queue: first in, first out, for each half. The [`table`] here only records
//! what is in it. So an operation and its buffer live until their completion was observed, and a
//! packet is matched with an operation without trusting the packet's pointer.

mod binding;
mod blocking;
mod by_event;
#[cfg(all(test, loom))]
mod interleavings;
mod issue;
mod issuer;
mod observe;
mod pieces;
mod table;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod tasks;
#[cfg(all(test, not(loom)))]
mod tests;

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub(crate) use issuer::{Answer, Bound, Event, Issuer, Packet, Slot, SlotId, Thread};

use super::{Attachment, InFlight, Key};
use crate::contract::{Failure, Half, Outcome};
use crate::sync::{Mutex, MutexGuard, lock};
use binding::{Binding, Route};
use table::{Ended, Entry, HalfTable, Table};

/// A system of this model.
pub(crate) trait System:
    super::System<
        Process = <Self::Issuer as Issuer>::Process,
        Handle = <Self::Issuer as Issuer>::Handle,
        Poller = <Self::Issuer as Issuer>::Port,
        Slot = <Self::Issuer as Issuer>::Slot,
        Channel = Channel<Self>,
    >
{
    type Issuer: Issuer;
}

/// An overlapped end: its handle, and the operations in flight on it.
pub(crate) struct Channel<S: System> {
    binding: Mutex<Binding<S>>,
    reads: HalfTable<S>,
    writes: HalfTable<S>,
    attachment: Attachment<S>,
    /// A key with the process's driver, whose thread issues the operations that go through
    /// events.
    issuing: OnceLock<Key<S>>,
    /// How often all reads were cancelled. A task compares this with the count when its wait began.
    read_cancels: AtomicU64,
    /// No other handle to this end exists, so it may be bound to our port.
    exclusive: bool,
    issuer: S::Issuer,
}

impl<S: System> Channel<S> {
    /// `exclusive`: no other handle to this end exists. Otherwise the file object stays unchanged.
    pub(crate) fn new(issuer: S::Issuer, exclusive: bool) -> Self {
        Self {
            binding: Mutex::new(Binding::default()),
            reads: HalfTable::default(),
            writes: HalfTable::default(),
            attachment: Attachment::new(),
            issuing: OnceLock::new(),
            read_cancels: AtomicU64::new(0),
            exclusive,
            issuer,
        }
    }

    pub(crate) fn issuer(&self) -> &S::Issuer {
        &self.issuer
    }

    fn binding(&self) -> MutexGuard<'_, Binding<S>> {
        lock(&self.binding)
    }

    fn line(&self, half: Half) -> &HalfTable<S> {
        match half {
            Half::Read => &self.reads,
            Half::Write => &self.writes,
        }
    }

    fn table(&self, half: Half) -> MutexGuard<'_, Table<S>> {
        self.line(half).lock()
    }

    /// Gives the handle away even if it is bound, and unbinds it where the system can do so.
    /// `None`: operations are in flight.
    pub(crate) fn take_handle_still_bound(&self) -> Result<Option<S::Handle>, Failure> {
        self.give_away(|| {
            self.binding().let_go(&self.issuer);
            Ok(())
        })
    }

    fn give_away(&self, prepare: impl FnOnce() -> Result<(), Failure>) -> Result<Option<S::Handle>, Failure> {
        let (reads, writes) = (self.table(Half::Read), self.table(Half::Write));
        if reads.len() + writes.len() > 0 {
            return Ok(None);
        }
        prepare()?;
        Ok(self.issuer.give_away())
    }

    fn start(self: &Arc<Self>, operation: &Arc<dyn InFlight<S>>) -> Result<Option<Ended<S>>, Failure> {
        let request = *operation.request();
        let pieces = self.fit(request, operation.loan())?;
        let route = self.route()?;
        let mut entry = Entry::operation(Arc::clone(operation), Arc::clone(self));
        entry.set_pieces(pieces);
        match route {
            Route::Port { skips } => {
                let mut table = self.table(request.half);
                if table.push(entry, false) {
                    // It is issued when the entries before it are.
                    return Ok(None);
                }
                let ended = self.issue_for_port(request.half, &mut table, &**operation, skips);
                self.pass_on(request.half, table);
                Ok(ended)
            }
            Route::Event => {
                self.submit_to_driver(request.half, entry);
                Ok(None)
            }
        }
    }

    /// The route of an operation; the first call binds the handle.
    fn route(self: &Arc<Self>) -> io::Result<Route> {
        let route = self.binding().route(self)?;
        if route == Route::Event && self.issuing.get().is_none() {
            // If two threads come here first, one of them gives its key back.
            let _ = self.issuing.set(Key::new(S::process_driver()?, self));
        }
        Ok(route)
    }

    /// The route of operations, once one was submitted.
    fn known_route(&self) -> Route {
        if self.issuing.get().is_some() { Route::Event } else { self.binding().known_route() }
    }

    /// See the field.
    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    fn read_cancels(&self) -> u64 {
        self.read_cancels.load(Ordering::SeqCst)
    }

    /// Why a write that is submitted now will fail, if another thread issues it, so that the
    /// submission cannot tell.
    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    fn refuses_writes(&self) -> Result<(), Failure> {
        if self.exclusive && self.issuing.get().is_none() {
            return Ok(());
        }
        self.issuer.refusal_of_writes().map_or(Ok(()), Err)
    }
}

impl<S: System> super::Channel<S> for Channel<S> {
    type Reads = tasks::Reads<S>;
    type Writes = tasks::Writes<S>;

    fn on_report(channel: Arc<Self>, packet: Packet<<S::Issuer as Issuer>::Said>) {
        if packet.id == SlotId::NONE {
            for half in [Half::Read, Half::Write] {
                Self::issue_waiting(Arc::clone(&channel), half, None);
            }
        } else {
            Self::on_completion(channel, packet.id, Some(packet.said));
        }
    }

    /// Issues the operation on the calling thread, or, if it goes through an event, on the
    /// driver's.
    fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight<S>>) {
        match self.start(&operation) {
            // The operation is pending, and its completion will be observed.
            Ok(None) => {}
            Ok(Some(ended)) => ended.tell(),
            Err(failure) => operation.complete(Err(failure)),
        }
    }

    fn cancel(channel: Arc<Self>, operation: &dyn InFlight<S>) {
        let half = operation.request().half;
        let mut table = channel.table(half);
        let Some(ended) = channel.cancel_entry(half, &mut table, operation.loan().slot().id()) else { return };
        channel.pass_on(half, table);
        drop(channel);
        ended.tell();
    }

    fn cancel_all(self: &Arc<Self>, half: Half) {
        if half == Half::Read {
            self.read_cancels.fetch_add(1, Ordering::SeqCst);
        }
        let mut table = self.table(half);
        let ended = table.end_waiting(|done| Err(Failure::Cancelled { transferred: Some(done) }));
        for entry in table.iter_mut() {
            if entry.set_cancelled() {
                self.issuer.cancel(entry.id());
            }
        }
        // The others are threads that wait for their turn, or reads that the driver issues again.
        self.line(half).notify(&mut table);
        drop(table);
        ended.into_iter().for_each(Ended::tell);
    }

    fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
        blocking::read(self, buffers, deadline)
    }

    fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        blocking::write(self, buffers, deadline)
    }

    fn in_flight(&self, half: Half) -> usize {
        self.table(half).len()
    }

    fn attachment(&self) -> &Attachment<S> {
        &self.attachment
    }

    fn while_known<R>(&self, then: impl FnOnce(bool) -> R) -> R {
        let binding = self.binding();
        then(!binding.is_none())
    }

    /// Systems of this model do not fork.
    fn check_process(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// There is no half-close in this model, so writing goes on.
    fn check_write(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure> {
        self.issuer.shutdown_write()
    }

    /// There is no half-close in this model: the peer's writes go on while ours are in flight.
    fn stop_reading(&self) {}

    /// The handle must not be bound to a port of ours.
    fn take_handle(&self) -> Result<Option<S::Handle>, Failure> {
        self.give_away(|| self.binding().check_unbound())
    }

    /// Systems of this model do not fork.
    fn leave_to_parent(&self) {}
}
