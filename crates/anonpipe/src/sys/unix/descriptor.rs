//! The descriptor of an overlapped end.
//!
//! # References
//!
//! - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
//! - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
//! - [kqueue(2)](https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2)
//! - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polling::{Event, PollMode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, Shutdown};

use super::fork::{Process, count_forks};
use super::poller::Poller;
use super::transfer::{Transport, try_read, try_write};
use super::wake_pair::{WakePair, timespec_of};
use super::{MAX_TRANSFER, answers};
use crate::channel::readiness::{self, WaitEnd};
use crate::contract::{Failure, Half, Outcome};

/// The descriptor of an overlapped end, and how bytes are transferred over it.
pub(crate) struct Descriptor {
    transport: Transport,
    /// Closed when this is dropped, unless it was given away.
    fd: ManuallyDrop<OwnedFd>,
    given_away: AtomicBool,
}

impl Descriptor {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let transport = Transport::of(fd.as_fd());
        Self::over(fd, transport)
    }

    /// As [`new`](Self::new), for a descriptor that may be something else than a pipe or a socket,
    /// and is only read.
    pub(crate) fn of_any(fd: OwnedFd) -> Self {
        let transport = Transport::of_any(fd.as_fd());
        Self::over(fd, transport)
    }

    fn over(fd: OwnedFd, transport: Transport) -> Self {
        // If there is no memory for this, a forked child is taken for this process.
        let _ = count_forks();
        Self { transport, fd: ManuallyDrop::new(fd), given_away: AtomicBool::new(false) }
    }

    /// What to ask a reactor about, for a task in one half. For a socket this includes the other
    /// half, whose tasks may follow.
    #[cfg(feature = "tokio")]
    pub(super) fn interest(&self, half: Half) -> tokio::io::Interest {
        use readiness::Descriptor as _;
        use tokio::io::Interest;

        match half {
            _ if self.transport.is_socket() => Interest::READABLE | Interest::WRITABLE,
            Half::Read => Interest::READABLE,
            Half::Write if Self::WRITERS_LISTEN_AS_READERS => Interest::READABLE | Interest::WRITABLE,
            Half::Write => Interest::WRITABLE,
        }
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if !*self.given_away.get_mut() {
            // SAFETY: this is its only drop, it was not given away, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl readiness::Descriptor for Descriptor {
    type Process = Process;
    type Handle = OwnedFd;
    type Poller = Poller;
    type Alarm = WakePair;
    #[cfg(feature = "tokio")]
    type Reactor = super::tokio_reactor::Shared;

    const MAX_TRANSFER: usize = MAX_TRANSFER;

    /// *Assumed*, read in the sources of FreeBSD and OpenBSD; to be safe, for all other systems but
    /// Linux, too.
    const MISSES_THE_END_AT_FIRST: bool = !cfg!(any(target_os = "linux", target_os = "android"));

    /// *Assumed*, read in the sources of NetBSD and OpenBSD.
    const WRITERS_LISTEN_AS_READERS: bool = cfg!(any(target_os = "netbsd", target_os = "openbsd"));

    fn try_read(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
        answers::outcome(try_read(self.as_fd(), &self.transport, buffers))
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Outcome> {
        answers::outcome(try_write(self.as_fd(), &self.transport, buffers))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        super::shutdown_write(self.as_fd())
    }

    /// Only a socket can do this; a pipe's reader is closed instead.
    fn shutdown_read(&self) {
        // Fails if the peer is gone already.
        if rustix::net::shutdown(self, Shutdown::Read).is_ok() {
            // A peer that waits for room, by `poll` or epoll, is told only of room, not of the
            // shutdown (*observed*, Linux 6.18). So make room. No more bytes can come.
            let mut unread = [0; 4096];
            while rustix::net::recv(self, &mut unread, RecvFlags::DONTWAIT).is_ok_and(|(count, _)| count > 0) {}
        }
    }

    fn has_two_halves(&self) -> bool {
        self.transport.is_socket()
    }

    fn register(&self, poller: &Poller, key: usize) -> io::Result<()> {
        // SAFETY: the source must be deleted from the poller before it is closed. The channel
        // deregisters it before it drops this or gives the descriptor away.
        unsafe { poller.inner().add_with_mode(self.fd.as_raw_fd(), Event::none(key), poller.mode()) }
    }

    fn arm(&self, poller: &Poller, key: usize, readable: bool, writable: bool) -> io::Result<()> {
        poller.inner().modify_with_mode(self, Event::new(key, readable, writable), poller.mode())
    }

    fn deregister(&self, poller: &Poller) {
        // If the system has already forgotten the descriptor, so much the better.
        let _ = poller.inner().delete(self);
    }

    fn is_edge_triggered(poller: &Poller) -> bool {
        poller.mode() == PollMode::Edge
    }

    fn wait(&self, alarm: &WakePair, watched: Option<Half>, deadline: Option<Instant>) -> Result<WaitEnd, Failure> {
        let interest = match watched {
            Some(Half::Write) => PollFlags::OUT,
            Some(Half::Read) | None => PollFlags::IN,
        };
        let mut fds =
            [PollFd::from_borrowed_fd(alarm.as_fd(), PollFlags::IN), PollFd::from_borrowed_fd(self.as_fd(), interest)];
        let fds = if watched.is_some() { &mut fds[..] } else { &mut fds[..1] };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match poll(fds, left.map(timespec_of).as_ref()) {
                // Meanwhile time has passed.
                Err(error) if answers::is_interruption(error) => {}
                Err(error) => return Err(answers::failure(error)),
                Ok(0) if left == Some(Duration::ZERO) => return Ok(WaitEnd::TimedOut),
                Ok(0) => {}
                Ok(_) => {
                    if !fds[0].revents().is_empty() {
                        alarm.clear();
                    }
                    let is_ready = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
                    return Ok(if is_ready { WaitEnd::Ready } else { WaitEnd::Rung });
                }
            }
        }
    }

    fn give_away(&self) -> Option<OwnedFd> {
        if self.given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: open, and the drop of this no longer closes it. Nothing uses it here, says the
        // channel, which made the poller forget it.
        Some(unsafe { OwnedFd::from_raw_fd(self.fd.as_raw_fd()) })
    }
}
