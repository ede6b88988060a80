//! Reads and writes by tasks: tried when the task is polled, and never otherwise.
//!
//! A task has no place in the queue: operations submitted before it go first, and nothing happens
//! for it between polls. Written bytes are with the system at once, so there is nothing to flush.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::registration::Armed;
use super::waiters::Waiter;
use super::{Channel, Descriptor, Queue, System};
use crate::channel::adaptive_yield::AdaptiveYield;
use crate::channel::{Channel as _, TaskReads, TaskWrites, WokenBy};
use crate::contract::{Failure, Half, Outcome};

#[cfg(feature = "tokio")]
mod in_reactor;

/// The reads of one end.
pub(crate) struct Reads<S: System>(Task<S>);

impl<S: System> Default for Reads<S> {
    fn default() -> Self {
        Self(Task::default())
    }
}

impl<S: System> TaskReads<S> for Reads<S> {
    fn poll(
        &mut self,
        channel: &Arc<Channel<S>>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome> {
        channel.poll(Half::Read, &mut self.0, woken_by, context, &mut || channel.descriptor.try_read(buffers))
    }

    fn leave(&mut self, channel: &Channel<S>) {
        channel.forget_task(Half::Read, &mut self.0);
    }

    /// Nothing is in flight for a task in this model.
    fn take_back(&mut self, channel: &Channel<S>, _: Instant) {
        self.leave(channel);
    }
}

/// The writes of one end.
pub(crate) struct Writes<S: System>(Task<S>);

impl<S: System> Default for Writes<S> {
    fn default() -> Self {
        Self(Task::default())
    }
}

impl<S: System> TaskWrites<S> for Writes<S> {
    fn poll(
        &mut self,
        channel: &Arc<Channel<S>>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome> {
        channel.poll(Half::Write, &mut self.0, woken_by, context, &mut || channel.descriptor.try_write(buffers))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn failure(&mut self, _: Instant) -> Option<Failure> {
        None
    }

    fn leave(&mut self, channel: &Channel<S>) {
        channel.forget_task(Half::Write, &mut self.0);
    }
}

/// The state that an end keeps between the polls of one half.
struct Task<S: System> {
    /// Set once the task had to wait.
    waiter: Option<Arc<Waiter>>,
    /// Whether the task is, or was, among the queue's waiters since it last found something.
    waits: bool,
    /// The queue's `cancels` when the wait began.
    waits_since: Option<u64>,
    adaptive_yield: AdaptiveYield,
    #[cfg(feature = "tokio")]
    watch: Option<in_reactor::WatchOf<S>>,
    #[cfg(not(feature = "tokio"))]
    watch: std::marker::PhantomData<fn() -> S>,
}

impl<S: System> Default for Task<S> {
    fn default() -> Self {
        Self {
            waiter: None,
            waits: false,
            waits_since: None,
            adaptive_yield: AdaptiveYield::default(),
            watch: Default::default(),
        }
    }
}

impl<S: System> Task<S> {
    /// Puts the task among the waiters that are woken once. The caller then sets the waker, when no
    /// lock is held.
    fn wait_in(&mut self, queue: &mut Queue<S>) {
        queue.waiters.put(self.waiter.get_or_insert_default());
        self.waits = true;
    }

    fn wake_with(&self, context: &Context<'_>) {
        if let Some(waiter) = &self.waiter {
            waiter.wake_with(context.waker());
        }
    }

    /// Takes the task back from the waiters: it found something, or waits no more. The caller then
    /// drops the waker.
    fn leave(&mut self, queue: &mut Queue<S>) {
        if self.waits
            && let Some(waiter) = &self.waiter
        {
            queue.waiters.remove(waiter);
        }
    }

    /// Call this when no lock is held.
    fn forget_waker(&mut self) {
        if std::mem::take(&mut self.waits)
            && let Some(waiter) = &self.waiter
        {
            waiter.forget_waker();
        }
    }

    /// Why there is nothing to wait for.
    fn refusal(&mut self, queue: &Queue<S>) -> Option<Failure> {
        let since = *self.waits_since.get_or_insert(queue.cancels);
        let failure = if since != queue.cancels {
            Some(Failure::Cancelled { transferred: Some(0) })
        } else {
            queue.shut.then(Failure::shut_down)
        };
        if failure.is_some() {
            self.waits_since = None;
        }
        failure
    }

    /// Tries, if it is the task's turn.
    fn attempt(&mut self, queue: &mut Queue<S>, attempt: impl FnOnce() -> Option<Outcome>) -> Tried {
        if let Some(failure) = self.refusal(queue) {
            self.leave(queue);
            return Tried::Done(Err(failure));
        }
        if !queue.entries.is_empty() {
            return Tried::Behind;
        }
        let Some(outcome) = attempt() else {
            if self.adaptive_yield.yields_once() {
                return Tried::Yield;
            }
            self.adaptive_yield.found_nothing();
            return Tried::WouldBlock;
        };
        self.adaptive_yield.found_something();
        self.waits_since = None;
        self.leave(queue);
        Tried::Done(outcome)
    }
}

/// The result of a try.
enum Tried {
    Done(Outcome),
    /// Nothing: let other tasks run, and try once more.
    Yield,
    /// The task has to wait for the descriptor.
    WouldBlock,
    /// Others are before the task.
    Behind,
}

impl<S: System> Channel<S> {
    /// Forgets the task: its end is dropped.
    fn forget_task(&self, half: Half, task: &mut Task<S>) {
        #[cfg(feature = "tokio")]
        drop(task.watch.take());
        if self.is_of_a_parent() {
            return;
        }
        task.leave(&mut self.queue(half));
        task.forget_waker();
    }

    /// Transfers at once what there is, or has the task woken when another try is worth while.
    fn poll(
        self: &Arc<Self>,
        half: Half,
        task: &mut Task<S>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Option<Outcome>,
    ) -> Poll<Outcome> {
        self.check_process()?;
        let polled = match woken_by {
            WokenBy::Driver => None,
            #[cfg(feature = "tokio")]
            WokenBy::Runtime => self.poll_in_reactor(half, task, context, attempt),
        };
        let polled = polled.unwrap_or_else(|| self.poll_in_driver(half, task, context, attempt));
        if polled.is_ready() {
            task.forget_waker();
        }
        polled
    }

    /// Waits in the driver.
    fn poll_in_driver(
        self: &Arc<Self>,
        half: Half,
        task: &mut Task<S>,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Option<Outcome>,
    ) -> Poll<Outcome> {
        let mut queue = self.queue(half);
        loop {
            match task.attempt(&mut queue, &mut *attempt) {
                Tried::Done(outcome) => return Poll::Ready(outcome),
                Tried::Yield => {
                    drop(queue);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // The lock under which the try found nothing is still held, so that no change is
                // missed.
                Tried::WouldBlock => {
                    match self.arm(half, /* may_be_ready */ false) {
                        Ok(Armed::Listening) => {}
                        Ok(Armed::TryAgain) => continue,
                        Err(error) => {
                            task.waits_since = None;
                            task.leave(&mut queue);
                            return Poll::Ready(Err(Failure::from(error).after(0)));
                        }
                    }
                }
                Tried::Behind => {}
            }
            task.wait_in(&mut queue);
            drop(queue);
            task.wake_with(context);
            return Poll::Pending;
        }
    }
}
