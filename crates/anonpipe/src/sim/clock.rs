//! Time that passes only where a thread waits.
//!
//! A program has one thread. Where it waits, the driver and the kernel do their work, and then the
//! time goes on. Tests with several threads have the system's clock.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sync::{Clock, Condvar, Mutex, MutexGuard, SystemClock, lock};

thread_local! {
    /// What happens while a program's thread waits. `None`: no program runs on this thread.
    static MEANWHILE: Cell<Option<fn()>> = const { Cell::new(None) };
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// How often a thread has waited without a deadline, since it last had one.
    static ENDLESS: Cell<u32> = const { Cell::new(0) };
}

/// A wait that takes longer than this can end no more.
const MOST_WAITS: u32 = 100;

/// Has a program begin on this thread; while it waits, `meanwhile` happens.
#[cfg(not(loom))]
pub(crate) fn begin(meanwhile: fn()) {
    MEANWHILE.set(Some(meanwhile));
    PASSED.set(Duration::ZERO);
    ENDLESS.set(0);
}

#[cfg(not(loom))]
pub(crate) fn end() {
    MEANWHILE.set(None);
}

/// Whether a program runs on this thread.
pub(crate) fn is_virtual() -> bool {
    MEANWHILE.get().is_some()
}

/// Lets others act while a program waits until `deadline`.
///
/// # Panics
///
/// If the wait has no deadline, and nothing ends it.
pub(crate) fn wait(deadline: Option<Instant>) {
    let Some(meanwhile) = MEANWHILE.get() else { return };
    // The time does not go on for what happens meanwhile.
    MEANWHILE.set(Some(|| {}));
    super::meanwhile::alone(meanwhile);
    MEANWHILE.set(Some(meanwhile));
    let Some(deadline) = deadline else {
        ENDLESS.set(ENDLESS.get() + 1);
        assert!(ENDLESS.get() < MOST_WAITS, "a thread would wait for ever");
        return;
    };
    ENDLESS.set(0);
    let left = deadline.saturating_duration_since(SimClock::now());
    let step = if left > Duration::from_millis(1) { left / 2 } else { left };
    PASSED.set(PASSED.get() + step);
}

/// The clock of the systems in memory.
pub(crate) enum SimClock {}

impl Clock for SimClock {
    fn now() -> Instant {
        static START: OnceLock<Instant> = OnceLock::new();
        if is_virtual() { *START.get_or_init(Instant::now) + PASSED.get() } else { Instant::now() }
    }

    fn wait<'a, T>(
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        condvar: &Condvar,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, T> {
        if is_virtual() {
            drop(guard);
            wait(deadline);
            return lock(mutex);
        }
        // A model has no clock: what has a time limit there lets the other threads run.
        #[cfg(loom)]
        if deadline.is_some() {
            drop(guard);
            loom::thread::yield_now();
            return lock(mutex);
        }
        SystemClock::wait(mutex, guard, condvar, deadline)
    }

    fn pause(time: Duration) {
        if is_virtual() {
            PASSED.set(PASSED.get() + time);
        } else {
            SystemClock::pause(time);
        }
    }
}
