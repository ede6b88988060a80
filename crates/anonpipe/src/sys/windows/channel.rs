//! An overlapped end: its handle, and what is in flight on it.
//!
//! The kernel has the queue: first in, first out, a direction. Ours only says what is in it, so that an operation and its
//! buffer live until their completion was observed, and a packet is matched with an operation without trusting its pointer.

use std::io;
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use windows_sys::Win32::Foundation::ERROR_NOT_FOUND;
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};

use super::binding::{Binding, Route};
use super::probe;
use crate::driver::{self, Lease};
use crate::error::Failure;
use crate::op::{Flow, Header, InFlight};
use crate::sys::{ALREADY_ATTACHED, TOO_LATE_TO_ATTACH};

mod blocking;
mod by_driver;
mod completion;
mod issue;
mod queue;
#[cfg(test)]
mod strangers;

use completion::Ended;
use queue::{Entry, Line, Queue};

pub(crate) struct Channel {
    binding: Mutex<Binding>,
    reads: Line,
    writes: Line,
    /// The driver that it was given to, if not the process's.
    attached: OnceLock<Lease>,
    /// The process's driver, whose thread issues the operations that go through events.
    issuer: OnceLock<Lease>,
    /// How often all reads were cancelled: a task compares it with what it was when its wait began.
    read_cancels: AtomicU64,
    /// There is no other handle to this end, so it may be bound to our port.
    exclusive: bool,
    /// Closed when this is dropped, unless [`take_pipe`](Channel::take_pipe) has given it away.
    handle: ManuallyDrop<OwnedHandle>,
    given_away: AtomicBool,
}

impl Drop for Channel {
    fn drop(&mut self) {
        if !*self.given_away.get_mut() {
            // SAFETY: this is its only drop, it was not given away, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.handle) };
        }
    }
}

impl Channel {
    /// `exclusive`: there is no other handle to this end. Else nothing of the file object is
    /// changed.
    pub(crate) fn new(handle: OwnedHandle, exclusive: bool) -> Self {
        Self {
            binding: Mutex::default(),
            reads: Line::default(),
            writes: Line::default(),
            attached: OnceLock::new(),
            issuer: OnceLock::new(),
            read_cancels: AtomicU64::new(0),
            exclusive,
            handle: ManuallyDrop::new(handle),
            given_away: AtomicBool::new(false),
        }
    }

    /// Has `lease` complete what is submitted here, from the first operation on.
    pub(crate) fn attach(&self, lease: Lease) -> Result<(), Failure> {
        if self.attached.get().is_some_and(|known| known.is_same(&lease)) {
            // By a clone, or by the other half.
            return Ok(());
        }
        let binding = self.binding();
        if !binding.is_none() {
            return Err(Failure::refused(io::ErrorKind::ResourceBusy, TOO_LATE_TO_ATTACH));
        }
        self.attached.set(lease).map_err(|_| Failure::refused(io::ErrorKind::ResourceBusy, ALREADY_ATTACHED))
    }

    /// The driver that somebody has to turn for it.
    pub(crate) fn attached(&self) -> Option<&Lease> {
        self.attached.get()
    }

    fn source(&self) -> io::Result<Lease> {
        self.attached.get().map_or_else(driver::global, |lease| Ok(lease.clone()))
    }

    pub(crate) fn pipe(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    fn binding(&self) -> MutexGuard<'_, Binding> {
        self.binding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the handle away, which must be bound to no port of ours. `None`: operations are in flight.
    pub(crate) fn take_pipe(&self) -> Result<Option<OwnedHandle>, Failure> {
        self.give_away(|| self.binding().check_unbound())
    }

    /// Gives the handle away all the same, unbound where the system can do that. `None`: operations are in flight.
    pub(crate) fn take_pipe_still_bound(&self) -> Result<Option<OwnedHandle>, Failure> {
        self.give_away(|| {
            self.binding().let_go(self.handle.as_handle());
            Ok(())
        })
    }

    /// The last handle to the end is being converted, so nothing is submitted any more. A driver may still look at this channel
    /// because of a late packet, sees that there is nothing in flight, and does not touch the handle.
    fn give_away(&self, prepare: impl FnOnce() -> Result<(), Failure>) -> Result<Option<OwnedHandle>, Failure> {
        let (reads, writes) = (self.queue(Flow::Read), self.queue(Flow::Write));
        if reads.len() + writes.len() > 0 {
            return Ok(None);
        }
        prepare()?;
        self.given_away.store(true, Ordering::Release);
        // SAFETY: open, and not closed by the drop of this channel any more; nothing uses it here from now on (see above).
        Ok(Some(unsafe { OwnedHandle::from_raw_handle(self.handle.as_raw_handle()) }))
    }

    /// Windows does not fork.
    #[expect(clippy::unused_self, reason = "other systems do")]
    pub(crate) fn leave_to_parent(&self) {}

    /// npfs has no half-close: the peer's writes go on while ours are in flight.
    #[expect(clippy::unused_self, reason = "other systems can do it")]
    pub(crate) fn stop_reading(&self) {}

    fn line(&self, flow: Flow) -> &Line {
        match flow {
            Flow::Read => &self.reads,
            Flow::Write => &self.writes,
        }
    }

    fn queue(&self, flow: Flow) -> MutexGuard<'_, Queue> {
        self.line(flow).lock()
    }

    pub(crate) fn in_flight(&self, flow: Flow) -> usize {
        self.queue(flow).len()
    }

    /// Starts an operation: on the calling thread, or, where it goes through an event, on the
    /// driver's.
    pub(crate) fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight>) {
        match self.start(&operation) {
            // It is pending, and its completion will be observed.
            Ok(None) => {}
            Ok(Some(ended)) => ended.tell(),
            Err(failure) => operation.header().complete(Err(failure)),
        }
    }

    fn start(self: &Arc<Self>, operation: &Arc<dyn InFlight>) -> Result<Option<Ended>, Failure> {
        let header = operation.header();
        issue::check_length(header)?;
        match self.route()? {
            Route::Port { skips } => {
                let mut queue = self.queue(header.flow);
                queue.push(Entry::operation(Arc::clone(operation), Arc::clone(self)), false);
                Ok(self.issue_for_port(header.flow, queue, header.slot.overlapped(), skips))
            }
            Route::Event => {
                self.submit_to_driver(Arc::clone(operation));
                Ok(None)
            }
        }
    }

    /// The route of an operation; binds the handle if it is the first.
    fn route(self: &Arc<Self>) -> io::Result<Route> {
        let route = self.binding().route(self.exclusive, || self.source(), self, self.handle.as_handle())?;
        if route == Route::Event && self.issuer.get().is_none() {
            // Of two threads that come here first, one gives its share back.
            let _ = self.issuer.set(driver::global()?);
        }
        Ok(route)
    }

    /// Asks for the end of one operation. Whether it came in time is said by the completion.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "on other systems it completes, and must not hold the channel then"
    )]
    pub(crate) fn cancel(channel: Arc<Self>, header: &Header) {
        let overlapped = header.slot.overlapped();
        if let Some(entry) = channel.queue(header.flow).find(overlapped) {
            channel.cancel_entry(header.flow, entry);
        }
    }

    /// Asks for the end of everything in one direction.
    pub(crate) fn cancel_all(&self, flow: Flow) {
        if flow == Flow::Read {
            self.read_cancels.fetch_add(1, Ordering::SeqCst);
        }
        for entry in self.queue(flow).iter_mut() {
            self.cancel_entry(flow, entry);
        }
    }

    /// The queue is locked meanwhile, so that the operation is not issued again in between.
    fn cancel_entry(&self, flow: Flow, entry: &mut Entry) {
        if entry.set_cancelled() {
            self.cancel_raw(entry.overlapped());
        } else {
            // Should it be a thread that waits for its turn.
            self.line(flow).ring();
        }
    }

    /// See the field.
    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    pub(crate) fn read_cancels(&self) -> u64 {
        self.read_cancels.load(Ordering::SeqCst)
    }

    /// Why a write that is submitted now will fail, where the submission does not say so: where
    /// another thread makes it.
    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    pub(crate) fn refuses_writes(&self) -> Result<(), Failure> {
        if self.exclusive && self.issuer.get().is_none() {
            return Ok(());
        }
        match probe::refusal_of_writes(self.pipe()) {
            Some(error) => Err(Failure::Os { error, transferred: Some(0) }),
            None => Ok(()),
        }
    }

    /// Whether writing goes on here. There is no half-close.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "other systems have one")]
    pub(crate) fn check_write(&self) -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn shutdown_write(&self) -> Result<(), Failure> {
        super::shutdown_write(self.handle.as_handle())
    }

    /// Returns whether the kernel had it. If not, it is complete or already cancelled, and the
    /// kernel says so ("not found").
    fn cancel_raw(&self, overlapped: *mut OVERLAPPED) -> bool {
        // SAFETY: the kernel only compares the pointer with those of the operations in flight.
        let done = unsafe { CancelIoEx(self.handle.as_raw_handle(), overlapped) };
        done != 0 || io::Error::last_os_error().raw_os_error() != Some(ERROR_NOT_FOUND.cast_signed())
    }
}
