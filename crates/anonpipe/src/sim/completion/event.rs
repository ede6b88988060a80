//! Events, and the pool that waits for them.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::super::chance;
use super::super::clock::{self, SimClock};
use super::{Call, NO_POOL, Pool, catch_up};
use crate::channel::completion;
use crate::sync::{Clock as _, Condvar, Mutex, lock};

/// Set by the kernel. The system resets an event when an operation with it begins; here each wait
/// does.
#[derive(Clone, Default)]
pub(crate) struct Event(Arc<EventState>);

struct EventState {
    set: Mutex<(bool, Option<Call>)>,
    changed: Condvar,
    pool: OnceLock<Pool>,
}

impl Default for EventState {
    fn default() -> Self {
        Self { set: Mutex::default(), changed: Condvar::new(), pool: OnceLock::new() }
    }
}

impl EventState {
    fn pass_to_pool(&self, call: Call) {
        lock(self.pool.get().expect("it was issued with an operation")).push_back(call);
    }
}

impl Event {
    /// The pool that waits for it.
    pub(super) fn belongs_to(&self, pool: &Pool) {
        let _ = self.0.pool.set(Arc::clone(pool));
    }

    pub(super) fn set(&self) {
        let then = {
            let mut state = lock(&self.0.set);
            state.0 = true;
            state.1.take()
        };
        self.0.changed.notify_all();
        if let Some(then) = then {
            self.0.pass_to_pool(then);
        }
    }
}

impl completion::Event for Event {
    fn new() -> io::Result<Self> {
        if chance::fault(30) {
            return Err(io::Error::other("no handles"));
        }
        Ok(Self::default())
    }

    fn of_this_thread() -> io::Result<Rc<Self>> {
        Ok(Rc::default())
    }

    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.0.set);
        loop {
            if std::mem::take(&mut state.0) {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= SimClock::now()) {
                return false;
            }
            if clock::is_virtual() {
                drop(state);
                catch_up();
                state = lock(&self.0.set);
            }
            state = SimClock::wait(&self.0.set, state, &self.0.changed, deadline);
        }
    }

    fn when_set(self, then: impl FnOnce() + Send + 'static) -> Result<(), (Self, io::Error)> {
        if NO_POOL.get() || chance::fault(12) {
            return Err((self, io::Error::other("no memory")));
        }
        let mut state = lock(&self.0.set);
        if state.0 {
            self.0.pass_to_pool(Box::new(then));
        } else {
            state.1 = Some(Box::new(then));
        }
        Ok(())
    }
}
