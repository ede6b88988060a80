//! Ends of mode [`Overlapped`](crate::Overlapped).

#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod tasks;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Access, EndImpl, Origin, slice, slice_mut, total};
use crate::buffer::sealed::Token;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::channel::{self, Channel as _, System as _, TaskReads as _, TaskWrites as _};
use crate::contract::{Action, ConversionError, Failure, Half, IoMode, Outcome, nothing_to_do};
use crate::driver::{Driver, Native, NativeChannel};
use crate::op::{Op, Operation};
use crate::sys::{self, BorrowedPipe, OwnedPipe};

type Reads = <NativeChannel as channel::Channel<Native>>::Reads;
type Writes = <NativeChannel as channel::Channel<Native>>::Writes;

#[cfg(windows)]
fn pipe_of(channel: &NativeChannel) -> BorrowedPipe<'_> {
    std::os::windows::io::AsHandle::as_handle(channel.issuer())
}

#[cfg(unix)]
fn pipe_of(channel: &NativeChannel) -> BorrowedPipe<'_> {
    std::os::fd::AsFd::as_fd(channel.descriptor())
}

/// `exclusive`: no other handle to this end exists.
#[cfg(windows)]
fn channel_of(pipe: OwnedPipe, exclusive: bool) -> NativeChannel {
    NativeChannel::new(sys::Issuer::new(pipe), exclusive)
}

/// On Unix, making a channel changes nothing that other handles share.
#[cfg(unix)]
fn channel_of(pipe: OwnedPipe, _exclusive: bool) -> NativeChannel {
    NativeChannel::new(sys::Descriptor::new(pipe))
}

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
pub struct OverlappedEnd {
    /// `None` until the first poll: most ends are never polled, or only in one direction.
    reads: Option<Box<Reads>>,
    writes: Option<Box<Writes>>,
    channel: Arc<NativeChannel>,
    handles: Arc<HandleCount>,
    origin: Origin,
    access: Access,
    /// Writing was ended here, by [`poll_close`](Self::poll_close).
    closed: bool,
}

impl OverlappedEnd {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether this handle has given up its pipe. The pipe it holds instead is shared by all closed
    /// writers.
    fn is_closed_writer(&self) -> bool {
        self.closed && self.access == Access::Write
    }

    fn check_open(&self) -> Result<(), Failure> {
        if self.closed { Err(closed()) } else { Ok(()) }
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

    pub(crate) fn attach(&self, driver: &Driver) -> io::Result<()> {
        let attached = self.check_open().and_then(|()| channel::attach::<Native>(&self.channel, driver.make_ref()));
        attached.map_err(|failure| failure.into_io(Action::Attach, self.origin.name))
    }

    pub(crate) fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        Op(Operation::read(&self.channel, self.origin.name, buffer))
    }

    pub(crate) fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        match self.decided(Half::Write, buffer.bytes(Token(())).len()) {
            Some(Err(failure)) => Op(Operation::refused(self.origin.name, Half::Write, buffer, failure)),
            Some(Ok(_)) | None => Op(Operation::write(&self.channel, self.origin.name, buffer)),
        }
    }

    pub(crate) fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Native::deadline_in(timeout);
        self.read_until(&mut [slice_mut(buffer)], deadline)
    }

    pub(crate) fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Native::deadline_in(timeout);
        self.write_until(&[slice(buffer)], deadline)
    }

    fn read_until(&self, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> io::Result<usize> {
        let outcome = self.decided(Half::Read, total(buffers));
        self.named(Half::Read, outcome.unwrap_or_else(|| self.channel.read(buffers, deadline)))
    }

    fn write_until(&self, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> io::Result<usize> {
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

    /// Cancels what is pending in the directions that this handle has.
    pub(crate) fn cancel_all(&self) {
        if self.access.reads() {
            self.channel.cancel_all(Half::Read);
        }
        if self.access.writes() {
            self.channel.cancel_all(Half::Write);
        }
    }

    /// Takes the system's handle out, if it is bound to no completion port of ours.
    pub(crate) fn into_pipe(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.take_pipe(|channel| channel.take_handle())
    }

    /// As [`into_pipe`](Self::into_pipe), bound or not.
    #[cfg(windows)]
    pub(crate) fn into_pipe_still_bound(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.take_pipe(|channel| channel.take_handle_still_bound())
    }

    fn take_pipe(
        mut self,
        take: impl FnOnce(&NativeChannel) -> Result<Option<OwnedPipe>, Failure>,
    ) -> Result<OwnedPipe, ConversionError<Self>> {
        let refuse = |end: Self, failure: Failure| {
            let error = failure.into_io(Action::Convert, end.origin.name);
            Err(ConversionError::new(error, end))
        };
        let busy = |why: &str| Failure::refused(io::ErrorKind::ResourceBusy, why);
        let in_flight = || busy("operations are in flight: wait for them or cancel them first");
        if self.is_closed_writer() {
            return refuse(self, closed());
        }
        if self.handles.all.load(Ordering::Acquire) > 1 {
            return refuse(self, busy("it has clones or halves, which would lose their handle: drop them first"));
        }
        // The driver may still be about to report an operation that the system is done with.
        let at_last = Native::now() + Duration::from_secs(1);
        if let Some(mut reads) = self.reads.take() {
            reads.take_back(&self.channel, at_last);
        }
        if self.channel.in_flight(Half::Read) + self.channel.in_flight(Half::Write) > 0 {
            return refuse(self, in_flight());
        }
        // The handle's next owner would not learn of it.
        if let Some(failure) = self.writes.as_mut().and_then(|writes| writes.failure(at_last)) {
            let error = self.failed(Action::Write, failure);
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

impl Drop for OverlappedEnd {
    fn drop(&mut self) {
        self.leave();
        if self.access.reads() && self.handles.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.channel.cancel_all(Half::Read);
        }
        if self.handles.duplex && self.handles.readers.load(Ordering::Acquire) == 0 {
            self.channel.stop_reading();
        }
        if self.handles.all.fetch_sub(1, Ordering::AcqRel) == 1 && !self.is_closed_writer() {
            self.channel.leave_to_parent();
        }
    }
}

impl EndImpl for OverlappedEnd {
    fn new(pipe: OwnedPipe, origin: Origin, access: Access) -> Self {
        let channel = channel_of(pipe, origin.exclusive);
        Self {
            reads: None,
            writes: None,
            channel: Arc::new(channel),
            handles: Arc::new(HandleCount::of(access)),
            origin,
            access,
            closed: false,
        }
    }

    fn pipe(&self) -> BorrowedPipe<'_> {
        pipe_of(&self.channel)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.another(self.access))
    }

    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_until(buffers, None)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_until(buffers, None)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writes.as_mut().map_or(Ok(()), |writes| writes.flush());
        flushed.map_err(|failure| self.failed(Action::Write, failure))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let shut = self.check_open().and_then(|()| self.channel.shutdown_write());
        shut.map_err(|failure| failure.into_io(Action::ShutDown, self.origin.name))
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(name);
        debug
            .field("mode", &IoMode::Overlapped)
            .field("end", &format_args!("{}", self.origin.name))
            .field("pipe", &self.pipe());
        if self.access.reads() {
            debug.field("reads_in_flight", &self.channel.in_flight(Half::Read));
        }
        if self.access.writes() {
            debug.field("writes_in_flight", &self.channel.in_flight(Half::Write));
        }
        debug.finish()
    }
}

impl fmt::Debug for OverlappedEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EndImpl::fmt(self, "OverlappedEnd", f)
    }
}
