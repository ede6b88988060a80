//! What [`Reader`](crate::Reader), [`Writer`](crate::Writer) and [`Duplex`](crate::Duplex) have in
//! common, in each mode.

mod adopt;
mod blocking;
mod handle;
mod overlapped;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};

use crate::contract::{Action, EndName, Failure, Info};
use crate::sys::{self, BorrowedPipe, OwnedPipe};

pub(crate) use adopt::adopt;
pub(crate) use blocking::BlockingEnd;
#[cfg(all(test, not(loom)))]
pub(crate) use handle::EndHandle;
pub(crate) use overlapped::OverlappedEnd;

/// Cuts `buffer` to what one call may take.
pub(crate) fn slice(buffer: &[u8]) -> IoSlice<'_> {
    IoSlice::new(&buffer[..buffer.len().min(sys::MAX_TRANSFER)])
}

/// Cuts `buffer` to what one call may take.
pub(crate) fn slice_mut(buffer: &mut [u8]) -> IoSliceMut<'_> {
    let length = buffer.len().min(sys::MAX_TRANSFER);
    IoSliceMut::new(&mut buffer[..length])
}

/// The length of all buffers together.
fn total(buffers: &[impl std::ops::Deref<Target = [u8]>]) -> usize {
    buffers.iter().map(|buffer| buffer.len()).sum()
}

/// Where an end comes from: what is known of it without asking the system.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub(crate) name: EndName,
    pub(crate) requested_capacity: Option<usize>,
    /// No other handle to this end exists: the end was made here, or the caller promised so when
    /// adopting it.
    pub(crate) exclusive: bool,
}

#[cfg(all(test, not(loom)))]
impl Origin {
    /// That of an end of which only its direction is known.
    pub(crate) fn unknown(duplex: bool) -> Self {
        let direction = duplex.then_some(crate::contract::Direction::Duplex);
        Self { name: EndName { called: None, role: None, direction }, requested_capacity: None, exclusive: true }
    }
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
    fn new(pipe: OwnedPipe, origin: Origin, access: Access) -> Self;
    fn pipe(&self) -> BorrowedPipe<'_>;
    fn origin(&self) -> &Origin;
    fn try_clone(&self) -> io::Result<Self>;
    fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Waits until the writes that the async traits accepted are complete.
    fn flush(&mut self) -> io::Result<()>;
    /// Half-closes, once the accepted writes are out.
    fn shutdown_write(&self) -> io::Result<()>;
    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    fn bytes_available(&self) -> io::Result<usize> {
        sys::bytes_available(self.pipe()).map_err(|failure| self.failed(Action::CountAvailable, failure))
    }

    fn info(&self) -> io::Result<Info> {
        let probe = sys::probe(self.pipe()).map_err(|failure| self.failed(Action::Describe, failure))?;
        let origin = self.origin();
        Ok(Info {
            mode: probe.mode,
            role: origin.name.role.or(probe.role),
            direction: origin.name.direction.or(probe.direction),
            inheritable: probe.inheritable,
            name: probe.name,
            capacity: probe.capacity,
            requested_capacity: origin.requested_capacity,
        })
    }

    fn failed(&self, action: Action, failure: Failure) -> io::Error {
        failure.into_io(action, self.origin().name)
    }
}

#[cfg(all(test, windows, target_pointer_width = "64"))]
mod tests {
    use super::{slice, slice_mut};

    /// std's slices panic beyond 4 GiB. The memory is never touched.
    #[test]
    fn a_buffer_beyond_4_gib_is_cut() {
        let mut buffer = vec![0; u32::MAX as usize + 10];
        assert_eq!(slice(&buffer).len(), u32::MAX as usize);
        assert_eq!(slice_mut(&mut buffer).len(), u32::MAX as usize);
    }
}
