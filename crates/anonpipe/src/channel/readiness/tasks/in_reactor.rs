//! Tasks that wait in the reactor of the current runtime.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::{Descriptor, Task, Tried};
use crate::channel::DriverShare as _;
use crate::channel::readiness::{Channel, Reactor, System, Watch};
use crate::contract::{Failure, Half, Outcome};

type ReactorOf<S> = <<S as System>::Descriptor as Descriptor>::Reactor;
pub(super) type WatchOf<S> = <ReactorOf<S> as Reactor>::Watch;

impl<S: System> Channel<S> {
    /// Wakes the tasks of one half, unless an operation or a thread is before them.
    fn wake_tasks(&self, half: Half) {
        if self.is_of_a_parent() {
            return;
        }
        let mut queue = self.queue(half);
        if queue.entries.is_empty() {
            let woken = queue.waiters.take();
            drop(queue);
            woken.wake();
        }
    }

    fn watch(self: &Arc<Self>, half: Half) -> Option<WatchOf<S>> {
        let waker = |half| Waker::from(Arc::new(PassOn { channel: Arc::downgrade(self), half }));
        self.reactor.watch(&self.descriptor, half, || [waker(Half::Read), waker(Half::Write)])
    }

    /// `None`: the current runtime is not the one that has to wake the task, or cannot do so.
    pub(super) fn poll_in_reactor(
        self: &Arc<Self>,
        half: Half,
        task: &mut Task<S>,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Option<Outcome>,
    ) -> Option<Poll<Outcome>> {
        if self.attachment.get().is_some() || S::Driver::polls_on_this_thread() {
            return None;
        }
        if task.watch.is_none() && !ReactorOf::<S>::is_at_hand() {
            return None;
        }
        let mut watch = task.watch.take();
        let polled = self.poll_watching(half, task, &mut watch, context, attempt);
        task.watch = watch;
        polled
    }

    fn poll_watching(
        self: &Arc<Self>,
        half: Half,
        task: &mut Task<S>,
        watch: &mut Option<WatchOf<S>>,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Option<Outcome>,
    ) -> Option<Poll<Outcome>> {
        let mut waits = false;
        let mut tries_again = false;
        loop {
            let mut try_now = |task: &mut Task<S>| task.attempt(&mut self.queue(half), &mut *attempt);
            let tried = match &*watch {
                // Before the first wait, only a try tells whether there is something. Later, the
                // reactor does.
                None => try_now(task),
                Some(known) => {
                    if waits && let Err(failure) = self.wait_as(half, task, context) {
                        return Some(Poll::Ready(Err(failure)));
                    }
                    match known.poll_ready(half, || try_now(task), |tried| matches!(tried, Tried::WouldBlock)) {
                        Poll::Ready(Ok(tried)) => {
                            waits |= matches!(tried, Tried::WouldBlock);
                            tried
                        }
                        Poll::Pending if !known.is_of_this_runtime() => {
                            *watch = None;
                            continue;
                        }
                        Poll::Pending if waits && !tries_again => return Some(Poll::Pending),
                        Poll::Pending if waits => {
                            tries_again = false;
                            try_now(task)
                        }
                        Poll::Pending => {
                            waits = true;
                            continue;
                        }
                        // The runtime is gone or shutting down, and the task is still polled in it.
                        Poll::Ready(Err(_)) if known.is_of_this_runtime() => {
                            *watch = None;
                            return None;
                        }
                        Poll::Ready(Err(_)) => {
                            *watch = self.watch(half);
                            watch.as_ref()?;
                            continue;
                        }
                    }
                }
            };
            match tried {
                Tried::Done(outcome) => return Some(Poll::Ready(outcome)),
                Tried::Yield => {
                    context.waker().wake_by_ref();
                    return Some(Poll::Pending);
                }
                Tried::WouldBlock => {
                    if watch.is_none() {
                        *watch = self.watch(half);
                        watch.as_ref()?;
                        tries_again = S::Descriptor::MISSES_THE_END_AT_FIRST;
                    }
                }
                // The task is woken when the queue is empty; a try is in vain before that.
                Tried::Behind => {
                    let mut queue = self.queue(half);
                    if !queue.entries.is_empty() {
                        task.wait_in(&mut queue);
                        drop(queue);
                        task.wake_with(context);
                        return Some(Poll::Pending);
                    }
                }
            }
        }
    }

    /// Puts the task among the waiters. This comes before the reactor is asked, so that the
    /// reactor's wake finds the task.
    fn wait_as(&self, half: Half, task: &mut Task<S>, context: &Context<'_>) -> Result<(), Failure> {
        let mut queue = self.queue(half);
        if let Some(failure) = task.refusal(&queue) {
            task.leave(&mut queue);
            return Err(failure);
        }
        task.wait_in(&mut queue);
        drop(queue);
        task.wake_with(context);
        Ok(())
    }
}

/// Wakes the tasks of one half of a channel.
struct PassOn<S: System> {
    channel: Weak<Channel<S>>,
    half: Half,
}

impl<S: System> Wake for PassOn<S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(channel) = self.channel.upgrade() {
            channel.wake_tasks(self.half);
        }
    }
}
