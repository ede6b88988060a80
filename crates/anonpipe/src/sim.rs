//! Kernels that exist only in memory, so that both models of a channel are tested on every host.
//!
//! Their locks are those of `sync`: under loom, a model explores the orders in which the kernel is
//! asked as well.

#[cfg_attr(loom, allow(dead_code, reason = "models have no random programs"))]
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod completion;
#[cfg(loom)]
pub(crate) mod explore;
pub(crate) mod meanwhile;
pub(crate) mod readiness;
#[cfg(not(loom))]
pub(crate) mod world;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::channel::{Record, Submitted, System};
use crate::contract::{Half, Process, Turn};
use crate::sync::{Clock as _, Condvar, Mutex, lock};
use clock::SimClock;

/// Submits a read of at most `length` bytes.
pub(crate) fn read<S: System>(channel: &Arc<S::Channel>, length: usize) -> Submitted<Vec<u8>, S> {
    let record = Record::new(Half::Read, vec![0; length], length);
    record.lent().lend_to_read();
    Submitted::to(channel, record)
}

/// Submits a write.
pub(crate) fn write<S: System>(channel: &Arc<S::Channel>, bytes: &[u8]) -> Submitted<Vec<u8>, S> {
    let record = Record::new(Half::Write, bytes.to_vec(), bytes.len());
    record.lent().lend_to_write();
    Submitted::to(channel, record)
}

/// The bytes that a complete operation has read or written.
pub(crate) fn taken<S: System>(mut operation: Submitted<Vec<u8>, S>) -> Vec<u8> {
    let (outcome, mut buffer) = operation.wait(Some(Instant::now())).expect("it is complete");
    buffer.truncate(outcome.unwrap());
    buffer
}

/// A deadline, a short time from now.
#[cfg(not(loom))]
pub(crate) fn soon() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(20))
}

/// A kernel in memory has one process, which can act as if it were another one that was forked from
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OneProcess {
    is_child: bool,
}

thread_local! {
    static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

impl OneProcess {
    #[cfg(not(loom))]
    fn in_child<R>(call: impl FnOnce() -> R) -> R {
        IS_CHILD.set(true);
        let result = call();
        IS_CHILD.set(false);
        result
    }
}

impl Process for OneProcess {
    fn current() -> Self {
        meanwhile::between_locks();
        Self { is_child: IS_CHILD.get() }
    }

    fn is_current(self) -> bool {
        self == Self::current()
    }
}

/// Starts a thread; in a model, one of the model's.
fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(loom)]
    let started = loom::thread::Builder::new().spawn(run);
    #[cfg(not(loom))]
    let started = std::thread::Builder::new().spawn(run);
    started.map(drop)
}

/// A source of notifications: the next turn passes on what was sent to it.
pub(crate) struct Inbox<E>(Arc<Shared<E>>);

struct Shared<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
    once: bool,
}

struct State<E> {
    events: VecDeque<(usize, E)>,
    notified: bool,
}

impl<E> Clone for Inbox<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Inbox<E> {
    pub(crate) fn send(&self, key: usize, event: E) {
        lock(&self.0.state).events.push_back((key, event));
        self.0.changed.notify_all();
    }

    /// Whether it speaks once when it was asked, and not of every change.
    fn says_it_once(&self) -> bool {
        self.0.once
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<E: Send + 'static> Turn for Inbox<E> {
    type Report = E;

    fn new() -> io::Result<Self> {
        let state = State { events: VecDeque::new(), notified: false };
        Ok(Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), once: chance::one_in(2) })))
    }

    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, E)) -> io::Result<()> {
        let deadline = timeout.and_then(|timeout| SimClock::now().checked_add(timeout));
        let mut state = lock(&self.0.state);
        while state.events.is_empty() && !state.notified {
            if deadline.is_some_and(|deadline| deadline <= SimClock::now()) {
                break;
            }
            state = SimClock::wait(&self.0.state, state, &self.0.changed, deadline);
        }
        state.notified = false;
        // Some may come late. The order of events is that of their key.
        if state.events.len() > 1 && chance::one_in(4) {
            let first = usize::from(chance::below(u8::try_from(state.events.len()).unwrap_or(u8::MAX)));
            let key = state.events[first].0;
            state.events.make_contiguous().sort_by_key(|event| event.0 != key);
        }
        let now = chance::part(state.events.len());
        let events: Vec<_> = state.events.drain(..now).collect();
        drop(state);
        meanwhile::alone(|| events.into_iter().for_each(|(key, event)| each(key, event)));
        Ok(())
    }

    fn notify(&self) {
        lock(&self.0.state).notified = true;
        self.0.changed.notify_all();
    }

    fn is_of_this_process(&self) -> bool {
        true
    }
}
