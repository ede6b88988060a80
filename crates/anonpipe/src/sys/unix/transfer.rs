//! Single reads and writes, with the contract's answers.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, readv, writev};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use super::sigpipe;
use crate::error::Failure;
use crate::op::Outcome;

/// `IOV_MAX` on every system here; what is beyond it goes with the next call.
const MAX_SLICES: usize = 1024;

/// How bytes are sent so that no signal comes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    /// A pipe in a program where `SIGPIPE` is ignored.
    Pipe,
    /// A pipe in a program where it is not.
    GuardedPipe,
    /// A socket: the system has a flag, or an option that is set.
    Socket,
}

impl Transport {
    /// Programs decide about `SIGPIPE` when they start, so this asks once an end.
    pub(super) fn of(fd: BorrowedFd<'_>) -> Self {
        if rustix::net::sockopt::socket_type(fd).is_ok() {
            #[cfg(target_vendor = "apple")]
            let _ = rustix::net::sockopt::set_socket_nosigpipe(fd, true);
            Self::Socket
        } else if sigpipe::is_deadly() {
            Self::GuardedPipe
        } else {
            Self::Pipe
        }
    }
}

/// One read; `Err(AGAIN)` if it would have to wait.
pub(super) fn try_read(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
    let count = buffers.len().min(MAX_SLICES);
    loop {
        match readv(fd, &mut buffers[..count]) {
            Err(Errno::INTR) => {}
            // The peer closed with bytes from us unread. What it had sent was read before this; now comes the end of file.
            Err(Errno::CONNRESET) => return Ok(0),
            result => return result,
        }
    }
}

/// One write; `Err(AGAIN)` if it would have to wait.
pub(super) fn try_write(fd: BorrowedFd<'_>, transport: Transport, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let buffers = &buffers[..buffers.len().min(MAX_SLICES)];
    loop {
        let result = match transport {
            Transport::Pipe => writev(fd, buffers),
            Transport::GuardedPipe => sigpipe::without(|| writev(fd, buffers), |result| *result == Err(Errno::PIPE)),
            Transport::Socket => {
                #[cfg(not(target_vendor = "apple"))]
                let flags = SendFlags::NOSIGNAL;
                #[cfg(target_vendor = "apple")]
                let flags = SendFlags::empty();
                sendmsg(fd, buffers, &mut SendAncillaryBuffer::default(), flags)
            }
        };
        match result {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Blocking read on an end of mode `Blocking`.
pub(crate) fn read(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    try_read(fd, buffers).map_err(into_failure)
}

/// Blocking write on an end of mode `Blocking`.
pub(crate) fn write(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    try_write(fd, Transport::of(fd), buffers).map_err(into_failure)
}

fn into_failure(error: Errno) -> Failure {
    Failure::after(io::Error::from(error), 0)
}
