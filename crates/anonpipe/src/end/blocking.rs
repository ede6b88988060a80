//! Ends in the mode that other programs expect.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Access, EndImpl, Origin, total};
use crate::contract::{Action, Failure, IoMode, nothing_to_do};
use crate::sys::{self, BorrowedPipe, OwnedPipe};

/// An end of mode [`Blocking`](crate::Blocking): the system's handle, and whether writing was ended
/// here.
pub struct BlockingEnd {
    pipe: OwnedPipe,
    origin: Origin,
    /// By this handle or by a clone. Then failing writes are not the peer's doing.
    shut: Arc<AtomicBool>,
}

impl BlockingEnd {
    pub(crate) fn into_pipe(self) -> OwnedPipe {
        self.pipe
    }
}

impl EndImpl for BlockingEnd {
    fn new(pipe: OwnedPipe, origin: Origin, _: Access) -> Self {
        Self { pipe, origin, shut: Arc::default() }
    }

    fn pipe(&self) -> BorrowedPipe<'_> {
        sys::borrow(&self.pipe)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn try_clone(&self) -> io::Result<Self> {
        let pipe = self.pipe.try_clone().map_err(|error| self.failed(Action::Clone, error.into()))?;
        Ok(Self { pipe, origin: self.origin, shut: Arc::clone(&self.shut) })
    }

    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let read = nothing_to_do(total(buffers)).unwrap_or_else(|| sys::read(self.pipe(), buffers));
        read.map_err(|failure| self.failed(Action::Read, failure))
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = if self.shut.load(Ordering::Acquire) {
            Err(Failure::shut_down())
        } else {
            nothing_to_do(total(buffers)).unwrap_or_else(|| sys::write(self.pipe(), buffers))
        };
        written.map_err(|failure| self.failed(Action::Write, failure))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        sys::shutdown_write(self.pipe()).map_err(|failure| failure.into_io(Action::ShutDown, self.origin.name))?;
        self.shut.store(true, Ordering::Release);
        Ok(())
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("mode", &IoMode::Blocking)
            .field("end", &format_args!("{}", self.origin.name))
            .field("pipe", &self.pipe)
            .finish()
    }
}

impl fmt::Debug for BlockingEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EndImpl::fmt(self, "BlockingEnd", f)
    }
}
