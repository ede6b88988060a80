//! Kernels that exist only in memory, so that both models of a channel are tested on every host.

pub(crate) mod completion;
pub(crate) mod readiness;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::channel::{Record, Submitted, System};
use crate::contract::{Half, Process, Turn};

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

/// A kernel in memory has one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneProcess;

impl Process for OneProcess {
    fn current() -> Self {
        Self
    }

    fn is_current(self) -> bool {
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A source of notifications: the next turn passes on what was sent to it.
pub(crate) struct Inbox<E>(Arc<Shared<E>>);

struct Shared<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
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

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<E: Send + 'static> Turn for Inbox<E> {
    type Report = E;

    fn new() -> io::Result<Self> {
        let state = State { events: VecDeque::new(), notified: false };
        Ok(Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() })))
    }

    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, E)) -> io::Result<()> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = lock(&self.0.state);
        while state.events.is_empty() && !state.notified {
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        state.notified = false;
        let events = std::mem::take(&mut state.events);
        drop(state);
        for (key, event) in events {
            each(key, event);
        }
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
