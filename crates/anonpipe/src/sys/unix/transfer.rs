//! Single reads and writes, with the answers that the contract wants.
//!
//! # References
//!
//! - [readv(2)](https://man7.org/linux/man-pages/man2/readv.2.html)
//! - [recv(2)](https://man7.org/linux/man-pages/man2/recv.2.html)
//! - [send(2)](https://man7.org/linux/man-pages/man2/send.2.html)
//! - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
//! - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
//! - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{Errno, readv, writev};
use rustix::net::sockopt::Timeout;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg};
use rustix::time::Timespec;

use super::probe::is_pipe_or_socket;
use super::{answers, sigpipe};
use crate::contract::Outcome;

mod at_once;

use at_once::AtOnce;

/// `IOV_MAX` on every system here; further slices go with the next call.
const MAX_SLICES: usize = 1024;

/// How bytes are transferred over one descriptor. What it can do is found out for each descriptor:
/// another pipe of this system may answer otherwise, and so may this one later.
#[derive(Debug)]
pub(super) struct Transport {
    kind: Kind,
    at_once: AtOnce,
}

/// How bytes are sent so that no signal is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A pipe in a program where `SIGPIPE` is ignored.
    Pipe,
    /// A pipe in a program where it is not.
    GuardedPipe,
    /// A socket: the system has a flag, or an option that is set.
    Socket,
    /// Something else that can be read, such as a terminal or a file.
    NoPipe,
}

/// Whether every pipe made from now on is guarded; see
/// [`guard_against_sigpipe`](crate::guard_against_sigpipe).
static GUARD_ALWAYS: AtomicBool = AtomicBool::new(false);

pub(crate) fn guard_against_sigpipe() {
    GUARD_ALWAYS.store(true, Ordering::Relaxed);
}

impl Transport {
    /// Programs decide about `SIGPIPE` when they start, so this asks once per end.
    pub(super) fn of(fd: BorrowedFd<'_>) -> Self {
        let kind = if rustix::net::sockopt::socket_type(fd).is_ok() {
            #[cfg(target_vendor = "apple")]
            let _ = rustix::net::sockopt::set_socket_nosigpipe(fd, true);
            Kind::Socket
        } else if (GUARD_ALWAYS.load(Ordering::Relaxed) || sigpipe::is_deadly()) && !sigpipe::is_kept_from(fd) {
            Kind::GuardedPipe
        } else {
            Kind::Pipe
        };
        Self { kind, at_once: AtOnce::default() }
    }

    /// As [`of`](Self::of), for a descriptor that may be something else than a pipe or a socket.
    pub(super) fn of_any(fd: BorrowedFd<'_>) -> Self {
        if is_pipe_or_socket(fd) { Self::of(fd) } else { Self { kind: Kind::NoPipe, at_once: AtOnce::default() } }
    }

    pub(super) fn is_socket(&self) -> bool {
        self.kind == Kind::Socket
    }
}

/// One read that never waits, even if another owner of the open file description has cleared its
/// `O_NONBLOCK`. `Err(AGAIN)`: it would have to wait.
pub(super) fn try_read(
    fd: BorrowedFd<'_>,
    transport: &Transport,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<usize, Errno> {
    let buffers = first_of_mut(buffers);
    let mut read = || {
        read_with(|| match transport.kind {
            Kind::Socket => {
                let received = recvmsg(fd, buffers, &mut RecvAncillaryBuffer::default(), RecvFlags::DONTWAIT)?;
                Ok(received.bytes)
            }
            Kind::Pipe | Kind::GuardedPipe => transport.at_once.read(fd, buffers),
            // A file is always ready; its call takes as long as the file system does.
            Kind::NoPipe if ready_for(fd, PollFlags::IN)?.is_empty() => Err(Errno::AGAIN),
            Kind::NoPipe => readv(fd, buffers),
        })
    };
    match read() {
        // One line may be empty, and another may come: a terminal's end of file is no state.
        result if transport.kind == Kind::NoPipe => result,
        Ok(0) => match end_of_file(fd) {
            End::NotYet => Err(Errno::AGAIN),
            End::Fifo => read(),
            End::Certain => Ok(0),
        },
        result => result,
    }
}

/// One write that never waits; see [`try_read`].
pub(super) fn try_write(fd: BorrowedFd<'_>, transport: &Transport, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let buffers = first_of(buffers);
    write_with(fd, transport, buffers, SendFlags::DONTWAIT, || transport.at_once.write(fd, buffers))
}

/// What a read of 0 bytes means.
enum End {
    /// The end of file.
    Certain,
    /// The end of file of a FIFO, unless its first writer came, wrote and went after the read;
    /// another read tells.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "not known there"))]
    Fifo,
    /// A FIFO that was not opened for writing yet.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "not known there"))]
    NotYet,
}

/// `poll` reports no hang-up on a FIFO before its first writer has come and gone (*observed*, Linux
/// 6.18).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_of_file(fd: BorrowedFd<'_>) -> End {
    // The file systems of pipes and sockets without a name. If such a pipe was opened again through
    // `/proc/self/fd`, it looks like a FIFO without a writer, but none will come.
    const NAMELESS: [i128; 2] = [0x5049_5045, 0x534f_434b]; // PIPEFS_MAGIC, SOCKFS_MAGIC

    if rustix::fs::fstatfs(fd).map_or(true, |system| NAMELESS.contains(&i128::from(system.f_type))) {
        return End::Certain;
    }
    match ready_for(fd, PollFlags::empty()) {
        Ok(events) if events.is_empty() => End::NotYet,
        _ => End::Fifo,
    }
}

/// Other systems' answers were not tried. A system that never reports a hang-up would hide the end
/// of file.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_of_file(_: BorrowedFd<'_>) -> End {
    End::Certain
}

/// Blocking read on an end of mode `Blocking`.
pub(crate) fn read(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    let buffers = first_of_mut(buffers);
    let mut again = false;
    loop {
        match read_with(|| readv(fd, &mut *buffers)) {
            result if answers::would_wait(&result) && !gives_up_after_a_time(fd, Timeout::Recv) => {
                wait_for(fd, PollFlags::IN).map_err(answers::failure)?;
            }
            Ok(0) if !again => match end_of_file(fd) {
                End::Certain => return Ok(0),
                End::Fifo => again = true,
                End::NotYet => wait_for(fd, PollFlags::IN).map_err(answers::failure)?,
            },
            result => return result.map_err(answers::failure),
        }
    }
}

/// Blocking write on an end of mode `Blocking`.
pub(crate) fn write(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    let buffers = first_of(buffers);
    let transport = Transport::of(fd);
    loop {
        match write_with(fd, &transport, buffers, SendFlags::empty(), || writev(fd, buffers)) {
            result if answers::would_wait(&result) && !gives_up_after_a_time(fd, Timeout::Send) => {
                wait_for(fd, PollFlags::OUT).map_err(answers::failure)?;
            }
            result => return result.map_err(answers::failure),
        }
    }
}

/// Whether a socket's owner has set a limit for blocking calls. If not, "would block" came from
/// `O_NONBLOCK`, which another owner may have set, and cleared since.
fn gives_up_after_a_time(fd: BorrowedFd<'_>, of: Timeout) -> bool {
    rustix::net::sockopt::socket_timeout(fd, of).is_ok_and(|limit| limit.is_some())
}

/// Whether `O_NONBLOCK` is set. Another owner of the open file description may have set it on a
/// blocking end, or cleared it on an overlapped one.
fn is_nonblocking(fd: BorrowedFd<'_>) -> bool {
    fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
}

/// Blocks until `fd` is ready.
fn wait_for(fd: BorrowedFd<'_>, interest: PollFlags) -> Result<(), Errno> {
    answers::uninterrupted(|| poll(&mut [PollFd::from_borrowed_fd(fd, interest)], None)).map(drop)
}

/// What `fd` is ready for at this moment.
fn ready_for(fd: BorrowedFd<'_>, interest: PollFlags) -> Result<PollFlags, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(fd, interest)];
    answers::uninterrupted(|| poll(&mut fds, Some(&Timespec::default())))?;
    Ok(fds[0].revents())
}

/// As many slices as one call takes, from the first non-empty one: an empty transfer must not look
/// like the end of file.
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
fn read_with(read: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    answers::read(answers::uninterrupted(read))
}

/// Writes without raising a signal, until the call is not interrupted: to a socket with `flags`, to
/// a pipe by `to_pipe`.
fn write_with(
    fd: BorrowedFd<'_>,
    transport: &Transport,
    buffers: &[IoSlice<'_>],
    flags: SendFlags,
    to_pipe: impl Fn() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | SendFlags::NOSIGNAL;
    answers::uninterrupted(|| match transport.kind {
        Kind::Pipe | Kind::NoPipe => to_pipe(),
        Kind::GuardedPipe => sigpipe::without(&to_pipe, answers::raises_signal),
        Kind::Socket => sendmsg(fd, buffers, &mut SendAncillaryBuffer::default(), flags),
    })
}
