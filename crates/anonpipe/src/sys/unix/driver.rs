//! Readiness for the ends that have operations in flight.

use std::collections::HashMap;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

use super::channel::Channel;
use crate::driver::{Lease, Turn};

/// How many forks lie between the process that the program began as and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Tells this process from those that were forked from it, once [`count_forks`] was called.
pub(super) fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has [`FORKS`] counted from now on.
pub(super) fn count_forks() -> io::Result<()> {
    static COUNTING: OnceLock<()> = OnceLock::new();
    if COUNTING.get().is_none() {
        // SAFETY: the handler lives as long as the program, and does nothing but add to an atomic. Should two threads come
        // here at once, a fork counts twice, which does no harm.
        let error = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        let _ = COUNTING.set(());
    }
    Ok(())
}

/// A poller, and the ends it knows.
pub(crate) struct Driver {
    /// Dropped in its own process only: a fork has the parent's poller, and would take out what that listens to.
    poller: ManuallyDrop<Poller>,
    channels: Mutex<HashMap<usize, Weak<Channel>>>,
    next_key: AtomicUsize,
    /// [`FORKS`] when it was made.
    generation: u32,
    /// Room for what one wait brings; locked while somebody turns.
    events: Mutex<Events>,
}

impl Driver {
    pub(crate) fn new() -> io::Result<Self> {
        count_forks()?;
        Ok(Self {
            poller: ManuallyDrop::new(Poller::new()?),
            channels: Mutex::default(),
            next_key: AtomicUsize::new(0),
            generation: generation(),
            events: Mutex::new(Events::new()),
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
    // SAFETY: the source must be deleted from the poller before it is closed. The registration does so when it is
    // dropped, and the channel drops its registration before its descriptor.
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
        self.generation == generation()
    }

    fn turn(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clear();
        self.poller.wait(&mut events, timeout)?;
        for event in events.iter() {
            // An end that is gone by now has nothing in flight.
            let channel = self.channels().get(&event.key).and_then(Weak::upgrade);
            if let Some(channel) = channel {
                Channel::on_ready(channel, event.readable, event.writable);
            }
        }
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
        // SAFETY: `register` asks that the registration be dropped before the descriptor is closed, so it is open.
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

/// Leaves the program's signals to the program's own threads.
pub(crate) fn prepare_driver_thread() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it initialises the set it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set was initialised on the line above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()) };
}
