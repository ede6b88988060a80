//! The locks of the state machine, which are loom's own when it explores interleavings; and the
//! clock.

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread::ThreadId,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread::ThreadId,
};

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Locks `mutex`. No code that holds one of our locks leaves its data half-changed, so a panic
/// elsewhere (in a user's waker, say) is no reason to give up the operation as well.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks `mutex` if no other thread has it locked.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The calling thread.
pub(crate) fn current_thread() -> ThreadId {
    #[cfg(loom)]
    return loom::thread::current().id();
    #[cfg(not(loom))]
    return std::thread::current().id();
}

/// What time it is, and how a thread waits: the system's, or one that exists only in memory.
pub(crate) trait Clock: 'static {
    fn now() -> Instant;

    /// Waits until `condvar` is notified, or until `deadline`; perhaps for less. The lock of
    /// `mutex` is given up meanwhile.
    fn wait<'a, T>(
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        condvar: &Condvar,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, T>;

    /// Lets other threads run, for about as long as `time`.
    fn pause(time: Duration);
}

/// The system's clock.
pub(crate) enum SystemClock {}

impl Clock for SystemClock {
    fn now() -> Instant {
        Instant::now()
    }

    fn wait<'a, T>(
        _: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        condvar: &Condvar,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, T> {
        match deadline {
            None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Self::now());
                condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn pause(time: Duration) {
        if time.is_zero() {
            std::thread::yield_now();
        } else {
            std::thread::sleep(time);
        }
    }
}
