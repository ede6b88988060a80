//! The queue for one direction of an end, and what is done with its entries.

use std::collections::VecDeque;
use std::sync::Arc;

use super::blocking::BlockedThread;
use super::waiters::{Waiters, Woken};
use super::{Channel, System};
use crate::channel::InFlight;
use crate::contract::{Failure, Outcome, swallow_panic};

pub(super) struct Queue<S: System> {
    pub(super) entries: VecDeque<Entry<S>>,
    /// Tasks, which have no place in the queue: they try again when the queue is empty and the
    /// descriptor is ready.
    pub(super) waiters: Waiters,
    /// How often everything was cancelled. A task compares this with the count when its wait began.
    pub(super) cancels: u64,
    /// Writes only: half-close when the queue is empty.
    pub(super) shut: bool,
}

impl<S: System> Default for Queue<S> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), waiters: Waiters::default(), cancels: 0, shut: false }
    }
}

impl<S: System> Queue<S> {
    /// The thread that has waited longest.
    pub(super) fn first_thread(&self) -> Option<&Arc<BlockedThread<S>>> {
        self.entries.iter().find_map(Entry::as_thread)
    }

    /// How many bytes of the operation at the head have gone.
    pub(super) fn progress_of_head(&self) -> usize {
        match self.entries.front() {
            Some(Entry::Operation(operation, _)) => operation.loan().slot().get(),
            Some(Entry::Thread(_)) | None => 0,
        }
    }
}

pub(super) enum Entry<S: System> {
    /// An operation owns the channel it runs on, so that the descriptor outlives the end.
    Operation(Arc<dyn InFlight<S>>, #[expect(dead_code, reason = "held, never looked at")] Arc<Channel<S>>),
    /// A thread that blocks in `read` or `write`.
    Thread(Arc<BlockedThread<S>>),
}

impl<S: System> Entry<S> {
    pub(super) fn into_operation(self) -> Option<Arc<dyn InFlight<S>>> {
        match self {
            Self::Operation(operation, _) => Some(operation),
            Self::Thread(_) => None,
        }
    }

    pub(super) fn as_thread(&self) -> Option<&Arc<BlockedThread<S>>> {
        match self {
            Self::Operation(..) => None,
            Self::Thread(thread) => Some(thread),
        }
    }

    pub(super) fn is_operation(&self, sought: &dyn InFlight<S>) -> bool {
        matches!(self, Self::Operation(operation, _) if std::ptr::eq(operation.request(), sought.request()))
    }

    pub(super) fn is_thread(&self, thread: &Arc<BlockedThread<S>>) -> bool {
        matches!(self, Self::Thread(known) if Arc::ptr_eq(known, thread))
    }
}

/// Operations whose outcome is known. They are completed when no lock is held, because completing
/// runs the caller's code and drops the channel.
pub(super) struct Finished<S: System> {
    pub(super) outcomes: Vec<(Entry<S>, Outcome)>,
    /// Tasks that have to try again.
    pub(super) tasks: Woken,
}

impl<S: System> Default for Finished<S> {
    fn default() -> Self {
        Self { outcomes: Vec::new(), tasks: Woken::default() }
    }
}

impl<S: System> Finished<S> {
    pub(super) fn cancel(&mut self, entry: Entry<S>) {
        if let Entry::Operation(operation, _) = &entry {
            let transferred = Some(operation.loan().slot().get());
            self.outcomes.push((entry, Err(Failure::Cancelled { transferred })));
        }
    }

    pub(super) fn complete(self) {
        // A caller who learns of the first completion and drops the end expects the descriptor to
        // be closed. So all entries release the channel before.
        let outcomes: Vec<_> =
            self.outcomes.into_iter().filter_map(|(entry, outcome)| Some((entry.into_operation()?, outcome))).collect();
        for (operation, outcome) in outcomes {
            swallow_panic(|| {
                operation.complete(outcome);
                drop(operation);
            });
        }
        self.tasks.wake();
    }
}
