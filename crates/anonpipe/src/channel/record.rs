//! An operation while it is in flight: what its channel has to know, and what it is waited for by.

use std::sync::Arc;

use super::{OutcomeCell, System};
use crate::buffer::{Bytes, Lent};
use crate::contract::{Half, Outcome, Process};

/// What a channel has to know of an operation, besides its bytes.
pub(crate) struct Request<S: System> {
    pub(crate) half: Half,
    /// Of the buffer.
    pub(crate) length: usize,
    /// What the system needs for it.
    pub(crate) slot: S::Slot,
}

/// An operation as the queues hold it: of any type of buffer.
pub(crate) trait InFlight<S: System>: Send + Sync {
    fn request(&self) -> &Request<S>;

    /// The buffer's bytes. They are the system's from the submission until the completion: the
    /// buffer is not looked at in between.
    fn bytes(&self) -> &Bytes;

    /// Tells the caller what became of it, once. This runs the caller's code: no lock may be held.
    fn complete(&self, outcome: Outcome);
}

/// An operation, its buffer, and the place where its completer meets the caller that waits for it.
///
/// The handle that the caller has and, from before it is issued until its completion was observed,
/// the queue of its end each own a share. So the system's memory stays, even if the
/// handle is dropped.
pub(crate) struct Record<B, S: System> {
    // Before the buffer, because it is dropped first: a system may check that it is done with it.
    request: Request<S>,
    lent: Lent<B>,
    outcome: OutcomeCell,
    /// The process that submitted it.
    process: S::Process,
}

impl<B: Send + 'static, S: System> Record<B, S> {
    /// Of an operation on `length` bytes of `buffer`. They are lent to the system later, in their
    /// final place.
    pub(crate) fn new(half: Half, buffer: B, length: usize) -> Arc<Self> {
        Arc::new(Self {
            request: Request { half, length, slot: S::Slot::default() },
            lent: Lent::new(buffer),
            outcome: OutcomeCell::new(),
            process: S::Process::current(),
        })
    }

    pub(crate) fn lent(&self) -> &Lent<B> {
        &self.lent
    }

    pub(crate) fn outcome(&self) -> &OutcomeCell {
        &self.outcome
    }

    /// Whether it was submitted by this process, and not by the one that this was forked from.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// The buffer, after the completion.
    pub(crate) fn take_buffer(&self) -> B {
        self.lent.take().expect("the outcome is taken once, and the buffer with it")
    }
}

impl<B: Send + 'static, S: System> InFlight<S> for Record<B, S> {
    fn request(&self) -> &Request<S> {
        &self.request
    }

    fn bytes(&self) -> &Bytes {
        self.lent.bytes()
    }

    fn complete(&self, outcome: Outcome) {
        self.outcome.complete(outcome);
    }
}
