//! Waking a thread that sleeps in `poll`.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::time::Timespec;

use super::fork::{Process, count_forks};

/// The longest wait that the system is asked for. Some refuse one of more than 2^31 milliseconds (*assumed*, read in the sources of
/// macOS, OpenBSD and illumos); a longer one is asked for in parts.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// As `poll` takes it: `left`, or a part of it.
pub(super) fn a_wait_of(left: Duration) -> Timespec {
    Timespec::try_from(left.min(LONGEST_WAIT)).unwrap_or_default()
}

/// A thread in the queue of an end, and the means to wake it: for its turn, or because it was cancelled.
pub(super) struct Sleeper {
    bell: Arc<Bell>,
    cancelled: AtomicBool,
}

impl Sleeper {
    /// The calling thread.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { bell: Bell::of_this_thread()?, cancelled: AtomicBool::new(false) }))
    }

    pub(super) fn wake(&self) {
        self.bell.ring();
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Becomes readable when somebody wakes it.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.bell.heard.as_fd()
    }

    /// Forgets that it was woken.
    pub(super) fn settle(&self) {
        while matches!(rustix::io::read(&self.bell.heard, &mut [0; 64]), Ok(64)) {}
    }
}

/// A pair of descriptors that a thread keeps from its first blocking wait to its end.
struct Bell {
    /// The process that made it.
    process: Process,
    heard: OwnedFd,
    rung: OwnedFd,
}

thread_local! {
    static BELL: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
}

impl Bell {
    fn of_this_thread() -> io::Result<Arc<Self>> {
        let bell = BELL.try_with(|bell| {
            let mut bell = bell.borrow_mut();
            match &*bell {
                Some(bell) if bell.process.is_current() => Ok(Arc::clone(bell)),
                // None yet, or one that came along with a fork and rings in the parent.
                _ => Ok(Arc::clone(bell.insert(Arc::new(Self::new()?)))),
            }
        });
        // While the thread's locals are being destroyed, a new one each time.
        bell.unwrap_or_else(|_| Self::new().map(Arc::new))
    }

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

    fn ring(&self) {
        // Full means that it rings already.
        let _ = rustix::io::write(&self.rung, &[1]);
    }
}
