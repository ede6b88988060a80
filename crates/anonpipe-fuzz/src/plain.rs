//! The system's own calls on descriptors, only where they do not wait and raise no signal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// How many bytes a pipe takes at once if it takes any.
pub(crate) const AT_ONCE: usize = 512;

fn polled(pipe: BorrowedFd<'_>, events: PollFlags) -> PollFlags {
    let mut polled = [PollFd::from_borrowed_fd(pipe, events)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("an open descriptor");
    polled[0].revents()
}

/// Whether a read returns at once, with bytes or the end of file.
pub(crate) fn can_read(pipe: impl AsFd) -> bool {
    polled(pipe.as_fd(), PollFlags::IN).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
}

/// Whether a write of up to [`AT_ONCE`] bytes returns at once.
pub(crate) fn can_write(pipe: impl AsFd) -> bool {
    polled(pipe.as_fd(), PollFlags::OUT).intersects(PollFlags::OUT | PollFlags::ERR)
}

/// Reads if that does not wait. The bytes, or none at the end of file.
pub(crate) fn read(pipe: impl AsFd, length: usize) -> Option<Vec<u8>> {
    if !can_read(&pipe) {
        return None;
    }
    let mut buffer = vec![0; length];
    match rustix::io::read(&pipe, &mut buffer) {
        Ok(count) => buffer.truncate(count),
        // The end of file of a socket whose peer left bytes unread.
        Err(Errno::CONNRESET) => buffer.clear(),
        Err(error) => panic!("a plain read failed: {error}"),
    }
    Some(buffer)
}

/// Writes if that neither waits nor raises a signal. How many bytes went.
pub(crate) fn write(pipe: impl AsFd, bytes: &[u8]) -> Option<usize> {
    let state = polled(pipe.as_fd(), PollFlags::OUT);
    if state.intersects(PollFlags::ERR | PollFlags::HUP) || !state.contains(PollFlags::OUT) {
        return None;
    }
    Some(rustix::io::write(pipe, &bytes[..bytes.len().min(AT_ONCE)]).expect("there is room, and a reader"))
}

/// Descriptors that are no end of a pipe.
pub(crate) fn no_pipe(which: u8) -> OwnedFd {
    let socket =
        |kind| rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::NONBLOCK, None).map_err(Into::into);
    match which % 6 {
        0 => std::fs::File::open("/proc/self/exe").map(OwnedFd::from),
        1 => rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()).map_err(Into::into),
        2 => socket(SocketType::DGRAM),
        // Neither connected nor listening.
        3 => socket(SocketType::STREAM),
        4 => rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).map_err(Into::into),
        _ => std::fs::File::open("/proc/self").map(OwnedFd::from),
    }
    .expect("a descriptor")
}
