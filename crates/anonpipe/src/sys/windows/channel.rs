//! An overlapped end: its handle, and what is in flight on it.
//!
//! The kernel has the queue: first in, first out, a direction. Ours only says what is in it, so that an operation and its
//! buffer live until their completion was observed, and a packet is matched with an operation without trusting its pointer.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, GetLastError, STATUS_PENDING};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};

use super::binding::{Binding, Route};
use super::event::Event;
use super::foreign::Wait;
use super::slot::{prepare, result_of};
use super::transfer::outcome;
use crate::driver::{self, Lease, undisturbed};
use crate::error::Failure;
use crate::op::{Flow, Header, InFlight, Outcome};
use crate::sys::{ALREADY_ATTACHED, TOO_LATE_TO_ATTACH, place_in};

mod blocking;
#[cfg(test)]
mod strangers;

pub(crate) struct Channel {
    binding: Mutex<Binding>,
    reads: Mutex<VecDeque<Entry>>,
    writes: Mutex<VecDeque<Entry>>,
    /// The driver that it was given to, if not the process's.
    attached: OnceLock<Lease>,
    /// How often all reads were cancelled: a task compares it with what it was when its wait began.
    read_cancels: AtomicU64,
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

enum Entry {
    /// An operation owns the channel it runs on: closing the handle under it would look like the peer's end of file.
    Operation(Arc<dyn InFlight>, Arc<Channel>),
    /// The address of the `OVERLAPPED` of a thread that blocks in `read` or `write`.
    Thread(usize),
}

impl Entry {
    fn is(&self, overlapped: *mut OVERLAPPED) -> bool {
        self.overlapped() == overlapped
    }

    fn overlapped(&self) -> *mut OVERLAPPED {
        match self {
            Self::Operation(operation, _) => operation.header().slot.overlapped(),
            Self::Thread(address) => ptr::without_provenance_mut(*address),
        }
    }
}

/// What became of issuing an operation.
enum Issued {
    Done(Outcome),
    Pending,
}

impl Channel {
    pub(crate) fn new(handle: OwnedHandle) -> Self {
        Self {
            binding: Mutex::default(),
            reads: Mutex::default(),
            writes: Mutex::default(),
            attached: OnceLock::new(),
            read_cancels: AtomicU64::new(0),
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

    /// Gives the handle away, unbound from our port. `None`: operations are in flight.
    ///
    /// The last handle to the end is being converted, so nothing is submitted any more. A driver may still look at this channel
    /// because of a late packet, sees that there is nothing in flight, and does not touch the handle.
    pub(crate) fn take_pipe(&self) -> Result<Option<OwnedHandle>, Failure> {
        let (reads, writes) = (self.queue(Flow::Read), self.queue(Flow::Write));
        if !(reads.is_empty() && writes.is_empty()) {
            return Ok(None);
        }
        self.binding().release(self.handle.as_handle())?;
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

    fn queue(&self, flow: Flow) -> MutexGuard<'_, VecDeque<Entry>> {
        let queue = match flow {
            Flow::Read => &self.reads,
            Flow::Write => &self.writes,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn in_flight(&self, flow: Flow) -> usize {
        self.queue(flow).len()
    }

    /// Starts an operation on the calling thread.
    pub(crate) fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight>) {
        let header = operation.header();
        let started = self.start(&operation);
        if let Some(outcome) = started.unwrap_or_else(|failure| Some(Err(failure))) {
            header.complete(outcome);
        }
    }

    /// `None`: it is pending, and its completion will be observed.
    fn start(self: &Arc<Self>, operation: &Arc<dyn InFlight>) -> Result<Option<Outcome>, Failure> {
        let header = operation.header();
        let length = checked_length(header)?;
        let route = self.binding().route(|| self.source(), self, self.handle.as_handle())?;
        let event = match route {
            Route::Port { .. } => None,
            Route::Event => Some(Event::new()?),
        };
        // The packets of an operation that succeeds at once are skipped, or come all the same.
        let packet_on_success = route == Route::Port { skips: false };
        let overlapped = header.slot.overlapped();
        let mut queue = self.queue(header.flow);
        // In the queue before it is issued. The lock is held meanwhile, so that the queue's order is the kernel's, and nobody
        // cancels what is not yet issued.
        queue.push_back(Entry::Operation(Arc::clone(operation), Arc::clone(self)));
        let hevent = event.as_ref().map_or(ptr::null_mut(), Event::without_packet);
        // SAFETY: buffer and OVERLAPPED belong to the operation, of which the queue owns a share until the completion was
        // observed. Nobody looks at the buffer before that.
        let issued = unsafe { self.issue(header.flow, overlapped, hevent, header.data(), length, packet_on_success) };
        match issued {
            Issued::Done(outcome) => {
                let entry = queue.pop_back();
                drop(queue);
                drop(entry);
                Ok(Some(outcome))
            }
            Issued::Pending => {
                drop(queue);
                if let Some(event) = event {
                    self.await_event(overlapped, event);
                }
                Ok(None)
            }
        }
    }

    /// Has the thread pool wait for a pending operation's event.
    fn await_event(self: &Arc<Self>, overlapped: *mut OVERLAPPED, event: Event) {
        let wait = Arc::new(Wait::new(Arc::clone(self), overlapped, event));
        if let Err((_, event)) = wait.register() {
            // No memory, at worst. The operation must end before its event does.
            self.cancel_raw(overlapped);
            let _ = event.wait(None);
            Self::on_completion(Arc::clone(self), overlapped);
        }
    }

    /// Gives one operation to the kernel.
    ///
    /// # Safety
    ///
    /// `data` must be good for `length` bytes, and `overlapped` valid and unused; both must stay, untouched by anyone else,
    /// until the completion was observed.
    unsafe fn issue(
        &self,
        flow: Flow,
        overlapped: *mut OVERLAPPED,
        event: *mut std::ffi::c_void,
        data: *mut u8,
        length: u32,
        packet_on_success: bool,
    ) -> Issued {
        let handle = self.handle.as_raw_handle();
        loop {
            // SAFETY: valid and unused, says the caller.
            unsafe { prepare(overlapped, event) };
            let done = match flow {
                // SAFETY: what must live lives until the completion, says the caller.
                Flow::Read => unsafe { ReadFile(handle, data, length, ptr::null_mut(), overlapped) },
                // SAFETY: as above.
                Flow::Write => unsafe { WriteFile(handle, data, length, ptr::null_mut(), overlapped) },
            };
            if done == 0 {
                // SAFETY: takes nothing, and cannot fail.
                let error = unsafe { GetLastError() };
                return match error {
                    ERROR_IO_PENDING => Issued::Pending,
                    _ => Issued::Done(failed_at_once(flow, error)),
                };
            }
            if packet_on_success {
                return Issued::Pending;
            }
            // SAFETY: it is complete, so the kernel is done with it.
            let (status, count) = unsafe { result_of(overlapped) };
            if let Some(outcome) = outcome(flow, status, count, length as usize) {
                return Issued::Done(outcome);
            }
        }
    }

    /// An operation with that `OVERLAPPED` is said to be complete: by a packet, or by its event.
    ///
    /// It may be a stranger's. Then nothing happens.
    pub(super) fn on_completion(channel: Arc<Self>, overlapped: *mut OVERLAPPED) {
        let Some((operation, owner, outcome)) = channel.take_completed(overlapped) else { return };
        let Some(outcome) = outcome else {
            // It read an empty message of a peer that writes messages. Its buffer is still empty: it goes on.
            return owner.submit(operation);
        };
        // Whoever learns of the completion may want to take the handle out, and must be the last owner then.
        drop(owner);
        drop(channel);
        undisturbed(|| {
            operation.header().complete(outcome);
            drop(operation);
        });
    }

    /// Takes an operation that is complete out of its queue.
    #[expect(clippy::type_complexity, reason = "an entry's two parts, and the outcome")]
    fn take_completed(&self, overlapped: *mut OVERLAPPED) -> Option<(Arc<dyn InFlight>, Arc<Self>, Option<Outcome>)> {
        for flow in [Flow::Read, Flow::Write] {
            let mut queue = self.queue(flow);
            let Some(place) = place_in(&queue, |entry| entry.is(overlapped)) else { continue };
            let Some(Entry::Operation(operation, _)) = queue.get(place) else { return None };
            // SAFETY: it is the OVERLAPPED of an operation of ours, and the entry keeps it; the kernel writes the status last.
            let (status, count) = unsafe { result_of(operation.header().slot.overlapped()) };
            if status == STATUS_PENDING {
                // Somebody else's packet, whose OVERLAPPED has the same address in another process.
                return None;
            }
            if let Some(Entry::Operation(operation, owner)) = queue.remove(place) {
                let length = operation.header().length();
                return Some((operation, owner, outcome(flow, status, count, length)));
            }
        }
        None
    }

    /// Asks the kernel to end one operation. Whether it did is said by the completion.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "on other systems it completes, and must not hold the channel then"
    )]
    pub(crate) fn cancel(channel: Arc<Self>, header: &Header) {
        let overlapped = header.slot.overlapped();
        let queue = channel.queue(header.flow);
        if place_in(&queue, |entry| entry.is(overlapped)).is_some() {
            channel.cancel_raw(overlapped);
        }
    }

    /// Asks the kernel to end everything in one direction.
    pub(crate) fn cancel_all(&self, flow: Flow) {
        if flow == Flow::Read {
            self.read_cancels.fetch_add(1, Ordering::SeqCst);
        }
        for entry in &*self.queue(flow) {
            self.cancel_raw(entry.overlapped());
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

    pub(crate) fn shutdown_write(&self) -> Result<(), Failure> {
        super::shutdown_write(self.handle.as_handle())
    }

    fn cancel_raw(&self, overlapped: *mut OVERLAPPED) {
        // "Not found" means that it is complete, or already cancelled.
        // SAFETY: the kernel only compares the pointer with those of the operations in flight.
        unsafe { CancelIoEx(self.handle.as_raw_handle(), overlapped) };
    }
}

/// An operation that failed when it was issued: no packet, and the event stays reset.
fn failed_at_once(flow: Flow, error: u32) -> Outcome {
    use windows_sys::Win32::Foundation::ERROR_BROKEN_PIPE;

    match (flow, error) {
        (Flow::Read, ERROR_BROKEN_PIPE) => Ok(0),
        _ => Err(Failure::Os { error: io::Error::from_raw_os_error(error.cast_signed()), transferred: Some(0) }),
    }
}

/// The length of a submitted operation. A longer one is refused rather than cut short.
fn checked_length(header: &Header) -> Result<u32, Failure> {
    u32::try_from(header.length()).map_err(|_| {
        let why = format!("the buffer has {} bytes, and Windows takes at most {} at once", header.length(), u32::MAX);
        Failure::refused(io::ErrorKind::InvalidInput, why)
    })
}
