//! The submitter's share of an operation: to wait for it, to cancel it, or to let it go.

use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::{Channel, DriverShare, InFlight, Record, System};
use crate::contract::{Failure, Outcome};

/// An operation that was submitted. Dropping this asks for its cancellation.
pub(crate) struct Submitted<B: Send + 'static, S: System> {
    /// `None` once the outcome was taken.
    record: Option<Arc<Record<B, S>>>,
    /// Weak: the queue holds the channel while the operation is in flight, and afterwards there is
    /// nothing to cancel.
    channel: Weak<S::Channel>,
}

const SPENT: &str = "this operation's outcome was already taken";

/// The outcome of a parent's operation in a forked process.
fn left_in_the_parent() -> Failure {
    let why = "it is in flight in the process that this one was forked from, and goes on there alone";
    Failure::refused(io::ErrorKind::Unsupported, why)
}

impl<B: Send + 'static, S: System> Submitted<B, S> {
    /// Submits an operation whose bytes are lent.
    pub(crate) fn to(channel: &Arc<S::Channel>, record: Arc<Record<B, S>>) -> Self {
        channel.submit(Arc::clone(&record) as Arc<dyn InFlight<S>>);
        Self::over(record, Arc::downgrade(channel))
    }

    /// An operation that is complete from the start.
    pub(crate) fn decided(record: Arc<Record<B, S>>, outcome: Outcome) -> Self {
        record.complete(outcome);
        Self::over(record, Weak::new())
    }

    pub(crate) fn over(record: Arc<Record<B, S>>, channel: Weak<S::Channel>) -> Self {
        Self { record: Some(record), channel }
    }

    /// # Panics
    ///
    /// If the outcome was already taken.
    pub(crate) fn record(&self) -> &Arc<Record<B, S>> {
        self.record.as_ref().expect(SPENT)
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.record.is_none()
    }

    /// The record, if it can be waited for: not once the outcome was taken, and not in a forked
    /// process, because the parent's threads may have held the operation's locks.
    fn local(&self) -> Option<&Arc<Record<B, S>>> {
        self.record.as_ref().filter(|record| record.is_of_this_process())
    }

    /// The outcome of a parent's operation in a forked process. Takes no lock that may be held for
    /// ever.
    fn outcome_after_fork(&self) -> Option<Outcome> {
        let record = self.record.as_ref().filter(|record| !record.is_of_this_process())?;
        Some(record.outcome().outcome_at_once().unwrap_or_else(|| Err(left_in_the_parent())))
    }

    fn finish(&mut self, outcome: Outcome) -> (Outcome, B) {
        let record = self.record.take().expect(SPENT);
        (outcome, record.take_buffer())
    }

    /// Blocks until the operation is complete, or `deadline` has come.
    ///
    /// # Panics
    ///
    /// If the outcome was already taken.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Option<(Outcome, B)> {
        let outcome = self.wait_for_outcome(deadline)?;
        Some(self.finish(outcome))
    }

    fn wait_for_outcome(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let outcome = self.record().outcome();
        if let Some(known) = self.outcome_after_fork() {
            return Some(known);
        }
        // Where the caller has to turn the driver, no other thread may be there to do it.
        match self.attached() {
            Some(driver) => {
                let mut turning = None;
                let wait = |waker: &Waker| {
                    turning.get_or_insert_with(|| waker.clone());
                    outcome.poll_beside_task(waker)
                };
                let known = driver.run_until(wait, deadline);
                if let Some(waker) = turning.filter(|_| known.is_none()) {
                    outcome.remove_waker(&waker);
                }
                known
            }
            None => outcome.wait::<S::Clock>(deadline),
        }
    }

    /// The driver that the caller has to turn for this operation. `None`: it is complete, or its
    /// end is not attached.
    pub(crate) fn attached(&self) -> Option<S::Driver> {
        if self.is_complete() {
            return None;
        }
        self.channel.upgrade()?.attachment().get().cloned()
    }

    pub(crate) fn cancel(&self) {
        let Some(record) = &self.record else { return };
        if record.is_of_this_process() && record.outcome().is_complete() {
            return;
        }
        if let Some(channel) = self.channel.upgrade() {
            S::Channel::cancel(channel, &**record);
        }
    }

    pub(crate) fn detach(mut self) {
        self.forget_task();
        self.record = None;
    }

    fn forget_task(&self) {
        if let Some(record) = self.local() {
            record.outcome().forget_task();
        }
    }

    /// Also true of a parent's operation in a forked process, and after the outcome was taken.
    pub(crate) fn is_complete(&self) -> bool {
        self.local().is_none_or(|record| record.outcome().is_complete())
    }

    /// # Panics
    ///
    /// If the outcome was already taken.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Outcome, B)> {
        let record = self.record();
        let outcome = match self.outcome_after_fork() {
            Some(outcome) => outcome,
            None => ready!(record.outcome().poll(context.waker())),
        };
        Poll::Ready(self.finish(outcome))
    }

    /// Whether the operation is complete. If not, `waker` is called when it is, unless
    /// `remove_waker` takes it back.
    pub(crate) fn add_waker(&self, waker: &Waker) -> bool {
        self.local().is_none_or(|record| record.outcome().add_waker(waker))
    }

    pub(crate) fn remove_waker(&self, waker: &Waker) {
        if let Some(record) = self.local() {
            record.outcome().remove_waker(waker);
        }
    }
}

impl<B: Send + 'static, S: System> Drop for Submitted<B, S> {
    fn drop(&mut self) {
        // First, because the task that drops the operation need not be told that it was cancelled.
        self.forget_task();
        self.cancel();
    }
}
