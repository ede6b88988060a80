//! Who tells of a child's exit: the poller, where it can.
//!
//! # References
//!
//! - [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)
//! - [kqueue(2)](https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2), `EVFILT_PROC`

use std::io;
use std::time::Instant;

use rustix::process::Pid;

use super::Child;
use crate::sys::Watch;
use crate::sys::unix::Poller;

impl Child {
    /// Has the poller report the exit, with `key`. The call may come too late; so ask once more
    /// afterwards. `tell` is for systems whose poller cannot report exits.
    pub(crate) fn watch(
        &self,
        poller: &Poller,
        key: usize,
        _tell: impl FnOnce() + Send + 'static,
    ) -> io::Result<Watch> {
        if !self.prepare_observer() {
            return Ok(Watch::Asking);
        }
        self.observer.add_to(poller, key, self.pid())
    }

    /// Ends what [`watch`](Self::watch) began.
    pub(crate) fn unwatch(&self, poller: &Poller) {
        self.observer.remove_from(poller, self.pid());
    }
}

#[cfg(target_os = "linux")]
pub(super) use by_pidfd::Observer;

#[cfg(target_os = "linux")]
mod by_pidfd {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::sync::OnceLock;
    use std::time::Duration;

    use polling::{Event, PollMode};
    use rustix::event::{PollFd, PollFlags, poll};

    use super::{Instant, Pid, Poller, Watch, io};
    use crate::sys::unix::answers::uninterrupted;
    use crate::sys::unix::wake_pair::timespec_of;

    /// The child's pidfd, once it was needed. Without one (before Linux 5.3, or in a sandbox) the
    /// child is asked.
    #[derive(Debug, Default)]
    pub(crate) struct Observer(OnceLock<Option<OwnedFd>>);

    impl Observer {
        /// To be called while the child is not reaped, because the number is its own until then.
        pub(crate) fn prepare(&self, pid: Pid) {
            self.0.get_or_init(|| open(pid).ok());
        }

        fn pidfd(&self) -> Option<&OwnedFd> {
            self.0.get()?.as_ref()
        }

        /// Blocks until it has ended, or `deadline` has come. `false`: that cannot be waited for.
        pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
            let Some(pidfd) = self.pidfd() else { return Ok(false) };
            let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
            loop {
                let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                let ready = uninterrupted(|| poll(&mut fds, left.map(timespec_of).as_ref()))?;
                if ready > 0 || left == Some(Duration::ZERO) {
                    return Ok(true);
                }
            }
        }

        pub(crate) fn add_to(&self, poller: &Poller, key: usize, _: Pid) -> io::Result<Watch> {
            let Some(pidfd) = self.pidfd() else { return Ok(Watch::Asking) };
            // SAFETY: the pidfd is open as long as this, and its owner calls `remove_from` before.
            unsafe { poller.inner().add_with_mode(pidfd.as_raw_fd(), Event::readable(key), PollMode::Oneshot) }?;
            Ok(Watch::Told)
        }

        pub(crate) fn remove_from(&self, poller: &Poller, _: Pid) {
            if let Some(pidfd) = self.pidfd() {
                // If the system has forgotten it, so much the better.
                let _ = poller.inner().delete(pidfd);
            }
        }
    }

    /// The plain system call, because the C library may be older than the kernel.
    fn open(pid: Pid) -> io::Result<OwnedFd> {
        // SAFETY: two numbers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw_nonzero().get(), 0) };
        let fd = RawFd::try_from(fd).ok().filter(|&fd| fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: new, and ours. It is close-on-exec (*documented*).
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
pub(super) use by_kqueue::Observer;

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
mod by_kqueue {
    use polling::PollMode;
    use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps};

    use super::{Instant, Pid, Poller, Watch, io};

    /// Nothing: the kernel's queue knows processes by their numbers.
    #[derive(Debug, Default)]
    pub(crate) struct Observer;

    fn exit_of(pid: Pid) -> Process<'static> {
        // SAFETY: a child of this process, and not reaped before the filter is removed.
        unsafe { Process::from_pid(pid.as_raw_nonzero(), ProcessOps::Exit) }
    }

    impl Observer {
        pub(crate) fn prepare(&self, _: Pid) {}

        /// No: the child is asked.
        pub(crate) fn wait(&self, _: Option<Instant>) -> io::Result<bool> {
            Ok(false)
        }

        pub(crate) fn add_to(&self, poller: &Poller, key: usize, pid: Pid) -> io::Result<Watch> {
            match poller.inner().add_filter(exit_of(pid), key, PollMode::Oneshot) {
                Ok(()) => Ok(Watch::Told),
                // It may have ended already: then the caller learns it from its next question.
                Err(_) => Ok(Watch::Asking),
            }
        }

        pub(crate) fn remove_from(&self, poller: &Poller, pid: Pid) {
            // It is gone once it has fired.
            let _ = poller.inner().delete_filter(exit_of(pid));
        }
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(super) use by_asking::Observer;

#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
mod by_asking {
    use super::{Instant, Pid, Poller, Watch, io};

    /// Nothing: the child is asked.
    #[derive(Debug, Default)]
    pub(crate) struct Observer;

    impl Observer {
        pub(crate) fn prepare(&self, _: Pid) {}

        pub(crate) fn wait(&self, _: Option<Instant>) -> io::Result<bool> {
            Ok(false)
        }

        pub(crate) fn add_to(&self, _: &Poller, _: usize, _: Pid) -> io::Result<Watch> {
            Ok(Watch::Asking)
        }

        pub(crate) fn remove_from(&self, _: &Poller, _: Pid) {}
    }
}
