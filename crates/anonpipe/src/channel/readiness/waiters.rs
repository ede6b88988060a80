//! The tasks that wait for one direction of an end to become ready.

use std::sync::Arc;
use std::task::Waker;

use crate::contract::swallow_panic;
use crate::sync::{Mutex, MutexGuard, lock};

#[cfg(all(test, loom))]
mod interleavings;

/// A waiting task, and how to wake it. Shared by the end that the task polls and the queue.
///
/// The queue's lock decides whether it is among the waiters. Its waker is stored afterwards,
/// because cloning a waker runs the executor's code, which may come back to the queue.
#[derive(Default)]
pub(super) struct Waiter(Mutex<State>);

#[derive(Default)]
struct State {
    waker: Option<Waker>,
    /// Whether it was woken since it was put among the waiters.
    woken: bool,
}

impl Waiter {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Makes `wake` call `waker`; calls it at once if `wake` was called since this was put among
    /// the waiters. No lock may be held.
    pub(super) fn wake_with(&self, waker: &Waker) {
        {
            let state = self.state();
            if !state.woken && state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                return;
            }
        }
        let new = waker.clone();
        let mut state = self.state();
        if state.woken {
            drop(state);
            new.wake();
        } else {
            let old = state.waker.replace(new);
            drop(state);
            drop(old);
        }
    }

    /// Forgets the task. No lock may be held.
    pub(super) fn forget_waker(&self) {
        let waker = self.state().waker.take();
        drop(waker);
    }

    fn wake(&self) {
        let waker = {
            let mut state = self.state();
            state.woken = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            swallow_panic(|| waker.wake());
        }
    }
}

/// The tasks that wait for one direction of an end to become ready: usually one, more if the end
/// was cloned.
#[derive(Default)]
pub(super) struct Waiters {
    first: Option<Arc<Waiter>>,
    others: Vec<Arc<Waiter>>,
}

/// Tasks to be woken when no lock is held.
#[derive(Default)]
pub(super) struct Woken {
    first: Option<Arc<Waiter>>,
    others: Vec<Arc<Waiter>>,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    /// Makes the next `take` include `waiter`.
    pub(super) fn put(&mut self, waiter: &Arc<Waiter>) {
        // Earlier wakes were for an earlier wait.
        waiter.state().woken = false;
        if self.first.iter().chain(&self.others).any(|known| Arc::ptr_eq(known, waiter)) {
            return;
        }
        if self.first.is_none() {
            self.first = Some(Arc::clone(waiter));
        } else {
            self.others.push(Arc::clone(waiter));
        }
    }

    /// Takes a waiter out. It keeps its waker.
    pub(super) fn remove(&mut self, waiter: &Arc<Waiter>) {
        self.first.take_if(|first| Arc::ptr_eq(first, waiter));
        self.others.retain(|other| !Arc::ptr_eq(other, waiter));
    }

    pub(super) fn take(&mut self) -> Woken {
        Woken { first: self.first.take(), others: std::mem::take(&mut self.others) }
    }
}

impl Woken {
    pub(super) fn add(&mut self, more: Self) {
        if self.first.is_none() && self.others.is_empty() {
            *self = more;
        } else {
            self.others.extend(more.first);
            self.others.extend(more.others);
        }
    }

    pub(super) fn wake(self) {
        for waiter in self.first.into_iter().chain(self.others) {
            waiter.wake();
        }
    }
}
