//! Reads and writes by tasks: tried when they are polled, and never otherwise.
//!
//! A task has no place in the queue: what was submitted before it goes first, and nothing happens for it while nobody polls.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::io::Errno;

use super::super::transfer::{try_read, try_write};
use super::super::waiters::Waiter;
use super::readiness::Armed;
use super::{Channel, Queue};
use crate::error::Failure;
use crate::op::{Flow, Outcome};
use crate::patience::Patience;
use crate::polled::WokenBy;

/// What an end keeps between the polls of one direction.
#[derive(Default)]
pub(crate) struct Task {
    /// Once it had to wait.
    waiter: Option<Arc<Waiter>>,
    /// It is, or was, among the queue's waiters since it last found something.
    waits: bool,
    /// What the queue's `cancels` was when the wait began.
    waits_since: Option<u64>,
    patience: Patience,
    #[cfg(feature = "tokio")]
    watch: Option<super::super::reactor::Watch>,
}

impl Task {
    /// Puts it among those that are woken once. The caller then says with which waker, when no lock is held.
    fn wait_in(&mut self, queue: &mut Queue) {
        queue.waiters.put(self.waiter.get_or_insert_default());
        self.waits = true;
    }

    fn wake_with(&self, context: &Context<'_>) {
        if let Some(waiter) = &self.waiter {
            waiter.wake_with(context.waker());
        }
    }

    /// It found something, or waits no more: takes it back from the queue. The caller then lets go of the waker.
    fn leave(&mut self, queue: &mut Queue) {
        if self.waits
            && let Some(waiter) = &self.waiter
        {
            queue.waiters.remove(waiter);
        }
    }

    /// To be called when no lock is held.
    fn forget_waker(&mut self) {
        if std::mem::take(&mut self.waits)
            && let Some(waiter) = &self.waiter
        {
            waiter.forget_waker();
        }
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
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome> {
        self.poll(Flow::Read, task, woken_by, context, &mut || try_read(self.fd.as_fd(), &self.transport, buffers))
    }

    /// Writes at once what fits, or has the task woken when it is worth another try.
    pub(crate) fn poll_write(
        self: &Arc<Self>,
        task: &mut Task,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome> {
        self.poll(Flow::Write, task, woken_by, context, &mut || try_write(self.fd.as_fd(), &self.transport, buffers))
    }

    /// Forgets the task: its end is dropped.
    pub(crate) fn forget_task(&self, flow: Flow, task: &mut Task) {
        #[cfg(feature = "tokio")]
        drop(task.watch.take());
        if self.is_of_a_parent() {
            return;
        }
        task.leave(&mut self.queue(flow));
        task.forget_waker();
    }

    /// Wakes the tasks of one direction, unless an operation or a thread is before them.
    #[cfg(feature = "tokio")]
    pub(crate) fn wake_tasks(&self, flow: Flow) {
        if self.is_of_a_parent() {
            return;
        }
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
            queue.shut.then(Failure::shut_down)
        };
        if failure.is_some() {
            task.waits_since = None;
        }
        failure
    }

    /// Tries, if it is the task's turn.
    fn try_for_task(queue: &mut Queue, task: &mut Task, attempt: impl FnOnce() -> Result<usize, Errno>) -> Tried {
        if let Some(failure) = Self::refusal(queue, task) {
            task.leave(queue);
            return Tried::Done(Err(failure));
        }
        if !queue.entries.is_empty() {
            return Tried::Behind;
        }
        let outcome = match attempt() {
            Err(Errno::AGAIN) => return Tried::WouldBlock,
            Err(error) => Err(Failure::after(error.into(), 0)),
            Ok(count) => Ok(count),
        };
        task.patience.found_something();
        task.waits_since = None;
        task.leave(queue);
        Tried::Done(outcome)
    }

    fn poll(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Poll<Outcome> {
        self.check_process()?;
        let polled = self.poll_in_reactor(flow, task, woken_by, context, attempt);
        let polled = polled.unwrap_or_else(|| self.poll_in_driver(flow, task, context, attempt));
        if polled.is_ready() {
            task.forget_waker();
        }
        polled
    }

    /// Waits in the driver.
    fn poll_in_driver(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Poll<Outcome> {
        let mut queue = self.queue(flow);
        loop {
            match Self::try_for_task(&mut queue, task, &mut *attempt) {
                Tried::Done(outcome) => return Poll::Ready(outcome),
                Tried::WouldBlock if task.patience.looks_first() && task.patience.yields_once() => {
                    drop(queue);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // Still under the lock under which there was nothing, so that nothing is missed.
                Tried::WouldBlock => {
                    task.patience.found_nothing();
                    match self.arm(flow, false) {
                        Ok(Armed::Listening) => {}
                        Ok(Armed::TryAgain) => continue,
                        Err(error) => {
                            task.waits_since = None;
                            task.leave(&mut queue);
                            return Poll::Ready(Err(Failure::after(error, 0)));
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

    #[cfg(not(feature = "tokio"))]
    #[expect(clippy::unused_self, reason = "there is no runtime around it")]
    fn poll_in_reactor(
        self: &Arc<Self>,
        _: Flow,
        _: &mut Task,
        _: WokenBy,
        _: &mut Context<'_>,
        _: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Option<Poll<Outcome>> {
        None
    }

    /// Waits in the reactor of the runtime at hand, if that is the one to wake the task. `None`: it is not, or cannot.
    #[cfg(feature = "tokio")]
    fn poll_in_reactor(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Option<Poll<Outcome>> {
        if woken_by != WokenBy::Runtime || self.attached().is_some() || crate::driver::is_on_own_loop() {
            return None;
        }
        if task.watch.is_none() && tokio::runtime::Handle::try_current().is_err() {
            return None;
        }
        let mut watch = task.watch.take();
        let polled = self.poll_watching(flow, task, &mut watch, context, attempt);
        task.watch = watch;
        polled
    }

    #[cfg(feature = "tokio")]
    fn poll_watching(
        self: &Arc<Self>,
        flow: Flow,
        task: &mut Task,
        watch: &mut Option<super::super::reactor::Watch>,
        context: &mut Context<'_>,
        attempt: &mut dyn FnMut() -> Result<usize, Errno>,
    ) -> Option<Poll<Outcome>> {
        let mut waits = false;
        let mut tries_again = false;
        loop {
            // Before the first wait only a try tells whether there is something, later the reactor does.
            let mut ready = None;
            if let Some(known) = &*watch {
                if waits {
                    // Before the reactor is asked, so that its answer finds the task.
                    let mut queue = self.queue(flow);
                    if let Some(failure) = Self::refusal(&queue, task) {
                        task.leave(&mut queue);
                        return Some(Poll::Ready(Err(failure)));
                    }
                    task.wait_in(&mut queue);
                    drop(queue);
                    task.wake_with(context);
                }
                match known.poll_ready(flow) {
                    Poll::Ready(Ok(guard)) => ready = Some(guard),
                    Poll::Pending if !known.is_of_this_runtime() => {
                        *watch = None;
                        continue;
                    }
                    Poll::Pending if waits && !tries_again => return Some(Poll::Pending),
                    Poll::Pending if waits => tries_again = false,
                    Poll::Pending => {
                        waits = true;
                        continue;
                    }
                    // The runtime is gone, or going, and the task is still polled in it.
                    Poll::Ready(Err(_)) if known.is_of_this_runtime() => {
                        *watch = None;
                        return None;
                    }
                    Poll::Ready(Err(_)) => {
                        *watch = self.watched.watch(self, flow);
                        watch.as_ref()?;
                        continue;
                    }
                }
            }
            let tried = Self::try_for_task(&mut self.queue(flow), task, &mut *attempt);
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
                    } else if watch.is_none() {
                        *watch = self.watched.watch(self, flow);
                        watch.as_ref()?;
                        tries_again = super::readiness::MISSES_THE_END_AT_FIRST;
                    }
                }
                // Woken when the queue is empty: then, and only then, is it worth a try.
                Tried::Behind => {
                    let mut queue = self.queue(flow);
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
}
