//! Threads that turn one source take turns, and run futures in between.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Source, Turn};
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, ThreadId, current_thread, lock};

#[cfg(all(test, loom))]
mod interleavings;

/// How often a future is polled at a stretch before the source gets its turn: one that always wakes itself keeps nobody else
/// from being completed.
const POLLS_AT_A_STRETCH: usize = 64;

/// Which thread's turn it is.
pub(super) struct Turns {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Default)]
struct State {
    /// A thread is turning the source.
    taken: bool,
    /// How often somebody was notified.
    notices: u64,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State::default()), free: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl<S: Turn> Source<S> {
    /// Ends the turns of all threads, or else the next one.
    pub(super) fn notify(&self) {
        if !self.system.is_of_this_process() {
            // What would hear it is the parent's, and so may be the lock.
            return;
        }
        self.turns.state().notices += 1;
        self.turns.free.notify_all();
        self.system.notify();
    }

    pub(super) fn notices(&self) -> u64 {
        self.turns.state().notices
    }

    /// Turns once; returns at once if somebody was notified after there had been `notices`.
    pub(super) fn turn(&self, notices: u64, deadline: Option<Instant>) -> io::Result<()> {
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut state = self.turns.state();
        while state.taken && state.notices == notices {
            state = match left() {
                None => self.turns.free.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Ok(()),
                Some(left) => self.turns.free.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        if state.notices != notices {
            return Ok(());
        }
        state.taken = true;
        drop(state);
        let result = self.system.turn(left());
        self.turns.state().taken = false;
        self.turns.free.notify_one();
        result
    }

    /// Runs a future on this thread, and turns the source while it waits. `None`: `deadline` came first; what could be completed
    /// by then is.
    pub(super) fn run_until<F: Future>(
        self: &Arc<Self>,
        mut future: Pin<&mut F>,
        deadline: Option<Instant>,
    ) -> Option<F::Output>
    where
        S: 'static,
    {
        if !self.system.is_of_this_process() {
            return run_without_a_source(future, deadline);
        }
        let thread = current_thread();
        let alarm = Arc::new(Alarm { rung: AtomicBool::new(true), thread, source: Arc::clone(self) });
        let waker = Waker::from(Arc::clone(&alarm));
        let mut context = Context::from_waker(&waker);
        let mut turned = false;
        loop {
            let notices = self.notices();
            let mut polls = 0;
            while alarm.rung.swap(false, Ordering::AcqRel) {
                let polled = super::on_own_loop(|| future.as_mut().poll(&mut context));
                if let Poll::Ready(output) = polled {
                    return Some(output);
                }
                if !self.system.is_of_this_process() {
                    // The future has forked, and goes on in this process.
                    return run_without_a_source(future, deadline);
                }
                polls += 1;
                if polls == POLLS_AT_A_STRETCH {
                    break;
                }
            }
            // Also without any time there is one turn: a caller that never waits must get on, too.
            if turned && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            let until = if polls == POLLS_AT_A_STRETCH { Some(Instant::now()) } else { deadline };
            if self.turn(notices, until).is_err() {
                // Out of memory, at worst: see `turn_patiently`.
                std::thread::sleep(Duration::from_millis(10));
            }
            turned = true;
        }
    }
}

/// Runs a future on this thread, in a process that was forked from the one whose source it is. Only what does not need the source
/// can wake it.
fn run_without_a_source<F: Future>(mut future: Pin<&mut F>, deadline: Option<Instant>) -> Option<F::Output> {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = super::on_own_loop(|| future.as_mut().poll(&mut context)) {
            return Some(output);
        }
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => std::thread::park(),
            Some(Duration::ZERO) => return None,
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

/// Wakes a future that [`Source::run_until`] runs.
struct Alarm<S> {
    rung: AtomicBool,
    thread: ThreadId,
    source: Arc<Source<S>>,
}

impl<S: Turn + 'static> Wake for Alarm<S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let rung = self.rung.swap(true, Ordering::AcqRel);
        // The thread itself looks before it waits.
        if !rung && current_thread() != self.thread {
            self.source.notify();
        }
    }
}
