//! An operation in flight: what its channel has to know, and where the caller waits for it.

use std::sync::Arc;

use super::{OutcomeCell, System};
use crate::buffer::{Lent, Loan};
use crate::contract::{Half, Outcome, Process};

/// What is asked of a channel: the kind of an operation, and how many bytes it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) half: Half,
    /// The length of the buffer.
    pub(crate) length: usize,
}

/// An operation as the queues hold it, with a buffer of any type.
pub(crate) trait InFlight<S: System>: Send + Sync {
    fn request(&self) -> &Request;

    /// What the system has of it from submission to completion; this crate does not look at the
    /// buffer in between.
    fn loan(&self) -> &Loan<S::Slot>;

    /// Tells the caller the outcome, once. This runs the caller's code: no lock may be held.
    fn complete(&self, outcome: Outcome);
}

/// An operation, its buffer, and the place where the completing thread meets the caller that waits.
///
/// It has two owners: the caller's handle, and the queue of its end, from before the operation is
/// issued until its completion was observed. So the system's memory stays, even if the handle is
/// dropped.
pub(crate) struct Record<B, S: System> {
    request: Request,
    lent: Lent<B, S::Slot>,
    outcome: OutcomeCell,
    /// The process that submitted it.
    process: S::Process,
}

impl<B: Send + 'static, S: System> Record<B, S> {
    /// Makes the record of an operation on `length` bytes of `buffer`. They are lent to the system
    /// later, in their final place.
    pub(crate) fn new(half: Half, buffer: B, length: usize) -> Arc<Self> {
        Arc::new(Self {
            request: Request { half, length },
            lent: Lent::new(buffer),
            outcome: OutcomeCell::new(),
            process: S::Process::current(),
        })
    }

    pub(crate) fn lent(&self) -> &Lent<B, S::Slot> {
        &self.lent
    }

    pub(crate) fn outcome(&self) -> &OutcomeCell {
        &self.outcome
    }

    /// Whether this process submitted the operation, and not one that it was forked from.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// The buffer, after the completion.
    pub(crate) fn take_buffer(&self) -> B {
        let buffer = if self.is_of_this_process() { self.lent.take() } else { self.lent.take_after_fork() };
        buffer.expect("the outcome is taken once, and the buffer with it")
    }
}

impl<B: Send + 'static, S: System> InFlight<S> for Record<B, S> {
    fn request(&self) -> &Request {
        &self.request
    }

    fn loan(&self) -> &Loan<S::Slot> {
        self.lent.loan()
    }

    fn complete(&self, outcome: Outcome) {
        self.outcome.complete(outcome);
    }
}
