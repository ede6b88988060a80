//! The tasks that wait for one direction of an end to become ready.

use std::task::Waker;

use crate::driver::undisturbed;

/// The tasks that wait for one direction of an end to become ready: usually one, more if the end was cloned.
#[derive(Default)]
pub(super) struct Waiters {
    first: Option<Waiter>,
    others: Vec<Waiter>,
}

struct Waiter {
    /// Of the end that polls.
    id: u64,
    waker: Waker,
}

/// Tasks to be woken when no lock is held.
#[derive(Default)]
pub(super) struct Woken {
    first: Option<Waiter>,
    others: Vec<Waiter>,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    /// Has `waker` called once. The caller drops what it gets, the waker that was known before, when no lock is held.
    #[must_use = "its drop may need the lock"]
    pub(super) fn put(&mut self, id: u64, waker: &Waker) -> Option<Waker> {
        if let Some(known) = self.first.iter_mut().chain(&mut self.others).find(|waiter| waiter.id == id) {
            let is_new = !known.waker.will_wake(waker);
            return is_new.then(|| std::mem::replace(&mut known.waker, waker.clone()));
        }
        let waiter = Waiter { id, waker: waker.clone() };
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.others.push(waiter);
        }
        None
    }

    /// Takes one back. The caller drops what it gets when no lock is held.
    pub(super) fn remove(&mut self, id: u64) -> Option<Waker> {
        if self.first.as_ref().is_some_and(|first| first.id == id) {
            return self.first.take().map(|waiter| waiter.waker);
        }
        let place = self.others.iter().position(|waiter| waiter.id == id)?;
        Some(self.others.swap_remove(place).waker)
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
            undisturbed(|| waiter.waker.wake());
        }
    }
}
