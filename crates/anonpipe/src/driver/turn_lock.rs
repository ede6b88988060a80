//! Threads that share one driver take turns, and run futures in between.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::timers::{TimerKey, Timers};
use crate::contract::Turn;
use crate::sync::{AtomicBool, Clock, Condvar, Mutex, MutexGuard, Ordering, ThreadId, current_thread, lock};

#[cfg(all(test, loom))]
mod interleavings;

/// How often a future is polled in a row before the poller gets its turn. So a future that always
/// wakes itself does not keep other operations from completing.
const POLLS_AT_A_STRETCH: usize = 64;

/// How long to wait before the poller is asked again after it failed: for want of memory, at worst.
pub(super) const OUT_OF_MEMORY: Duration = Duration::from_millis(10);

/// A poller that one thread at a time turns.
pub(super) struct TurnLock<P, C> {
    poller: P,
    clock: PhantomData<fn() -> C>,
    state: Mutex<State>,
    free: Condvar,
    timers: Timers,
}

#[derive(Default)]
struct State {
    /// The thread that is turning the driver.
    holder: Option<ThreadId>,
    /// How often the driver was notified.
    notices: u64,
    /// How many threads wait for their turn. To wake none costs a system call, too.
    waiting: usize,
}

/// Called with what the poller reports: the key, and the event.
pub(super) type Each<'a, E> = &'a mut dyn FnMut(usize, E);

impl<P: Turn, C: Clock> TurnLock<P, C> {
    pub(super) fn new(poller: P) -> Self {
        Self {
            poller,
            clock: PhantomData,
            state: Mutex::new(State::default()),
            free: Condvar::new(),
            timers: Timers::default(),
        }
    }

    pub(super) fn poller(&self) -> &P {
        &self.poller
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn is_held_by_this_thread(&self) -> bool {
        self.state().holder == Some(current_thread())
    }
}

thread_local! {
    /// Whether this thread polls a future, and turns a driver of ours between the polls.
    static POLLS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether a driver of ours polls the task that is being polled on this thread.
pub(super) fn polls_on_this_thread() -> bool {
    POLLS_HERE.get()
}

/// Calls `poll` with [`polls_on_this_thread`] true.
fn polling_here<T>(poll: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            POLLS_HERE.set(self.0);
        }
    }
    let _restore = Restore(POLLS_HERE.replace(true));
    poll()
}

impl<P: Turn, C: Clock> TurnLock<P, C> {
    /// Ends the turns of all threads, or else the next turn.
    pub(super) fn notify(&self) {
        if !self.poller.is_of_this_process() {
            // The poller is the parent's, and this copy of the lock may be held for ever.
            return;
        }
        let mut state = self.state();
        state.notices += 1;
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.free.notify_all();
        }
        self.poller.notify();
    }

    /// Calls `waker` at a certain time, on the thread that turns the driver then.
    pub(super) fn wake_at(&self, time: Instant, waker: Waker) -> TimerKey {
        let (key, is_first) = self.timers.add(time, waker);
        if is_first {
            // The thread that waits for the poller does not know of it yet.
            self.notify();
        }
        key
    }

    pub(super) fn forget_timer(&self, key: &TimerKey) {
        self.timers.remove(key);
    }

    pub(super) fn notices(&self) -> u64 {
        self.state().notices
    }

    /// As [`turn`](Self::turn), but returns after a while even if nothing happens: the notice that
    /// was to end this turn may have been [lost](Turn::LOOK_AGAIN).
    pub(super) fn turn_for_a_while(
        &self,
        notices: u64,
        deadline: Option<Instant>,
        each: Each<'_, P::Report>,
    ) -> io::Result<()> {
        let look_again = P::LOOK_AGAIN.and_then(|time| C::now().checked_add(time));
        let until = deadline.into_iter().chain(look_again).min();
        self.turn(notices, until, each)
    }

    /// Turns once, unless the number of notifications is no longer `notices`.
    pub(super) fn turn(&self, notices: u64, deadline: Option<Instant>, each: Each<'_, P::Report>) -> io::Result<()> {
        let left = |until: Option<Instant>| until.map(|until| until.saturating_duration_since(C::now()));
        let mut state = self.state();
        while state.holder.is_some() && state.notices == notices {
            if left(deadline) == Some(Duration::ZERO) {
                return Ok(());
            }
            state.waiting += 1;
            state = C::wait(&self.state, state, &self.free, deadline);
            state.waiting -= 1;
        }
        if state.notices != notices {
            return Ok(());
        }
        state.holder = Some(current_thread());
        drop(state);
        // A timer that comes earlier is preceded by a notice, which ends the turn.
        let first = self.timers.first();
        let result = self.poller.turn(left(deadline.into_iter().chain(first).min()), each);
        if first.is_some() {
            self.timers.wake_due(C::now());
        }
        let mut state = self.state();
        state.holder = None;
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.free.notify_one();
        }
        result
    }

    /// Runs a future on this thread, and turns the poller while the future waits. `None`:
    /// `deadline` came first; what could complete by then is complete.
    pub(super) fn run_until<F: Future>(
        self: &Arc<Self>,
        mut future: Pin<&mut F>,
        deadline: Option<Instant>,
        each: Each<'_, P::Report>,
    ) -> Option<F::Output> {
        if !self.poller.is_of_this_process() {
            return run_without_a_driver::<C, F>(future, deadline);
        }
        let thread = current_thread();
        let wake_here = Arc::new(WakeHere { woken: AtomicBool::new(true), thread, turn_lock: Arc::clone(self) });
        let waker = Waker::from(Arc::clone(&wake_here));
        let mut context = Context::from_waker(&waker);
        let mut turned = false;
        loop {
            let notices = self.notices();
            let mut polls = 0;
            while wake_here.woken.swap(false, Ordering::AcqRel) {
                let polled = polling_here(|| future.as_mut().poll(&mut context));
                if let Poll::Ready(output) = polled {
                    return Some(output);
                }
                if !self.poller.is_of_this_process() {
                    // The future has forked; this is the forked process.
                    return run_without_a_driver::<C, F>(future, deadline);
                }
                polls += 1;
                if polls == POLLS_AT_A_STRETCH {
                    break;
                }
            }
            // Turn once even without any time left: a caller that never waits must get on, too.
            if turned && deadline.is_some_and(|deadline| deadline <= C::now()) {
                return None;
            }
            let until = if polls == POLLS_AT_A_STRETCH { Some(C::now()) } else { deadline };
            if self.turn_for_a_while(notices, until, each).is_err() {
                // Out of memory, at worst: see `be_patient`.
                C::pause(OUT_OF_MEMORY);
            }
            turned = true;
        }
    }
}

/// Runs a future on this thread in a forked process, which cannot use the parent's poller. Only
/// wakers that do not need the poller can wake the future.
fn run_without_a_driver<C: Clock, F: Future>(mut future: Pin<&mut F>, deadline: Option<Instant>) -> Option<F::Output> {
    struct Woken {
        woken: Mutex<bool>,
        changed: Condvar,
    }
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *lock(&self.woken) = true;
            self.changed.notify_all();
        }
    }
    let wake = Arc::new(Woken { woken: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(Arc::clone(&wake));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = polling_here(|| future.as_mut().poll(&mut context)) {
            return Some(output);
        }
        let mut woken = lock(&wake.woken);
        while !std::mem::take(&mut *woken) {
            if deadline.is_some_and(|deadline| deadline <= C::now()) {
                return None;
            }
            woken = C::wait(&wake.woken, woken, &wake.changed, deadline);
        }
    }
}

/// Wakes a future that [`TurnLock::run_until`] runs.
struct WakeHere<P, C> {
    woken: AtomicBool,
    thread: ThreadId,
    turn_lock: Arc<TurnLock<P, C>>,
}

impl<P: Turn, C: Clock> Wake for WakeHere<P, C> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let was_woken = self.woken.swap(true, Ordering::AcqRel);
        // This thread looks again before it waits.
        if !was_woken && current_thread() != self.thread {
            self.turn_lock.notify();
        }
    }
}
