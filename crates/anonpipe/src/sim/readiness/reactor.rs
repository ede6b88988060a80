//! A runtime's reactor: what it has to say waits until the test's thread turns it.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use super::{Descriptor, Pipe};
use crate::channel::readiness;
use crate::contract::Half;
use crate::sync::lock;

thread_local! {
    static AT_HAND: Cell<bool> = const { Cell::new(false) };
    /// The wakers to call at the next turn.
    static WOKEN: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with a runtime at hand.
pub(crate) fn in_runtime<R>(f: impl FnOnce() -> R) -> R {
    AT_HAND.set(true);
    let result = f();
    AT_HAND.set(false);
    result
}

/// Wakes the tasks whose descriptors have become ready.
pub(crate) fn turn() {
    WOKEN.take().into_iter().for_each(Waker::wake);
}

/// What the reactor knows of one half of a descriptor.
#[derive(Default)]
pub(super) struct Known {
    is_ready: bool,
    waker: Option<Waker>,
}

impl Known {
    pub(super) fn is_told(&mut self) {
        self.is_ready = true;
        if let Some(waker) = self.waker.take() {
            WOKEN.with_borrow_mut(|woken| woken.push(waker));
        }
    }
}

#[derive(Default)]
pub(crate) struct Reactor(Arc<AtomicUsize>);

pub(crate) struct Watch {
    pipe: Arc<Pipe>,
    side: usize,
    wakers: [Waker; 2],
    tasks: Arc<AtomicUsize>,
}

impl readiness::Reactor for Reactor {
    type Descriptor = Descriptor;
    type Watch = Watch;

    fn is_at_hand() -> bool {
        AT_HAND.get()
    }

    fn is_in_use(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn watch(&self, descriptor: &Descriptor, half: Half, wakers: impl FnOnce() -> [Waker; 2]) -> Option<Watch> {
        if !AT_HAND.get() {
            return None;
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let mut state = descriptor.state();
        let side = descriptor.side;
        state.known_to_reactor[side][half as usize].is_ready = state.is_ready(side, half);
        drop(state);
        Some(Watch { pipe: Arc::clone(&descriptor.pipe), side, wakers: wakers(), tasks: Arc::clone(&self.0) })
    }
}

impl readiness::Watch for Watch {
    fn is_of_this_runtime(&self) -> bool {
        AT_HAND.get()
    }

    fn poll_ready<R>(
        &self,
        half: Half,
        attempt: impl FnOnce() -> R,
        is_in_vain: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        {
            let known = &mut lock(&self.pipe.state).known_to_reactor[self.side][half as usize];
            if !known.is_ready {
                known.waker = Some(self.wakers[half as usize].clone());
                return Poll::Pending;
            }
        }
        let result = self.attempt(half, attempt, is_in_vain);
        Poll::Ready(Ok(result))
    }
}

impl Watch {
    fn attempt<R>(&self, half: Half, attempt: impl FnOnce() -> R, is_in_vain: impl FnOnce(&R) -> bool) -> R {
        let result = attempt();
        let mut state = lock(&self.pipe.state);
        if is_in_vain(&result) && !state.is_ready(self.side, half) {
            state.known_to_reactor[self.side][half as usize].is_ready = false;
        }
        result
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}
