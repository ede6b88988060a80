//! What [`Reader`](crate::Reader), [`Writer`](crate::Writer) and [`Duplex`](crate::Duplex) have in common, in each mode.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::buffer::sealed::Token;
use crate::driver::Driver;
use crate::error::{Action, ConversionError, Failure};
use crate::info::{EndName, Info};
use crate::mode::IoMode;
use crate::op::{self, Flow, Op, Outcome};
use crate::polled::{Reads, Writes};
use crate::sys::{self, BorrowedPipe, Channel, OwnedPipe};
use crate::{ReadBuffer, WriteBuffer};

mod adopt;
mod blocking;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod tasks;

pub(crate) use adopt::adopt;
pub(crate) use blocking::BlockingEnd;
use tasks::closed;

/// As much of `buffer` as goes at once.
pub(crate) fn slice(buffer: &[u8]) -> IoSlice<'_> {
    IoSlice::new(&buffer[..buffer.len().min(sys::MOST_AT_ONCE)])
}

/// As much of `buffer` as goes at once.
pub(crate) fn slice_mut(buffer: &mut [u8]) -> IoSliceMut<'_> {
    let length = buffer.len().min(sys::MOST_AT_ONCE);
    IoSliceMut::new(&mut buffer[..length])
}

/// What an end knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    pub(crate) name: EndName,
    pub(crate) requested_capacity: Option<usize>,
    /// There is no other handle to this end: it was made here, or the caller said so when it was
    /// adopted.
    #[cfg_attr(
        not(windows),
        expect(dead_code, reason = "on Windows alone something is changed that others would share")
    )]
    pub(crate) exclusive: bool,
}

/// What a handle to an end may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Write only.
    Write,
    /// Read and write.
    Both,
}

impl Access {
    fn reads(self) -> bool {
        self != Self::Write
    }

    fn writes(self) -> bool {
        self != Self::Read
    }
}

/// An end in one of the two modes.
pub trait EndImpl: Sized {
    fn new(pipe: OwnedPipe, meta: Meta, access: Access) -> Self;
    fn pipe(&self) -> BorrowedPipe<'_>;
    fn meta(&self) -> &Meta;
    fn try_clone(&self) -> io::Result<Self>;
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Waits for the completion of what was accepted by the async traits.
    fn flush(&mut self) -> io::Result<()>;
    /// Half-closes, once what was accepted is written.
    fn shutdown_write(&self) -> io::Result<()>;
    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    fn bytes_available(&self) -> io::Result<usize> {
        sys::bytes_available(self.pipe()).map_err(|error| self.failed(Action::CountAvailable, error))
    }

    fn info(&self) -> io::Result<Info> {
        let probe = sys::probe(self.pipe()).map_err(|error| self.failed(Action::Describe, error))?;
        let meta = self.meta();
        Ok(Info {
            mode: probe.mode,
            role: meta.name.role.or(probe.role),
            direction: meta.name.direction.or(probe.direction),
            inheritable: probe.inheritable,
            name: probe.name,
            capacity: probe.capacity,
            requested_capacity: meta.requested_capacity,
        })
    }

    fn failed(&self, action: Action, error: io::Error) -> io::Error {
        Failure::from(error).into_io(action, self.meta().name)
    }
}

/// How many handles to an end there are, for each direction: the last one cancels, whichever way they came to be.
struct Owners {
    all: AtomicUsize,
    readers: AtomicUsize,
    /// The first of them read and wrote.
    duplex: bool,
}

impl Owners {
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
    /// Once it was polled: most ends are not, or in one direction.
    reads: Option<Box<Reads>>,
    writes: Option<Box<Writes>>,
    channel: Arc<Channel>,
    owners: Arc<Owners>,
    meta: Meta,
    access: Access,
    /// Writing was ended here, by [`poll_close`](Self::poll_close).
    closed: bool,
}

impl OverlappedEnd {
    fn another(&self, access: Access) -> Self {
        self.owners.all.fetch_add(1, Ordering::Relaxed);
        if access.reads() {
            self.owners.readers.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            reads: None,
            writes: None,
            channel: Arc::clone(&self.channel),
            owners: Arc::clone(&self.owners),
            meta: self.meta,
            access,
            closed: self.closed,
        }
    }

    #[cfg(all(test, windows))]
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
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
        let attached = self.check_open().and_then(|()| self.channel.attach(driver.lease()));
        attached.map_err(|failure| failure.into_io(Action::Attach, self.meta.name))
    }

    pub(crate) fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        op::submit_read(&self.channel, self.meta.name, buffer)
    }

    pub(crate) fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        match self.check_write(buffer.bytes(Token(())).is_empty()) {
            Ok(()) => op::submit_write(&self.channel, self.meta.name, buffer),
            Err(failure) => op::refuse(&self.channel, self.meta.name, Flow::Write, buffer, failure),
        }
    }

    pub(crate) fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Instant::now().checked_add(timeout);
        self.read_until(&mut [slice_mut(buffer)], deadline)
    }

    pub(crate) fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Instant::now().checked_add(timeout);
        self.write_until(&[slice(buffer)], deadline)
    }

    fn read_until(&self, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        self.named(Flow::Read, self.channel.read(buffers, deadline))
    }

    fn write_until(&self, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> io::Result<usize> {
        let is_empty = buffers.iter().all(|buffer| buffer.is_empty());
        let written = self
            .check_write(is_empty)
            .and_then(|()| if is_empty { Ok(0) } else { self.channel.write(buffers, deadline) });
        self.named(Flow::Write, written)
    }

    /// What every way of writing asks first: whether writing was ended here. A write of nothing asks the channel as well, which
    /// will not see it; beyond that it does nothing, and so succeeds even if the peer is gone.
    fn check_write(&self, is_empty: bool) -> Result<(), Failure> {
        self.check_open()?;
        if is_empty { self.channel.check_write() } else { Ok(()) }
    }

    fn named(&self, flow: Flow, outcome: Outcome) -> io::Result<usize> {
        outcome.map_err(|failure| failure.into_io(flow.action(), self.meta.name))
    }

    /// Cancels what is pending in the directions that this handle has.
    pub(crate) fn cancel_all(&self) {
        if self.access.reads() {
            self.channel.cancel_all(Flow::Read);
        }
        if self.access.writes() {
            self.channel.cancel_all(Flow::Write);
        }
    }

    /// Takes the system's handle out, if it is bound to no completion port of ours.
    pub(crate) fn into_pipe(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.take_pipe(Channel::take_pipe)
    }

    /// As [`into_pipe`](Self::into_pipe), bound or not.
    #[cfg(windows)]
    pub(crate) fn into_pipe_still_bound(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.take_pipe(Channel::take_pipe_still_bound)
    }

    fn take_pipe(
        mut self,
        take: impl FnOnce(&Channel) -> Result<Option<OwnedPipe>, Failure>,
    ) -> Result<OwnedPipe, ConversionError<Self>> {
        let refuse = |end: Self, failure: Failure| {
            let error = failure.into_io(Action::Convert, end.meta.name);
            Err(ConversionError::new(error, end))
        };
        let busy = |why: &str| Failure::refused(io::ErrorKind::ResourceBusy, why);
        let in_flight = || busy("operations are in flight: wait for them or cancel them first");
        if self.is_closed_writer() {
            return refuse(self, closed());
        }
        if self.owners.all.load(Ordering::Acquire) > 1 {
            return refuse(self, busy("it has clones or halves, which would lose their handle: drop them first"));
        }
        // Of an operation that the system is done with the driver may be about to say so.
        let patience = Instant::now() + Duration::from_secs(1);
        if let Some(mut reads) = self.reads.take() {
            reads.take_back(&self.channel, patience);
        }
        if self.channel.in_flight(Flow::Read) + self.channel.in_flight(Flow::Write) > 0 {
            return refuse(self, in_flight());
        }
        // Whoever has the handle afterwards would not know.
        if let Some(error) = self.writes.as_mut().and_then(|writes| writes.failure(patience)) {
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

impl Drop for OverlappedEnd {
    fn drop(&mut self) {
        self.leave();
        if self.access.reads() && self.owners.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.channel.cancel_all(Flow::Read);
        }
        if self.owners.duplex && self.owners.readers.load(Ordering::Acquire) == 0 {
            self.channel.stop_reading();
        }
        if self.owners.all.fetch_sub(1, Ordering::AcqRel) == 1 && !self.is_closed_writer() {
            self.channel.leave_to_parent();
        }
    }
}

impl EndImpl for OverlappedEnd {
    fn new(pipe: OwnedPipe, meta: Meta, access: Access) -> Self {
        #[cfg(windows)]
        let channel = Channel::new(pipe, meta.exclusive);
        #[cfg(not(windows))]
        let channel = Channel::new(pipe);
        Self {
            reads: None,
            writes: None,
            channel: Arc::new(channel),
            owners: Arc::new(Owners::of(access)),
            meta,
            access,
            closed: false,
        }
    }

    fn pipe(&self) -> BorrowedPipe<'_> {
        self.channel.pipe()
    }

    fn meta(&self) -> &Meta {
        &self.meta
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
        self.writes.as_mut().map_or(Ok(()), |writes| writes.flush())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let shut = self.check_open().and_then(|()| self.channel.shutdown_write());
        shut.map_err(|failure| failure.into_io(Action::ShutDown, self.meta.name))
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(name);
        debug
            .field("mode", &IoMode::Overlapped)
            .field("end", &format_args!("{}", self.meta.name))
            .field("pipe", &self.pipe());
        if self.access.reads() {
            debug.field("reads_in_flight", &self.channel.in_flight(Flow::Read));
        }
        if self.access.writes() {
            debug.field("writes_in_flight", &self.channel.in_flight(Flow::Write));
        }
        debug.finish()
    }
}

impl fmt::Debug for OverlappedEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EndImpl::fmt(self, "OverlappedEnd", f)
    }
}

#[cfg(all(test, windows, target_pointer_width = "64"))]
mod tests {
    use super::{slice, slice_mut};

    /// std's slices panic beyond it. The memory is never touched.
    #[test]
    fn a_buffer_beyond_4_gib_is_cut() {
        let mut buffer = vec![0; u32::MAX as usize + 10];
        assert_eq!(slice(&buffer).len(), u32::MAX as usize);
        assert_eq!(slice_mut(&mut buffer).len(), u32::MAX as usize);
    }
}
