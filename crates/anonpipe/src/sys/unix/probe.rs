//! Finds out what a descriptor is.
//!
//! # References
//!
//! - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
//! - [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)
//! - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)
//! - [getpeername(2)](https://man7.org/linux/man-pages/man2/getpeername.2.html)

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, FdFlags, fcntl_getfd};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use super::answers;
use crate::contract::{Direction, Failure, IoMode, Probe};

pub(super) fn is_pipe_or_socket(fd: BorrowedFd<'_>) -> bool {
    fstat(fd).is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}

pub(crate) fn probe(fd: BorrowedFd<'_>) -> Result<Probe, Failure> {
    probe_raw(fd).map_err(answers::failure)
}

fn probe_raw(fd: BorrowedFd<'_>) -> Result<Probe, Errno> {
    let flags = fcntl_getfl(fd)?;
    let access = flags & OFlags::RWMODE;
    let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
    let socket = kind == FileType::Socket;
    let unfit = match kind {
        FileType::Fifo => keeps_packets(flags)
            .then_some("it writes packets (O_DIRECT), of which a reader may lose a part: clear that flag first"),
        FileType::Socket if is_unix_stream(fd)? => {
            (!is_connected(fd)).then_some("it is a socket that listens, or is not connected")
        }
        FileType::Socket => Some("it is a socket, but not a Unix stream socket"),
        _ => Some("it is neither a pipe nor a socket"),
    };
    Ok(Probe {
        mode: if flags.contains(OFlags::NONBLOCK) { IoMode::Overlapped } else { IoMode::Blocking },
        readable: access != OFlags::WRONLY,
        writable: access == OFlags::WRONLY || access == OFlags::RDWR,
        role: None,
        direction: socket.then_some(Direction::Duplex),
        inheritable: !fcntl_getfd(fd)?.contains(FdFlags::CLOEXEC),
        name: None,
        capacity: if unfit.is_some() { None } else { capacity(fd, socket) },
        unfit,
    })
}

/// Whether each write is a packet (Linux). If a packet is read in part, the rest is lost
/// (*documented*, pipe(2)). Only the writing end has the flag (*observed*, Linux 6.18), so a reader
/// of packets cannot be told from other readers.
fn keeps_packets(flags: OFlags) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return flags.contains(OFlags::DIRECT);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = flags;
        false
    }
}

fn is_unix_stream(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(sockopt::socket_type(fd)? == SocketType::STREAM && getsockname(fd)?.address_family() == AddressFamily::UNIX)
}

fn is_connected(fd: BorrowedFd<'_>) -> bool {
    // On some systems a socket whose peer is gone has no peer, but still has bytes to read.
    let without_peer = cfg!(target_os = "linux") && answers::has_no_peer(&rustix::net::getpeername(fd));
    #[cfg(not(target_vendor = "apple"))]
    let listens = sockopt::socket_acceptconn(fd).unwrap_or(false);
    // Apple's systems do not say.
    #[cfg(target_vendor = "apple")]
    let listens = false;
    !(listens || without_peer)
}

fn capacity(fd: BorrowedFd<'_>, socket: bool) -> Option<usize> {
    if socket {
        return sockopt::socket_send_buffer_size(fd).ok();
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return rustix::pipe::fcntl_getpipe_size(fd).ok();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}
