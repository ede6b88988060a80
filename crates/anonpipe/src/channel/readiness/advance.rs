//! What the head of a queue does.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;

use super::queue::{Entry, Finished, Queue};
use super::registration::Armed;
use super::{Channel, Descriptor, System};
use crate::channel::InFlight;
use crate::contract::{Failure, Half, Outcome};

/// How many calls one write gets in a row, so that a fast peer does not keep the driver from other
/// pipes.
pub(super) const CALLS_AT_A_STRETCH: usize = 16;

/// The result of one attempt at the operation at the head of its queue.
enum Attempt {
    Done(Outcome),
    WouldBlock,
    /// More may be possible at once, but it is another pipe's turn.
    Yield,
}

impl<S: System> Channel<S> {
    /// Advances the head of the queue, and every entry that becomes the head, as far as possible.
    pub(super) fn advance(self: &Arc<Self>, half: Half, queue: &mut Queue<S>, finished: &mut Finished<S>) {
        loop {
            let attempt = match queue.entries.front() {
                None => {
                    if queue.shut {
                        let _ = self.descriptor.shutdown_write();
                    }
                    return finished.tasks.add(queue.waiters.take());
                }
                Some(Entry::Thread(thread)) => return thread.wake(),
                Some(Entry::Operation(operation, _)) => self.attempt(&**operation),
            };
            let outcome = match attempt {
                Attempt::Done(outcome) => outcome,
                Attempt::WouldBlock | Attempt::Yield => {
                    match self.arm(half, /* may_be_ready */ matches!(attempt, Attempt::Yield)) {
                        Ok(Armed::Listening) => return,
                        Ok(Armed::TryAgain) => continue,
                        // The driver has no descriptors left, for example. What went before is
                        // known.
                        Err(error) => Err(Failure::from(error).after(queue.progress_of_head())),
                    }
                }
            };
            if let Some(entry) = queue.entries.pop_front() {
                finished.outcomes.push((entry, outcome));
            }
        }
    }

    /// Does what can be done at once for the operation at the head.
    fn attempt(&self, operation: &dyn InFlight<S>) -> Attempt {
        match operation.request().half {
            Half::Read => self.attempt_read(operation),
            Half::Write => self.attempt_write(operation),
        }
    }

    fn attempt_read(&self, operation: &dyn InFlight<S>) -> Attempt {
        let read = operation.loan().with_mut(|bytes| {
            let most = bytes.len().min(S::Descriptor::MAX_TRANSFER);
            self.descriptor.try_read(&mut [IoSliceMut::new(&mut bytes[..most])])
        });
        read.map_or(Attempt::WouldBlock, Attempt::Done)
    }

    fn attempt_write(&self, operation: &dyn InFlight<S>) -> Attempt {
        let progress = operation.loan().slot();
        operation.loan().with(|bytes| {
            for _ in 0..CALLS_AT_A_STRETCH {
                let rest = &bytes[progress.get()..];
                let rest = &rest[..rest.len().min(S::Descriptor::MAX_TRANSFER)];
                match self.descriptor.try_write(&[IoSlice::new(rest)]) {
                    Some(Ok(count)) => progress.set(progress.get() + count),
                    Some(Err(failure)) => return Attempt::Done(Err(failure.after(progress.get()))),
                    None => return Attempt::WouldBlock,
                }
                if progress.get() == bytes.len() {
                    return Attempt::Done(Ok(bytes.len()));
                }
            }
            Attempt::Yield
        })
    }
}
