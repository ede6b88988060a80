//! Descriptors, threads and limits of this process.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The system's handle to an end.
pub(crate) type Handle = OwnedFd;

/// What refusing a read or write in the wrong direction looks like.
pub(crate) const WRONG_DIRECTION: i32 = libc::EBADF;

/// Something that has a handle.
pub(crate) trait HasHandle: AsFd {
    fn number(&self) -> usize {
        usize::try_from(self.as_fd().as_raw_fd()).expect("an open descriptor")
    }

    /// Whether a child inherits it, as the system says.
    fn is_inherited(&self) -> bool {
        // SAFETY: the descriptor is borrowed, so it is open; F_GETFD has no argument.
        let flags = unsafe { libc::fcntl(self.as_fd().as_raw_fd(), libc::F_GETFD) };
        assert!(flags >= 0, "F_GETFD");
        flags & libc::FD_CLOEXEC == 0
    }

    /// Whether its operations do not block, as the system says.
    fn is_overlapped(&self) -> bool {
        // SAFETY: the descriptor is borrowed, so it is open; F_GETFL has no argument.
        let flags = unsafe { libc::fcntl(self.as_fd().as_raw_fd(), libc::F_GETFL) };
        assert!(flags >= 0, "F_GETFL");
        flags & libc::O_NONBLOCK != 0
    }
}

impl<T: AsFd> HasHandle for T {}
