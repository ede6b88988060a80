//! Single reads and writes, with the contract's answers.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, readv, writev};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg};

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

/// Whether every pipe made from now on is guarded; see [`guard_against_sigpipe`](crate::guard_against_sigpipe).
static GUARD_ALWAYS: AtomicBool = AtomicBool::new(false);

pub(crate) fn guard_against_sigpipe() {
    GUARD_ALWAYS.store(true, Ordering::Relaxed);
}

impl Transport {
    /// Programs decide about `SIGPIPE` when they start, so this asks once an end.
    pub(super) fn of(fd: BorrowedFd<'_>) -> Self {
        if rustix::net::sockopt::socket_type(fd).is_ok() {
            #[cfg(target_vendor = "apple")]
            let _ = rustix::net::sockopt::set_socket_nosigpipe(fd, true);
            Self::Socket
        } else if GUARD_ALWAYS.load(Ordering::Relaxed) || sigpipe::is_deadly() {
            Self::GuardedPipe
        } else {
            Self::Pipe
        }
    }
}

/// One read that never waits: `Err(AGAIN)` if it would have to, also if somebody who shares the open file description has
/// cleared its `O_NONBLOCK`, where the system has a way to say so in the call.
pub(super) fn try_read(
    fd: BorrowedFd<'_>,
    transport: Transport,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<usize, Errno> {
    let buffers = first_of_mut(buffers);
    read_with(|| match transport {
        Transport::Socket => {
            let received = recvmsg(fd, buffers, &mut RecvAncillaryBuffer::default(), RecvFlags::DONTWAIT)?;
            Ok(received.bytes)
        }
        Transport::Pipe | Transport::GuardedPipe => at_once::read(fd, buffers),
    })
}

/// One write that never waits; see [`try_read`].
pub(super) fn try_write(fd: BorrowedFd<'_>, transport: Transport, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let buffers = first_of(buffers);
    write_with(fd, transport, buffers, SendFlags::DONTWAIT, || at_once::write(fd, buffers))
}

/// Blocking read on an end of mode `Blocking`.
pub(crate) fn read(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    let buffers = first_of_mut(buffers);
    read_with(|| readv(fd, &mut *buffers)).map_err(into_failure)
}

/// Blocking write on an end of mode `Blocking`.
pub(crate) fn write(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    let buffers = first_of(buffers);
    write_with(fd, Transport::of(fd), buffers, SendFlags::empty(), || writev(fd, buffers)).map_err(into_failure)
}

/// As many as one call takes, from the first that holds anything: nothing transferred must not look like the end.
fn first_of<'a, 'b>(buffers: &'a [IoSlice<'b>]) -> &'a [IoSlice<'b>] {
    let skip = buffers.iter().position(|buffer| !buffer.is_empty()).unwrap_or(0);
    &buffers[skip..][..MAX_SLICES.min(buffers.len() - skip)]
}

/// See [`first_of`].
fn first_of_mut<'a, 'b>(buffers: &'a mut [IoSliceMut<'b>]) -> &'a mut [IoSliceMut<'b>] {
    let skip = buffers.iter().position(|buffer| !buffer.is_empty()).unwrap_or(0);
    let count = MAX_SLICES.min(buffers.len() - skip);
    &mut buffers[skip..][..count]
}

/// Calls `read` until it is not interrupted.
fn read_with(mut read: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match read() {
            Err(Errno::INTR) => {}
            // The peer closed with bytes from us unread. What it had sent was read before this; now comes the end of file.
            Err(Errno::CONNRESET) => return Ok(0),
            result => return result,
        }
    }
}

/// Writes without a signal, until it is not interrupted: to a socket with `flags`, to a pipe by `to_pipe`.
fn write_with(
    fd: BorrowedFd<'_>,
    transport: Transport,
    buffers: &[IoSlice<'_>],
    flags: SendFlags,
    to_pipe: impl Fn() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | SendFlags::NOSIGNAL;
    loop {
        let result = match transport {
            Transport::Pipe => to_pipe(),
            Transport::GuardedPipe => sigpipe::without(&to_pipe, |result| *result == Err(Errno::PIPE)),
            Transport::Socket => sendmsg(fd, buffers, &mut SendAncillaryBuffer::default(), flags),
        };
        match result {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Pipe I/O that does not wait, whatever `O_NONBLOCK` says.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod at_once {
    use std::io::{IoSlice, IoSliceMut};
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2, readv, writev};

    /// No offset: pipes have none.
    const NOWHERE: u64 = u64::MAX;

    /// Kernels before 6.5 know `RWF_NOWAIT` for files only (*observed*: `EOPNOTSUPP`). There `O_NONBLOCK` has to do.
    static UNSUPPORTED: AtomicBool = AtomicBool::new(false);

    fn is_unsupported<T>(result: &Result<T, Errno>) -> bool {
        let unsupported = matches!(result, Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL));
        if unsupported {
            UNSUPPORTED.store(true, Ordering::Relaxed);
        }
        unsupported
    }

    pub(super) fn read(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
        if !UNSUPPORTED.load(Ordering::Relaxed) {
            let result = preadv2(fd, buffers, NOWHERE, ReadWriteFlags::NOWAIT);
            if !is_unsupported(&result) {
                return result;
            }
        }
        readv(fd, buffers)
    }

    pub(super) fn write(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        if !UNSUPPORTED.load(Ordering::Relaxed) {
            let result = pwritev2(fd, buffers, NOWHERE, ReadWriteFlags::NOWAIT);
            if !is_unsupported(&result) {
                return result;
            }
        }
        writev(fd, buffers)
    }
}

/// Other systems have `O_NONBLOCK` only.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod at_once {
    pub(super) use rustix::io::{readv as read, writev as write};
}

fn into_failure(error: Errno) -> Failure {
    Failure::after(io::Error::from(error), 0)
}
