//! Waking a thread that sleeps in `poll`.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

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
    heard: OwnedFd,
    rung: OwnedFd,
}

thread_local! {
    static BELL: OnceCell<Arc<Bell>> = const { OnceCell::new() };
}

impl Bell {
    fn of_this_thread() -> io::Result<Arc<Self>> {
        // While the thread's locals are being destroyed, a new one each time.
        let bell = BELL.try_with(|bell| match bell.get() {
            Some(bell) => Ok(Arc::clone(bell)),
            None => Self::new().map(|new| Arc::clone(bell.get_or_init(|| Arc::new(new)))),
        });
        bell.unwrap_or_else(|_| Self::new().map(Arc::new))
    }

    fn new() -> io::Result<Self> {
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
        Ok(Self { heard, rung })
    }

    fn ring(&self) {
        // Full means that it rings already.
        let _ = rustix::io::write(&self.rung, &[1]);
    }
}
