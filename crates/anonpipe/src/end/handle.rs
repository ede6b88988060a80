//! A handle to an overlapped end of any system: clones and halves, and what each may do.

#[cfg(all(test, loom))]
mod interleavings;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod tasks;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Access, Origin, slice, slice_mut, total};
use crate::buffer::sealed::Token;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::channel::{self, Channel, System, TaskReads as _, TaskWrites as _};
use crate::contract::{Action, ConversionError, Failure, Half, Outcome, nothing_to_do};
use crate::op::Operation;
use crate::sync::{AtomicUsize, Ordering};

type ReadsOf<S> = <<S as System>::Channel as Channel<S>>::Reads;
type WritesOf<S> = <<S as System>::Channel as Channel<S>>::Writes;

/// Counts the handles to an end, for each direction: dropping the last one cancels, however the
/// handles were made.
struct HandleCount {
    all: AtomicUsize,
    readers: AtomicUsize,
    /// The first handle read and wrote.
    duplex: bool,
}

impl HandleCount {
    /// One handle.
    fn of(access: Access) -> Self {
        Self {
            all: AtomicUsize::new(1),
            readers: AtomicUsize::new(usize::from(access.reads())),
            duplex: access == Access::Both,
        }
    }
}

/// An end of mode [`Overlapped`](crate::Overlapped): one of the handles to its channel.
pub(crate) struct EndHandle<S: System> {
    /// `None` until the first poll: most ends are never polled, or only in one direction.
    reads: Option<Box<ReadsOf<S>>>,
    writes: Option<Box<WritesOf<S>>>,
    channel: Arc<S::Channel>,
    handles: Arc<HandleCount>,
    origin: Origin,
    access: Access,
    /// Writing was ended here, by [`poll_close`](Self::poll_close).
    closed: bool,
    /// It was closed, and has given up its pipe. The pipe it holds instead is shared by all closed
    /// writers.
    is_without_pipe: bool,
}

impl<S: System> EndHandle<S> {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    fn check_open(&self) -> Result<(), Failure> {
        if self.closed { Err(closed()) } else { Ok(()) }
    }

    /// The first handle to the end of `channel`.
    pub(crate) fn new(channel: S::Channel, origin: Origin, access: Access) -> Self {
        Self {
            reads: None,
            writes: None,
            channel: Arc::new(channel),
            handles: Arc::new(HandleCount::of(access)),
            origin,
            access,
            closed: false,
            is_without_pipe: false,
        }
    }

    /// Gives the end a name of its own, for errors.
    pub(crate) fn call(&mut self, name: &'static str) {
        self.origin.name.called = Some(name);
    }

    pub(crate) fn channel(&self) -> &S::Channel {
        &self.channel
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Another handle to the same end.
    pub(crate) fn clone_handle(&self) -> Self {
        self.another(self.access)
    }

    fn another(&self, access: Access) -> Self {
        self.handles.all.fetch_add(1, Ordering::Relaxed);
        if access.reads() {
            self.handles.readers.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            reads: None,
            writes: None,
            channel: Arc::clone(&self.channel),
            handles: Arc::clone(&self.handles),
            origin: self.origin,
            access,
            closed: self.closed,
            is_without_pipe: self.is_without_pipe,
        }
    }

    pub(crate) fn split(mut self) -> (Self, Self) {
        let (mut reading, mut writing) = (self.another(Access::Read), self.another(Access::Write));
        reading.reads = self.reads.take();
        writing.writes = self.writes.take();
        (reading, writing)
    }

    /// Whether both are handles to the same end.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    pub(crate) fn join(mut self, mut writing: Self) -> Self {
        let mut joined = self.another(Access::Both);
        joined.reads = self.reads.take();
        joined.writes = writing.writes.take();
        joined.closed = writing.closed;
        joined
    }

    pub(crate) fn attach(&self, driver: S::Driver) -> io::Result<()> {
        let attached = if self.is_without_pipe { Err(closed()) } else { channel::attach::<S>(&self.channel, driver) };
        attached.map_err(|failure| failure.into_io(Action::Attach, self.origin.name))
    }

    pub(crate) fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Operation<B, S> {
        Operation::read(&self.channel, self.origin.name, buffer)
    }

    pub(crate) fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Operation<B, S> {
        match self.decided(Half::Write, buffer.bytes(Token(())).len()) {
            Some(Err(failure)) => Operation::refused(self.origin.name, Half::Write, buffer, failure),
            Some(Ok(_)) | None => Operation::write(&self.channel, self.origin.name, buffer),
        }
    }

    pub(crate) fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let deadline = S::deadline_in(timeout);
        self.read_until(&mut [slice_mut(buffer)], deadline)
    }

    pub(crate) fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        let deadline = S::deadline_in(timeout);
        self.write_until(&[slice(buffer)], deadline)
    }

    pub(crate) fn read_until(&self, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> io::Result<usize> {
        let outcome = self.decided(Half::Read, total(buffers));
        self.named(Half::Read, outcome.unwrap_or_else(|| self.channel.read(buffers, deadline)))
    }

    pub(crate) fn write_until(&self, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> io::Result<usize> {
        let outcome = self.decided(Half::Write, total(buffers));
        self.named(Half::Write, outcome.unwrap_or_else(|| self.channel.write(buffers, deadline)))
    }

    /// The outcome of a transfer that is known before the channel is asked: there is nothing to do,
    /// or writing was ended here. An empty write also asks the channel whether writing was ended;
    /// beyond that it does nothing, and so succeeds even if the peer is gone.
    fn decided(&self, half: Half, bytes: usize) -> Option<Outcome> {
        let nothing = nothing_to_do(bytes);
        if half == Half::Read {
            return nothing;
        }
        if let Err(failure) = self.check_open() {
            return Some(Err(failure));
        }
        nothing.map(|outcome| self.channel.check_write().and(outcome))
    }

    fn named(&self, half: Half, outcome: Outcome) -> io::Result<usize> {
        outcome.map_err(|failure| failure.into_io(half.action(), self.origin.name))
    }

    /// Waits for what the async traits accepted.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writes.as_mut().map_or(Ok(()), |writes| writes.flush());
        flushed.map_err(|failure| failure.into_io(Action::Write, self.origin.name))
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        let shut = self.check_open().and_then(|()| self.channel.shutdown_write());
        shut.map_err(|failure| failure.into_io(Action::ShutDown, self.origin.name))
    }

    /// Adds what is in flight, in the directions of this handle.
    pub(crate) fn debug(&self, debug: &mut fmt::DebugStruct<'_, '_>) {
        if self.access.reads() {
            debug.field("reads_in_flight", &self.channel.in_flight(Half::Read));
        }
        if self.access.writes() {
            debug.field("writes_in_flight", &self.channel.in_flight(Half::Write));
        }
    }

    /// Cancels what is pending in the directions that this handle has.
    pub(crate) fn cancel_all(&self) {
        if self.access.reads() {
            self.channel.cancel_all(Half::Read);
        }
        if self.access.writes() {
            self.channel.cancel_all(Half::Write);
        }
    }

    /// Takes the system's handle out, as `take` does.
    pub(crate) fn take_handle(
        mut self,
        take: impl FnOnce(&S::Channel) -> Result<Option<S::Handle>, Failure>,
    ) -> Result<S::Handle, ConversionError<Self>> {
        let refuse = |end: Self, failure: Failure| {
            let error = failure.into_io(Action::Convert, end.origin.name);
            Err(ConversionError::new(error, end))
        };
        let busy = |why: &str| Failure::refused(io::ErrorKind::ResourceBusy, why);
        let in_flight = || busy("operations are in flight: wait for them or cancel them first");
        if self.is_without_pipe {
            return refuse(self, closed());
        }
        if self.handles.all.load(Ordering::Acquire) > 1 {
            return refuse(self, busy("it has clones or halves, which would lose their handle: drop them first"));
        }
        // The driver may still be about to report an operation that the system is done with.
        let at_last = S::now() + Duration::from_secs(1);
        if let Some(mut reads) = self.reads.take() {
            reads.take_back(&self.channel, at_last);
        }
        if self.channel.in_flight(Half::Read) + self.channel.in_flight(Half::Write) > 0 {
            return refuse(self, in_flight());
        }
        // The handle's next owner would not learn of it.
        if let Some(failure) = self.writes.as_mut().and_then(|writes| writes.failure(at_last)) {
            let error = failure.into_io(Action::Write, self.origin.name);
            return Err(ConversionError::new(error, self));
        }
        self.leave();
        match take(&self.channel) {
            Ok(Some(pipe)) => Ok(pipe),
            Ok(None) => refuse(self, in_flight()),
            Err(failure) => refuse(self, failure),
        }
    }
}

/// The answer when an end that was closed here is used.
fn closed() -> Failure {
    Failure::refused(io::ErrorKind::BrokenPipe, "it was closed here")
}

#[cfg(windows)]
impl EndHandle<crate::driver::Native> {
    /// See [`reads_within`](channel::completion::Channel::reads_within).
    pub(crate) fn reads_within(&self, count: usize) -> Vec<channel::completion::SlotId> {
        self.channel.reads_within(count)
    }

    /// Whether a read or a task waits for bytes, as far as this process knows.
    pub(crate) fn awaits_bytes(&self) -> bool {
        self.channel.in_flight(Half::Read) > 0
    }
}

impl<S: System> Drop for EndHandle<S> {
    fn drop(&mut self) {
        self.leave();
        if self.access.reads() && self.handles.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.channel.cancel_all(Half::Read);
        }
        if self.handles.duplex && self.handles.readers.load(Ordering::Acquire) == 0 {
            self.channel.stop_reading();
        }
        if self.handles.all.fetch_sub(1, Ordering::AcqRel) == 1 && !self.is_without_pipe {
            self.channel.leave_to_parent();
        }
    }
}
