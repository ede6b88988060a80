//! The model of Unix: try, wait until the descriptor is ready, try again.
//!
//! Operations and blocked threads share one queue for each half, and only the head of a queue
//! touches the descriptor. An operation at the head is advanced by the driver, or, on an end that
//! is attached to the caller's driver, also by a thread behind it. A thread at the head advances
//! itself. If the queue is empty, both try at once, and enter the queue only if they would have to
//! wait.

mod advance;
mod blocking;
mod descriptor;
#[cfg(all(test, loom))]
mod interleavings;
mod queue;
#[cfg(feature = "tokio")]
mod reactor;
mod registration;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod tasks;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod waiters;

use std::io::{IoSlice, IoSliceMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

pub(crate) use descriptor::{Alarm, Descriptor, Ready, WaitEnd};
#[cfg(feature = "tokio")]
pub(crate) use reactor::{Reactor, Watch};

use super::{Attachment, InFlight, position_in};
use crate::buffer::Slot;
use crate::contract::{Failure, Half, Outcome, Process};
use crate::sync::{Mutex, MutexGuard, lock, try_lock};
use queue::{Entry, Finished, Queue};
use registration::PollerRegistration;

/// A system of this model.
pub(crate) trait System:
    super::System<
        Process = <Self::Descriptor as Descriptor>::Process,
        Handle = <Self::Descriptor as Descriptor>::Handle,
        Poller = <Self::Descriptor as Descriptor>::Poller,
        Slot = Progress,
        Channel = Channel<Self>,
    >
{
    type Descriptor: Descriptor;
}

/// What an operation needs in this model: how many bytes of a write have gone.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicUsize);

/// The kernel has the bytes of an operation only during a call.
impl Slot for Progress {
    fn is_lent(&self) -> bool {
        false
    }
}

impl Progress {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// An overlapped end: its descriptor, and one queue for each half.
pub(crate) struct Channel<S: System> {
    registration: Mutex<PollerRegistration<S>>,
    reads: Mutex<Queue<S>>,
    writes: Mutex<Queue<S>>,
    attachment: Attachment<S>,
    #[cfg(feature = "tokio")]
    reactor: <S::Descriptor as Descriptor>::Reactor,
    /// The process that made the channel.
    process: S::Process,
    descriptor: S::Descriptor,
}

impl<S: System> Drop for Channel<S> {
    fn drop(&mut self) {
        // This must happen before the descriptor is closed.
        self.registration.get_mut().unwrap_or_else(PoisonError::into_inner).take_back(&self.descriptor);
    }
}

impl<S: System> Channel<S> {
    pub(crate) fn new(descriptor: S::Descriptor) -> Self {
        Self {
            registration: Mutex::new(PollerRegistration::default()),
            reads: Mutex::new(Queue::default()),
            writes: Mutex::new(Queue::default()),
            attachment: Attachment::new(),
            #[cfg(feature = "tokio")]
            reactor: <S::Descriptor as Descriptor>::Reactor::default(),
            process: S::Process::current(),
            descriptor,
        }
    }

    pub(crate) fn descriptor(&self) -> &S::Descriptor {
        &self.descriptor
    }

    fn half(&self, half: Half) -> &Mutex<Queue<S>> {
        match half {
            Half::Read => &self.reads,
            Half::Write => &self.writes,
        }
    }

    fn queue(&self, half: Half) -> MutexGuard<'_, Queue<S>> {
        lock(self.half(half))
    }

    /// Whether this is a forked process's copy of its parent's channel. Its locks may be held by
    /// threads that do not exist here.
    fn is_of_a_parent(&self) -> bool {
        !self.process.is_current()
    }

    /// Forgets what the parent has in flight, so that the descriptor can be closed here.
    fn forget(&self, half: Half) {
        if let Some(mut queue) = try_lock(self.half(half)) {
            let entries = std::mem::take(&mut queue.entries);
            drop(queue);
            drop(entries);
        }
    }
}

impl<S: System> super::Channel<S> for Channel<S> {
    type Reads = tasks::Reads<S>;
    type Writes = tasks::Writes<S>;

    fn on_report(channel: Arc<Self>, event: Ready) {
        Self::on_ready(channel, event);
    }

    /// Tries at once if the queue is empty; otherwise the operation waits for its turn.
    fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight<S>>) {
        let half = operation.request().half;
        if let Err(failure) = self.check_process() {
            return operation.complete(Err(failure));
        }
        let mut queue = self.queue(half);
        if queue.shut {
            drop(queue);
            operation.complete(Err(Failure::shut_down()));
            return;
        }
        queue.entries.push_back(Entry::Operation(operation, Arc::clone(self)));
        let mut finished = Finished::default();
        if queue.entries.len() == 1 {
            self.advance(half, &mut queue, &mut finished);
        }
        drop(queue);
        finished.complete();
    }

    fn cancel(channel: Arc<Self>, operation: &dyn InFlight<S>) {
        let half = operation.request().half;
        if channel.is_of_a_parent() {
            return channel.forget(half);
        }
        let mut finished = Finished::default();
        let mut queue = channel.queue(half);
        let place = position_in(&queue.entries, |entry| entry.is_operation(operation));
        if let Some(entry) = place.and_then(|place| queue.entries.remove(place)) {
            finished.cancel(entry);
        }
        if place == Some(0) {
            channel.advance(half, &mut queue, &mut finished);
        }
        drop(queue);
        drop(channel);
        finished.complete();
    }

    fn cancel_all(self: &Arc<Self>, half: Half) {
        if self.is_of_a_parent() {
            return self.forget(half);
        }
        let mut finished = Finished::default();
        let mut queue = self.queue(half);
        for entry in std::mem::take(&mut queue.entries) {
            match &entry {
                Entry::Operation(..) => finished.cancel(entry),
                // The thread takes itself out: it may be in the middle of a write.
                Entry::Thread(thread) => {
                    thread.cancel();
                    queue.entries.push_back(entry);
                }
            }
        }
        queue.cancels += 1;
        finished.tasks.add(queue.waiters.take());
        self.advance(half, &mut queue, &mut finished);
        drop(queue);
        finished.complete();
    }

    fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
        blocking::read(self, buffers, deadline)
    }

    /// Writes everything.
    fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        blocking::write(self, buffers, deadline)
    }

    fn in_flight(&self, half: Half) -> usize {
        if self.is_of_a_parent() { 0 } else { self.queue(half).entries.len() }
    }

    fn attachment(&self) -> &Attachment<S> {
        &self.attachment
    }

    fn while_known<R>(&self, then: impl FnOnce(bool) -> R) -> R {
        let registration = self.registration();
        #[cfg(feature = "tokio")]
        let in_a_reactor = Reactor::is_in_use(&self.reactor);
        #[cfg(not(feature = "tokio"))]
        let in_a_reactor = false;
        then(registration.is_made() || in_a_reactor)
    }

    fn check_process(&self) -> Result<(), Failure> {
        if self.is_of_a_parent() {
            let why = "it came along with a fork, and is its parent's: make pairs in this process, or convert the end into its \
                       descriptor and adopt that";
            return Err(Failure::refused(std::io::ErrorKind::Unsupported, why));
        }
        Ok(())
    }

    fn check_write(&self) -> Result<(), Failure> {
        self.check_process()?;
        if self.queue(Half::Write).shut { Err(Failure::shut_down()) } else { Ok(()) }
    }

    fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure> {
        self.check_process()?;
        let mut queue = self.queue(Half::Write);
        if queue.entries.is_empty() {
            self.descriptor.shutdown_write()?;
        }
        queue.shut = true;
        // These tasks have nothing to wait for any more, and the system may not wake them.
        let woken = queue.waiters.take();
        drop(queue);
        woken.wake();
        Ok(())
    }

    fn stop_reading(&self) {
        if self.descriptor.has_two_halves() && self.in_flight(Half::Write) > 0 {
            self.descriptor.shutdown_read();
        }
    }

    fn take_handle(&self) -> Result<Option<S::Handle>, Failure> {
        if self.is_of_a_parent() {
            return Ok(self.descriptor.give_away());
        }
        let (reads, writes) = (self.queue(Half::Read), self.queue(Half::Write));
        if !(reads.entries.is_empty() && writes.entries.is_empty()) {
            return Ok(None);
        }
        // The poller has to forget the descriptor while it is ours.
        self.registration().take_back(&self.descriptor);
        Ok(self.descriptor.give_away())
    }

    /// Takes none of the parent's locks: nothing uses the descriptor here any more.
    fn leave_to_parent(&self) {
        if self.is_of_a_parent() {
            drop(self.descriptor.give_away());
        }
    }
}
