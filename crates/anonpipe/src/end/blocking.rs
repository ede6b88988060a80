//! Ends in the mode that other programs expect.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};

use super::{Access, EndImpl, Meta};
use crate::error::Action;
use crate::mode::IoMode;
use crate::sys::{self, BorrowedPipe, OwnedPipe};

/// An end of mode [`Blocking`](crate::Blocking): the system's handle, and nothing else.
pub struct BlockingEnd {
    pipe: OwnedPipe,
    meta: Meta,
}

impl BlockingEnd {
    pub(crate) fn into_pipe(self) -> OwnedPipe {
        self.pipe
    }
}

impl EndImpl for BlockingEnd {
    fn new(pipe: OwnedPipe, meta: Meta, _: Access) -> Self {
        Self { pipe, meta }
    }

    fn pipe(&self) -> BorrowedPipe<'_> {
        sys::borrow(&self.pipe)
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn try_clone(&self) -> io::Result<Self> {
        let pipe = self.pipe.try_clone().map_err(|error| self.failed(Action::Clone, error))?;
        Ok(Self { pipe, meta: self.meta })
    }

    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        sys::read(self.pipe(), buffers).map_err(|failure| failure.into_io(Action::Read, self.meta.name))
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        sys::write(self.pipe(), buffers).map_err(|failure| failure.into_io(Action::Write, self.meta.name))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        sys::shutdown_write(self.pipe()).map_err(|failure| failure.into_io(Action::ShutDown, self.meta.name))
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("mode", &IoMode::Blocking)
            .field("end", &format_args!("{}", self.meta.name))
            .field("pipe", &self.pipe)
            .finish()
    }
}

impl fmt::Debug for BlockingEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EndImpl::fmt(self, "BlockingEnd", f)
    }
}
