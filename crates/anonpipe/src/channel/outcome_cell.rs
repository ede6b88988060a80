//! Where the thread that completes an operation meets the caller that waits for it.

use std::task::{Poll, Waker};
use std::time::Instant;

use crate::contract::{Outcome, swallow_panic};
use crate::sync::{Clock, Condvar, Mutex, lock, try_lock};

/// Where the thread that completes an operation meets the caller that waits for it.
pub(crate) struct OutcomeCell {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    completed: bool,
    /// The task that polled last.
    waker: Option<Waker>,
    /// Threads that wait for the first of several operations, of which this is one.
    others: Vec<Waker>,
    /// Whether a thread sleeps on `done`.
    asleep: bool,
}

impl OutcomeCell {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), done: Condvar::new() }
    }

    /// Completes the operation. Only the first completion counts.
    pub(crate) fn complete(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        debug_assert!(!state.completed, "an operation completes once");
        if state.completed {
            return;
        }
        state.completed = true;
        state.outcome = Some(outcome);
        let waker = state.waker.take();
        let others = std::mem::take(&mut state.others);
        if state.asleep {
            self.done.notify_all();
        }
        drop(state);
        for waker in others.into_iter().chain(waker) {
            swallow_panic(|| waker.wake());
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        lock(&self.state).completed
    }

    /// Ends a wait for several operations. May be called more than once.
    pub(crate) fn end_wait(&self) {
        let mut state = lock(&self.state);
        if !state.completed {
            state.completed = true;
            state.outcome = Some(Ok(0));
            self.done.notify_all();
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The outcome if there is one; otherwise `waker` will be called.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Outcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        if state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return Poll::Pending;
        }
        drop(state);
        // This is an executor's code, which may come back to this very operation. So no lock is
        // held meanwhile.
        let new = waker.clone();
        let mut state = lock(&self.state);
        if let Some(outcome) = state.outcome.take() {
            drop(state);
            drop(new);
            return Poll::Ready(outcome);
        }
        let old = state.waker.replace(new);
        // Dropping the waker may drop a task, and with it an end that cancels this very operation.
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// As [`poll`](Self::poll), for a thread that turns a driver: the task that polled last is
    /// still woken, too. `remove_waker` ends the wait.
    pub(crate) fn poll_beside_task(&self, waker: &Waker) -> Poll<Outcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        let State { waker: task, others, .. } = &mut *state;
        if task.is_none() {
            *task = Some(waker.clone());
        } else if task.iter().chain(&*others).all(|known| !known.will_wake(waker)) {
            others.push(waker.clone());
        }
        Poll::Pending
    }

    /// The outcome, if it is there and the lock is free.
    pub(crate) fn outcome_at_once(&self) -> Option<Outcome> {
        try_lock(&self.state)?.outcome.take()
    }

    /// Forgets the task that polled last. Its waker would keep its executor alive for as long as
    /// the peer lets the operation wait.
    pub(crate) fn forget_task(&self) {
        let waker = lock(&self.state).waker.take();
        drop(waker);
    }

    /// Whether the operation is complete. If not, `waker` is called when it is, unless
    /// `remove_waker` takes it back.
    pub(crate) fn add_waker(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if !state.completed {
            state.others.push(waker.clone());
        }
        state.completed
    }

    pub(crate) fn remove_waker(&self, waker: &Waker) {
        let mut state = lock(&self.state);
        state.waker.take_if(|known| known.will_wake(waker));
        state.others.retain(|other| !other.will_wake(waker));
    }

    /// Blocks until the outcome is there, or `deadline` has come.
    pub(crate) fn wait<C: Clock>(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let mut state = lock(&self.state);
        loop {
            if let Some(outcome) = state.outcome.take() {
                return Some(outcome);
            }
            state.asleep = true;
            if deadline.is_some_and(|deadline| deadline <= C::now()) {
                return None;
            }
            state = C::wait(&self.state, state, &self.done, deadline);
        }
    }
}
