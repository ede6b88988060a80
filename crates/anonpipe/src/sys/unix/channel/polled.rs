//! Reads and writes by tasks: tried when they are polled, and never otherwise.
//!
//! A task has no place in the queue: what was submitted before it goes first, and nothing happens for it while nobody polls.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use rustix::io::Errno;

use super::super::transfer::{try_read, try_write};
use super::{Channel, Queue, shut_down};
use crate::error::Failure;
use crate::op::{Flow, Outcome};
use crate::patience::Patience;

/// What an end keeps between the polls of one direction.
#[derive(Default)]
pub(crate) struct Task {
    /// 0 as long as it never waited.
    id: u64,
    /// What the queue's `cancels` was when the wait began.
    waits_since: Option<u64>,
    patience: Patience,
    #[cfg(feature = "tokio")]
    watched: Option<Arc<super::super::reactor::Watched>>,
    /// The runtime that turned out to have no reactor.
    #[cfg(feature = "tokio")]
    without_reactor: Option<tokio::runtime::Id>,
}

impl Task {
    fn id(&mut self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.id == 0 {
            self.id = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        self.id
    }

    /// There is no reactor to be had here: the task waits for the driver, and does not ask again in this runtime.
    #[cfg(feature = "tokio")]
    fn does_without_reactor<T>(&mut self) -> Option<T> {
        self.without_reactor = tokio::runtime::Handle::try_current().ok().map(|handle| handle.id());
        None
    }

    /// Whether there is a runtime that may have a reactor, or was one before.
    #[cfg(feature = "tokio")]
    fn may_have_reactor(&self) -> bool {
        self.watched.is_some()
            || tokio::runtime::Handle::try_current().is_ok_and(|handle| Some(handle.id()) != self.without_reactor)
    }
}

/// What became of a try.
enum Tried {
    Done(Outcome),
    /// The descriptor has to be waited for.
    WouldBlock,
    /// Others were first.
    Behind,
}

impl Channel {
    /// Reads at once what there is, or has the task woken when it is worth another try.
    pub(crate) fn poll_read(
        self: &Arc<Self>,
        task: &mut Task,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome> {
        self.poll(Flow::Read, task, context, || try_read(self.fd.as_fd(), self.transport, buffers))
    }

    /// Writes at once what fits, or has the task woken when it is worth another try.
    pub(crate) fn poll_write(
        self: &Arc<Self>,
        task: &mut Task,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome> {
        self.poll(Flow::Write, task, context, || try_write(self.fd.as_fd(), self.transport, buffers))
    }

    /// Forgets the task: its end is dropped.
    pub(crate) fn forget_task(&self, flow: Flow, task: &mut Task) {
        #[cfg(feature = "tokio")]
        drop(task.watched.take());
        if task.id == 0 || self.is_of_a_parent() {
            return;
        }
        let waker = self.queue(flow).waiters.remove(task.id);
        drop(waker);
        task.id = 0;
    }

    /// Wakes the tasks of one direction, unless somebody else is before them.
    #[cfg(feature = "tokio")]
    pub(crate) fn wake_tasks(&self, flow: Flow) {
        let mut queue = self.queue(flow);
        if queue.entries.is_empty() {
            let woken = queue.waiters.take();
            drop(queue);
            woken.wake();
        }
    }

    /// Why there is nothing to wait for.
    fn refusal(queue: &Queue, task: &mut Task) -> Option<Failure> {
        let since = *task.waits_since.get_or_insert(queue.cancels);
        let failure = if since != queue.cancels {
            Some(Failure::Cancelled { transferred: Some(0) })
        } else {
            queue.shut.then(shut_down)
        };
        if failure.is_some() {
            task.waits_since = None;
        }
        failure
    }

    /// Tries, if it is the task's turn. The waker that is not needed any more is for the caller to drop, unlocked.
    fn try_for_task(
        queue: &mut Queue,
        task: &mut Task,
        attempt: impl FnOnce() -> Result<usize, Errno>,
    ) -> (Tried, Option<Waker>) {
        if let Some(failure) = Self::refusal(queue, task) {
            return (Tried::Done(Err(failure)), None);
        }
        if !queue.entries.is_empty() {
            return (Tried::Behind, None);
        }
        let outcome = match attempt() {
            Err(Errno::AGAIN) => return (Tried::WouldBlock, None),
            Err(error) => Err(Failure::after(error.into(), 0)),
            Ok(count) => Ok(count),
        };
        task.patience.found_something();
        task.waits_since = None;
        (Tried::Done(outcome), queue.waiters.remove(task.id))
    }

    fn poll(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        context: &mut Context<'_>,
        mut attempt: impl FnMut() -> Result<usize, Errno>,
    ) -> Poll<Outcome> {
        #[cfg(feature = "tokio")]
        if self.attached().is_none()
            && !crate::driver::is_on_own_loop()
            && task.may_have_reactor()
            && let Some(poll) = self.poll_in_runtime(flow, task, context, &mut attempt)
        {
            return poll;
        }
        let mut queue = self.queue(flow);
        let (tried, unneeded) = Self::try_for_task(&mut queue, task, &mut attempt);
        match tried {
            Tried::Done(outcome) => {
                drop(queue);
                drop(unneeded);
                return Poll::Ready(outcome);
            }
            Tried::WouldBlock if task.patience.looks_first() && task.patience.yields_once() => {
                drop(queue);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Still under the lock under which there was nothing, so that nothing is missed.
            Tried::WouldBlock => {
                task.patience.found_nothing();
                if let Err(error) = self.arm(flow, false) {
                    task.waits_since = None;
                    return Poll::Ready(Err(Failure::after(error, 0)));
                }
            }
            Tried::Behind => {}
        }
        let old = queue.waiters.put(task.id(), context.waker());
        drop(queue);
        drop(old);
        Poll::Pending
    }

    /// As [`poll`](Self::poll), waiting in the reactor of the runtime at hand. `None`: there is none.
    #[cfg(feature = "tokio")]
    fn poll_in_runtime(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Option<Poll<Outcome>> {
        let mut waits = false;
        loop {
            // Before the first wait only a try tells whether there is something, later the reactor does.
            let mut ready = None;
            let watched = task.watched.clone();
            if let Some(watched) = &watched {
                if waits {
                    // Before the reactor is asked, so that its answer finds the task.
                    let id = task.id();
                    let mut queue = self.queue(flow);
                    if let Some(failure) = Self::refusal(&queue, task) {
                        return Some(Poll::Ready(Err(failure)));
                    }
                    let old = queue.waiters.put(id, context.waker());
                    drop(queue);
                    drop(old);
                }
                match watched.poll_ready(flow) {
                    Poll::Ready(Ok(guard)) => ready = Some(guard),
                    Poll::Pending if !watched.is_of_this_runtime() => {
                        task.watched = None;
                        continue;
                    }
                    Poll::Pending if waits => return Some(Poll::Pending),
                    Poll::Pending => {
                        waits = true;
                        continue;
                    }
                    // The runtime is gone, or going.
                    Poll::Ready(Err(_)) => {
                        task.watched = self.watched.renew(self, flow, watched);
                        if task.watched.is_none() {
                            return task.does_without_reactor();
                        }
                        continue;
                    }
                }
            }
            let (tried, unneeded) = Self::try_for_task(&mut self.queue(flow), task, &mut *attempt);
            drop(unneeded);
            match tried {
                Tried::Done(outcome) => return Some(Poll::Ready(outcome)),
                Tried::WouldBlock if task.patience.looks_first() && task.patience.yields_once() => {
                    context.waker().wake_by_ref();
                    return Some(Poll::Pending);
                }
                Tried::WouldBlock => {
                    task.patience.found_nothing();
                    if let Some(mut guard) = ready {
                        guard.clear_ready();
                        waits = true;
                        continue;
                    }
                    task.watched = self.watched.get(self, flow);
                    if task.watched.is_none() {
                        return task.does_without_reactor();
                    }
                }
                // Woken when the queue is empty: then, and only then, is it worth a try.
                Tried::Behind => {
                    let id = task.id();
                    let mut queue = self.queue(flow);
                    if !queue.entries.is_empty() {
                        let old = queue.waiters.put(id, context.waker());
                        drop(queue);
                        drop(old);
                        return Some(Poll::Pending);
                    }
                }
            }
        }
    }
}
