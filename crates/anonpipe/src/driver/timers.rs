//! The wakers that a driver calls at a certain time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use crate::contract::swallow_panic;

/// Wakers by time. The lock is std's own: nothing that loom explores happens while it is held.
#[derive(Default)]
pub(super) struct Timers(Mutex<State>);

#[derive(Default)]
struct State {
    wakers: BTreeMap<TimerKey, Waker>,
    next_number: u64,
}

/// Names a timer of a driver. Ordered by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    time: Instant,
    /// Of two that have the same time, the older one comes first.
    number: u64,
}

impl Timers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Also says whether no other timer comes earlier.
    pub(super) fn add(&self, time: Instant, waker: Waker) -> (TimerKey, bool) {
        let mut state = self.state();
        let key = TimerKey { time, number: state.next_number };
        state.next_number += 1;
        state.wakers.insert(key.clone(), waker);
        let is_first = state.wakers.first_key_value().is_some_and(|(first, _)| *first == key);
        (key, is_first)
    }

    pub(super) fn remove(&self, key: &TimerKey) {
        // Dropped after the lock is released: it may drop a task, and with it another timer.
        let removed = self.state().wakers.remove(key);
        drop(removed);
    }

    /// When the first of them is due.
    pub(super) fn first(&self) -> Option<Instant> {
        self.state().wakers.first_key_value().map(|(key, _)| key.time)
    }

    /// Calls the wakers that are due.
    pub(super) fn wake_due(&self, now: Instant) {
        let later = TimerKey { time: now, number: u64::MAX };
        let mut state = self.state();
        let rest = state.wakers.split_off(&later);
        let due = std::mem::replace(&mut state.wakers, rest);
        drop(state);
        for waker in due.into_values() {
            swallow_panic(|| waker.wake());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};
    use std::time::{Duration, Instant};

    use super::Timers;

    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_due_is_woken_once_and_nothing_else() {
        let (timers, now) = (Timers::default(), Instant::now());
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = || Waker::from(Arc::clone(&count));
        let in_seconds = |seconds| now + Duration::from_secs(seconds);
        let (late, first) = timers.add(in_seconds(3), waker());
        assert!(first);
        assert!(timers.add(in_seconds(1), waker()).1);
        let (same, first) = timers.add(in_seconds(1), waker());
        assert!(!first, "the older one of the same time comes first");
        timers.add(in_seconds(2), waker());
        timers.remove(&same);
        assert_eq!(timers.first(), Some(in_seconds(1)));
        timers.wake_due(now);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        timers.wake_due(in_seconds(2));
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        timers.wake_due(in_seconds(2));
        assert_eq!((count.0.load(Ordering::Relaxed), timers.first()), (2, Some(in_seconds(3))));
        timers.remove(&late);
        assert_eq!((timers.first(), Arc::strong_count(&count)), (None, 1));
    }
}
