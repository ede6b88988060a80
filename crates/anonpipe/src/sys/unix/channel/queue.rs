//! What waits for its turn in one direction of an end, and what is done with it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::waiters::{Waiters, Woken};
use super::super::wake::Sleeper;
use super::Channel;
use crate::driver::undisturbed;
use crate::error::Failure;
use crate::op::{Header, InFlight, Outcome};

#[derive(Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// Tasks that have no place in the queue: they try again when it is empty and the descriptor is ready.
    pub(super) waiters: Waiters,
    /// How often everything was cancelled: a task compares it with what it was when its wait began.
    pub(super) cancels: u64,
    /// Writes only: half-close when the queue is empty.
    pub(super) shut: bool,
}

impl Queue {
    /// The thread that waits for the longest time.
    pub(super) fn first_thread(&self) -> Option<&Arc<Sleeper>> {
        self.entries.iter().find_map(Entry::as_thread)
    }

    /// What has gone of the operation at the head.
    pub(super) fn progress_of_head(&self) -> usize {
        match self.entries.front() {
            Some(Entry::Operation(operation, _)) => operation.header().slot.progress(),
            Some(Entry::Thread(_)) | None => 0,
        }
    }
}

pub(super) enum Entry {
    /// An operation owns the channel it runs on, so that the descriptor outlives the end.
    Operation(Arc<dyn InFlight>, #[expect(dead_code, reason = "held, never looked at")] Arc<Channel>),
    /// A thread that blocks in `read` or `write`.
    Thread(Arc<Sleeper>),
}

impl Entry {
    pub(super) fn into_operation(self) -> Option<Arc<dyn InFlight>> {
        match self {
            Self::Operation(operation, _) => Some(operation),
            Self::Thread(_) => None,
        }
    }

    pub(super) fn as_thread(&self) -> Option<&Arc<Sleeper>> {
        match self {
            Self::Operation(..) => None,
            Self::Thread(sleeper) => Some(sleeper),
        }
    }

    pub(super) fn is_operation(&self, header: &Header) -> bool {
        matches!(self, Self::Operation(operation, _) if std::ptr::eq(operation.header(), header))
    }

    pub(super) fn is_thread(&self, sleeper: &Arc<Sleeper>) -> bool {
        matches!(self, Self::Thread(thread) if Arc::ptr_eq(thread, sleeper))
    }
}

/// Operations whose outcome is known, to be completed when no lock is held: completing wakes strangers, and drops the
/// channel.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) outcomes: Vec<(Entry, Outcome)>,
    /// Tasks that are to try again.
    pub(super) tasks: Woken,
}

impl Finished {
    pub(super) fn cancel(&mut self, entry: Entry) {
        if let Entry::Operation(operation, _) = &entry {
            let transferred = Some(operation.header().slot.progress());
            self.outcomes.push((entry, Err(Failure::Cancelled { transferred })));
        }
    }

    pub(super) fn complete(self) {
        // A caller who learns of the first completion and drops the end expects the descriptor to be closed: let go of the
        // channel in all entries before.
        let outcomes: Vec<_> =
            self.outcomes.into_iter().filter_map(|(entry, outcome)| Some((entry.into_operation()?, outcome))).collect();
        for (operation, outcome) in outcomes {
            undisturbed(|| {
                operation.header().complete(outcome);
                drop(operation);
            });
        }
        self.tasks.wake();
    }
}
