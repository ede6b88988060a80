//! Readiness for the ends that have operations in flight.

use std::collections::HashMap;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

use super::channel::Channel;
use super::fork::{Process, count_forks};
use super::wake::LONGEST_WAIT;
use crate::driver::{Lease, Turn};

/// A poller, and the ends it knows.
pub(crate) struct Driver {
    /// Dropped in its own process only: a fork has the parent's poller, and would take out what that listens to.
    poller: ManuallyDrop<Poller>,
    channels: Mutex<HashMap<usize, Weak<Channel>>>,
    next_key: AtomicUsize,
    /// The process that made it.
    process: Process,
    /// Room for what one wait brings, for the next turn.
    events: Mutex<Option<Events>>,
}

impl Driver {
    pub(crate) fn new() -> io::Result<Self> {
        count_forks()?;
        Ok(Self {
            poller: ManuallyDrop::new(Poller::new()?),
            channels: Mutex::default(),
            next_key: AtomicUsize::new(0),
            process: Process::current(),
            events: Mutex::default(),
        })
    }

    fn channels(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Weak<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the poller is asked: once, to hear of every change; where it cannot do that, each time anew.
    fn mode(&self) -> PollMode {
        if self.poller.supports_edge() { PollMode::Edge } else { PollMode::Oneshot }
    }
}

/// Makes the poller of `lease` know a channel, with no interest yet.
pub(super) fn register(lease: Lease, channel: &Arc<Channel>, fd: BorrowedFd<'_>) -> io::Result<Registration> {
    let driver = lease.system();
    let key = driver.next_key.fetch_add(1, Ordering::Relaxed);
    driver.channels().insert(key, Arc::downgrade(channel));
    // SAFETY: the source must be deleted from the poller before it is closed. The registration does so when it is dropped,
    // and the channel drops its registration before it closes its descriptor or gives it away.
    let added = unsafe { driver.poller.add_with_mode(fd.as_raw_fd(), Event::none(key), driver.mode()) };
    if let Err(error) = added {
        driver.channels().remove(&key);
        return Err(error);
    }
    Ok(Registration { lease, key, fd: fd.as_raw_fd() })
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            // SAFETY: this is its only drop, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.poller) };
        }
    }
}

impl Turn for Driver {
    fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    fn turn(&self, timeout: Option<Duration>) -> io::Result<()> {
        // Taken out, so that no lock is held while wakers are called.
        let kept = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut events = kept.unwrap_or_default();
        events.clear();
        // Should the time be cut short by that, the caller sees that nothing came, and turns again.
        self.poller.wait(&mut events, timeout.map(|timeout| timeout.min(LONGEST_WAIT)))?;
        for event in events.iter() {
            // An end that is gone by now has nothing in flight.
            let channel = self.channels().get(&event.key).and_then(Weak::upgrade);
            if let Some(channel) = channel {
                Channel::on_ready(channel, event.readable, event.writable);
            }
        }
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(events);
        Ok(())
    }

    fn notify(&self) {
        // Fails if its eventfd or pipe is full: then it is notified.
        let _ = self.poller.notify();
    }
}

impl AsFd for Driver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

/// A channel's place in the poller. Must not outlive the channel's descriptor.
pub(super) struct Registration {
    lease: Lease,
    key: usize,
    fd: RawFd,
}

impl Registration {
    pub(super) fn is_of_this_process(&self) -> bool {
        self.lease.system().is_of_this_process()
    }

    /// Whether the poller speaks of every change, and not only once when it was asked.
    pub(super) fn is_lasting(&self) -> bool {
        self.lease.system().mode() == PollMode::Edge
    }

    /// Asks to be notified of becoming readable, writable, or either; at once, if it is.
    pub(super) fn arm(&self, readable: bool, writable: bool) -> io::Result<()> {
        // SAFETY: open: the channel drops its registration before it closes its descriptor or gives it away.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        let driver = self.lease.system();
        driver.poller.modify_with_mode(fd, Event::new(self.key, readable, writable), driver.mode())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            // The poller is the parent's, and so are the notifications that it waits for.
            return;
        }
        // SAFETY: as in `arm`.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        // It was added; should the system have forgotten it, so much the better.
        let driver = self.lease.system();
        let _ = driver.poller.delete(fd);
        driver.channels().remove(&self.key);
    }
}

/// Calls `spawn`, which starts the driver's thread, with the program's signals blocked: the thread inherits that from its first
/// instruction on, and the program's own threads get them.
///
/// Those that an instruction raises stay as they are: a blocked one ends the process (*documented*, sigprocmask(2)), and the
/// program may have a handler that maps the page, say, which one of its own wakers or buffers has touched.
pub(crate) fn with_signals_left_to_the_program<T>(spawn: impl FnOnce() -> T) -> T {
    const OF_INSTRUCTIONS: [libc::c_int; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it initialises the set it is given.
    unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
    for signal in OF_INSTRUCTIONS {
        // SAFETY: the set was initialised above, and the number is that of a signal.
        unsafe { libc::sigdelset(blocked.as_mut_ptr(), signal) };
    }
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets live on this stack for the time of the call; the first was initialised above.
    let changed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), old.as_mut_ptr()) } == 0;
    let result = spawn();
    if changed {
        // SAFETY: the call above succeeded, so it has filled `old`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut()) };
    }
    result
}
