//! A pair of descriptors that wakes a thread that waits in `poll`.
//!
//! # References
//!
//! - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
//! - [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::time::Timespec;

use super::fork::{Process, count_forks};
use crate::channel::readiness::Alarm;
use crate::contract::Process as _;

/// The longest wait that the system is asked for. Some systems refuse more than 2^31 milliseconds
/// (*assumed*, read in the sources of macOS, OpenBSD and illumos); longer waits are asked for in
/// parts.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// `left`, or a part of it, in the form that `poll` takes.
pub(super) fn timespec_of(left: Duration) -> Timespec {
    Timespec::try_from(left.min(LONGEST_WAIT)).unwrap_or_default()
}

/// A pair of descriptors that a thread keeps from its first blocking wait to its end.
pub(crate) struct WakePair {
    /// The process that made the pair.
    process: Process,
    heard: OwnedFd,
    rung: OwnedFd,
}

thread_local! {
    static WAKE_PAIR: RefCell<Option<Arc<WakePair>>> = const { RefCell::new(None) };
}

impl WakePair {
    fn new() -> io::Result<Self> {
        count_forks()?;
        // Sockets rather than a pipe: a write to a pipe could raise a signal.
        #[cfg(not(target_vendor = "apple"))]
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        #[cfg(target_vendor = "apple")]
        let flags = SocketFlags::empty();
        let (heard, rung) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        #[cfg(target_vendor = "apple")]
        for fd in [&heard, &rung] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Self { process: Process::current(), heard, rung })
    }

    /// Clears the alarm.
    pub(super) fn clear(&self) {
        while matches!(rustix::io::read(&self.heard, &mut [0; 64]), Ok(64)) {}
    }
}

impl Alarm for WakePair {
    fn of_this_thread() -> io::Result<Arc<Self>> {
        let pair = WAKE_PAIR.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            match &*kept {
                Some(pair) if pair.process.is_current() => Ok(Arc::clone(pair)),
                // No pair yet, or the parent's, which would wake the parent's thread.
                _ => Ok(Arc::clone(kept.insert(Arc::new(Self::new()?)))),
            }
        });
        // While the thread's locals are being destroyed, each call makes a new pair.
        pair.unwrap_or_else(|_| Self::new().map(Arc::new))
    }

    fn ring(&self) {
        // If the socket is full, the alarm rings already.
        let _ = rustix::io::write(&self.rung, &[1]);
    }
}

/// Readable while the alarm rings.
impl AsFd for WakePair {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }
}
