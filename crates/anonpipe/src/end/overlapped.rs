//! Ends of mode [`Overlapped`](crate::Overlapped), on the system that this is built for.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};

use super::handle::EndHandle;
use super::{Access, EndImpl, Origin};
use crate::channel::Channel as _;
#[cfg(unix)]
use crate::contract::EndName;
use crate::contract::{ConversionError, IoMode};
#[cfg(unix)]
use crate::driver::channel_of_input;
use crate::driver::{Native, channel_of, pipe_of};
use crate::sys::{BorrowedPipe, OwnedPipe};

/// An end of mode [`Overlapped`](crate::Overlapped): one of the handles to its channel.
pub struct OverlappedEnd(pub(crate) EndHandle<Native>);

impl OverlappedEnd {
    /// What another program gave us to read, which may be something else than a pipe or a socket.
    #[cfg(unix)]
    pub(crate) fn of_input(fd: OwnedPipe) -> Self {
        let name = EndName { called: None, role: None, direction: None };
        let origin = Origin { name, requested_capacity: None, exclusive: false };
        Self(EndHandle::new(channel_of_input(fd), origin, Access::Read))
    }

    pub(crate) fn split(self) -> (Self, Self) {
        let (reading, writing) = self.0.split();
        (Self(reading), Self(writing))
    }

    pub(crate) fn join(self, writing: Self) -> Self {
        Self(self.0.join(writing.0))
    }

    /// Takes the system's handle out, if it is bound to no completion port of ours.
    pub(crate) fn into_pipe(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.0.take_handle(|channel| channel.take_handle()).map_err(given_back)
    }

    /// As [`into_pipe`](Self::into_pipe), bound or not.
    #[cfg(windows)]
    pub(crate) fn into_pipe_still_bound(self) -> Result<OwnedPipe, ConversionError<Self>> {
        self.0.take_handle(|channel| channel.take_handle_still_bound()).map_err(given_back)
    }
}

fn given_back(failed: ConversionError<EndHandle<Native>>) -> ConversionError<OverlappedEnd> {
    let (error, handle) = failed.into_parts();
    ConversionError::new(error, OverlappedEnd(handle))
}

impl EndImpl for OverlappedEnd {
    fn new(pipe: OwnedPipe, origin: Origin, access: Access) -> Self {
        Self(EndHandle::new(channel_of(pipe, origin.exclusive), origin, access))
    }

    fn pipe(&self) -> BorrowedPipe<'_> {
        pipe_of(self.0.channel())
    }

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone_handle()))
    }

    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.read_until(buffers, None)
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_until(buffers, None)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.0.shutdown_write()
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(name);
        debug
            .field("mode", &IoMode::Overlapped)
            .field("end", &format_args!("{}", self.0.origin().name))
            .field("pipe", &self.pipe());
        self.0.debug(&mut debug);
        debug.finish()
    }
}

impl fmt::Debug for OverlappedEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EndImpl::fmt(self, "OverlappedEnd", f)
    }
}
