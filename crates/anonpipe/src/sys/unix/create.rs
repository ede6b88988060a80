//! Makes new pairs: a pipe for one direction, a pair of stream sockets for both.
//!
//! # References
//!
//! - [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)
//! - [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)
//! - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
//! - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
//! - [POSIX, pipe](https://pubs.opengroup.org/onlinepubs/9799919799/functions/pipe.html)

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::PlatformOptions;
use crate::contract::{Direction, EndSpec, Failure, IoMode, Spec};

/// Makes the pair that `spec` describes; the server end comes first.
pub(crate) fn create(spec: &Spec, _: &PlatformOptions) -> Result<(OwnedFd, OwnedFd), Failure> {
    let (server, client) = match spec.direction {
        Direction::Inbound => pipe(spec.capacity)?,
        Direction::Outbound => {
            let (reader, writer) = pipe(spec.capacity)?;
            (writer, reader)
        }
        Direction::Duplex => sockets(spec.capacity)?,
    };
    apply(server.as_fd(), spec.server)?;
    apply(client.as_fd(), spec.client)?;
    Ok((server, client))
}

/// Makes a pipe, both ends close-on-exec; the reader comes first.
fn pipe(capacity: Option<u32>) -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    #[cfg(target_vendor = "apple")]
    let (reader, writer) = close_on_exec(rustix::pipe::pipe()?)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(capacity) = capacity {
        enlarge(&writer, capacity as usize);
    }
    // Only Linux lets the caller choose.
    let _ = capacity;
    Ok((reader, writer))
}

/// Makes a pipe as large as was asked for, or else as large as the system allows every user. If the
/// system refuses that, too (because the user has many large pipes already), the pipe keeps its
/// size. `info` reports the size.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn enlarge(writer: &OwnedFd, capacity: usize) {
    use rustix::pipe::fcntl_setpipe_size;

    if fcntl_setpipe_size(writer, capacity).is_err() {
        let most = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").ok();
        if let Some(most) = most.and_then(|text| text.trim().parse().ok()) {
            let _ = fcntl_setpipe_size(writer, capacity.min(most));
        }
    }
}

/// Makes a connected pair of stream sockets, both close-on-exec. Their handling of `SIGPIPE` is not
/// changed here, so that a child's end raises the signal as usual. The ends of this process avoid
/// it by themselves (see `Transport`).
fn sockets(capacity: Option<u32>) -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    #[cfg(target_vendor = "apple")]
    let pair = close_on_exec(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?)?;
    for socket in [&pair.0, &pair.1] {
        if let Some(capacity) = capacity {
            // The system rounds the size, and has a limit of its own; `info` reports the result.
            let _ = sockopt::set_socket_send_buffer_size(socket, capacity as usize);
        }
    }
    Ok(pair)
}

/// Apple's systems cannot make descriptors close-on-exec from the start: a fork by another thread
/// in between inherits them.
#[cfg(target_vendor = "apple")]
fn close_on_exec(pair: (OwnedFd, OwnedFd)) -> io::Result<(OwnedFd, OwnedFd)> {
    fcntl_setfd(&pair.0, FdFlags::CLOEXEC)?;
    fcntl_setfd(&pair.1, FdFlags::CLOEXEC)?;
    Ok(pair)
}

/// Sets the mode and the inheritance of one end.
///
/// `O_NONBLOCK` belongs to the open file description. Each end has its own, so the other end is not
/// affected.
fn apply(fd: BorrowedFd<'_>, end: EndSpec) -> io::Result<()> {
    if end.mode == IoMode::Overlapped {
        let flags = fcntl_getfl(fd)?;
        fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    }
    if end.inheritable {
        fcntl_setfd(fd, FdFlags::empty())?;
    }
    Ok(())
}
