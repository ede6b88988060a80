//! The system's poller, through the crate `polling`.
//!
//! # References
//!
//! - [epoll(7)](https://man7.org/linux/man-pages/man7/epoll.7.html)
//! - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
//! - [kqueue(2)](https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2)

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polling::{Events, PollMode};

use super::fork::{Process, count_forks};
use super::wake_pair::LONGEST_WAIT;
use crate::channel::readiness::Ready;
use crate::contract::{Process as _, Turn};

pub(crate) struct Poller {
    /// Dropped in its own process only: a fork shares its parent's poller, and would remove the
    /// descriptors that the parent listens to.
    inner: ManuallyDrop<polling::Poller>,
    /// The process that made the poller.
    process: Process,
    /// Room for the events of one wait, kept for the next turn.
    events: Mutex<Option<Events>>,
}

impl Poller {
    pub(super) fn inner(&self) -> &polling::Poller {
        &self.inner
    }

    /// Edge: asked once, the poller reports every change. Oneshot, if it cannot: asked each time.
    pub(super) fn mode(&self) -> PollMode {
        if self.inner.supports_edge() { PollMode::Edge } else { PollMode::Oneshot }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            // SAFETY: this is its only drop, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

impl Turn for Poller {
    type Report = Ready;

    fn new() -> io::Result<Self> {
        count_forks()?;
        Ok(Self {
            inner: ManuallyDrop::new(polling::Poller::new()?),
            process: Process::current(),
            events: Mutex::default(),
        })
    }

    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, Ready)) -> io::Result<()> {
        // Taken out, so that no lock is held while wakers are called.
        let kept = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut events = kept.unwrap_or_default();
        events.clear();
        // If this cuts the time short, the caller sees no event, and turns again.
        let waited = self.inner.wait(&mut events, timeout.map(|timeout| timeout.min(LONGEST_WAIT)));
        // Also if it failed: it may have failed after the wait, and an edge is reported once.
        for event in events.iter() {
            each(event.key, Ready { readable: event.readable, writable: event.writable });
        }
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(events);
        waited.map(drop)
    }

    fn notify(&self) {
        // Fails if its eventfd or pipe is full; then the poller is notified already.
        let _ = self.inner.notify();
    }

    fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
