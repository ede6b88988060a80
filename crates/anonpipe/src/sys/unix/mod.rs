//! Unix: `pipe2` and `socketpair`, readiness, and queues of our own, because the kernel has none.

mod channel;
mod create;
mod driver;
mod fork;
mod probe;
#[cfg(feature = "tokio")]
mod reactor;
mod sigpipe;
mod transfer;
mod waiters;
mod wake;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};

use crate::error::Failure;

pub(crate) use channel::{Channel, Slot, Task};
pub(crate) use create::create;
pub(crate) use driver::{Driver, with_signals_left_to_the_program};
pub(crate) use fork::Process;
pub(crate) use probe::probe;
pub(crate) use transfer::{guard_against_sigpipe, read, write};

pub(crate) type OwnedPipe = OwnedFd;
pub(crate) type BorrowedPipe<'a> = BorrowedFd<'a>;

/// What one call transfers at most: macOS refuses more, and Linux takes less (both *documented*, read(2)).
pub(crate) const MOST_AT_ONCE: usize = i32::MAX as usize;

/// There is one way to make a pair on Unix.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlatformOptions {}

pub(crate) fn borrow(pipe: &OwnedPipe) -> BorrowedPipe<'_> {
    pipe.as_fd()
}

pub(crate) fn bytes_available(pipe: BorrowedPipe<'_>) -> io::Result<usize> {
    let available = rustix::io::ioctl_fionread(pipe)?;
    Ok(usize::try_from(available).unwrap_or(usize::MAX))
}

pub(crate) fn shutdown_write(pipe: BorrowedPipe<'_>) -> Result<(), Failure> {
    match rustix::net::shutdown(pipe, Shutdown::Write) {
        // The peer is gone, and with it whoever would have seen the end of file.
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Has the peer's writes fail from now on. Only a socket can do that; a pipe's reader is closed instead.
pub(crate) fn shutdown_read(pipe: BorrowedPipe<'_>) {
    // The peer may be gone already.
    if rustix::net::shutdown(pipe, Shutdown::Read).is_ok() {
        // A peer that waits for room, by `poll` or epoll, hears of room only (*observed*, Linux 6.18). No more can come than is
        // there.
        let mut unread = [0; 4096];
        while rustix::net::recv(pipe, &mut unread, RecvFlags::DONTWAIT).is_ok_and(|(count, _)| count > 0) {}
    }
}

/// `EPIPE` has its kind in std; a socket whose peer left data unread also answers `ECONNRESET` to a write.
pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::PIPE.raw_os_error()) || code == Some(Errno::CONNRESET.raw_os_error())
}
