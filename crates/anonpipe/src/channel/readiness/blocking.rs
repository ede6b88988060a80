//! Reads and writes that block the caller: the thread takes a place in the queue and waits by
//! itself, without the driver.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Instant;

use super::advance::CALLS_AT_A_STRETCH;
use super::{Alarm, Channel, Descriptor, Entry, Finished, System, WaitEnd};
use crate::channel::Channel as _;
use crate::contract::{Failure, Half, Outcome};
use crate::sync::{AtomicBool, Ordering};

/// A thread in the queue of an end, and the means to wake it: because it is its turn, or because it
/// was cancelled.
pub(super) struct BlockedThread<S: System> {
    alarm: Arc<<S::Descriptor as Descriptor>::Alarm>,
    cancelled: AtomicBool,
}

impl<S: System> BlockedThread<S> {
    pub(super) fn wake(&self) {
        self.alarm.ring();
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.wake();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// Reads, blocking the caller until `deadline`.
pub(super) fn read<S: System>(
    channel: &Arc<Channel<S>>,
    buffers: &mut [IoSliceMut<'_>],
    deadline: Option<Instant>,
) -> Outcome {
    block(channel, Half::Read, deadline, |_| channel.descriptor.try_read(buffers))
}

/// Writes everything, blocking the caller until `deadline`.
pub(super) fn write<S: System>(
    channel: &Arc<Channel<S>>,
    buffers: &[IoSlice<'_>],
    deadline: Option<Instant>,
) -> Outcome {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    block(channel, Half::Write, deadline, |progress| {
        for _ in 0..CALLS_AT_A_STRETCH {
            if *progress == total {
                break;
            }
            let written = match unwritten(buffers, *progress) {
                (0, rest) => channel.descriptor.try_write(rest),
                (skip, rest) => channel.descriptor.try_write(&[IoSlice::new(&rest[0][skip..])]),
            };
            match written? {
                Ok(count) => *progress += count,
                Err(failure) => return Some(Err(failure)),
            }
        }
        // Release the queue now and then, for threads that submit, poll or cancel meanwhile.
        (*progress == total).then_some(Ok(total))
    })
}

/// Calls `attempt` when it is this thread's turn, until `attempt` has an outcome. `attempt` is
/// given the number of bytes transferred so far, and adds to it.
fn block<S: System>(
    channel: &Arc<Channel<S>>,
    half: Half,
    deadline: Option<Instant>,
    attempt: impl FnMut(&mut usize) -> Option<Outcome>,
) -> Outcome {
    let mut blocked = match Blocked::begin(channel, half, attempt) {
        Ok(blocked) => blocked,
        Err(outcome) => return outcome,
    };
    let outcome = loop {
        let watched = blocked.watches().then_some(half);
        let step = match channel.descriptor.wait(&blocked.thread.alarm, watched, deadline) {
            Ok(wait_end) => blocked.step(wait_end),
            Err(failure) => Some(Err(failure.after(blocked.progress))),
        };
        if let Some(outcome) = step {
            break outcome;
        }
    };
    blocked.end();
    outcome
}

/// A read or write of a thread that has a place in the queue. No method waits.
struct Blocked<'a, S: System, A> {
    channel: &'a Arc<Channel<S>>,
    half: Half,
    thread: Arc<BlockedThread<S>>,
    attempt: A,
    /// How many bytes have gone.
    progress: usize,
}

impl<'a, S: System, A: FnMut(&mut usize) -> Option<Outcome>> Blocked<'a, S, A> {
    /// Takes a place in the queue. `Err`: the call was over without one.
    fn begin(channel: &'a Arc<Channel<S>>, half: Half, mut attempt: A) -> Result<Self, Outcome> {
        channel.check_process().map_err(Err)?;
        let mut progress = 0;
        let mut queue = channel.queue(half);
        if queue.shut {
            return Err(Err(Failure::shut_down()));
        }
        if queue.entries.is_empty()
            && let Some(outcome) = attempt(&mut progress)
        {
            return Err(outcome.map_err(|failure| failure.after(progress)));
        }
        let alarm = Alarm::of_this_thread().map_err(|error| Err(Failure::from(error).after(progress)))?;
        let thread = Arc::new(BlockedThread { alarm, cancelled: AtomicBool::new(false) });
        queue.entries.push_back(Entry::Thread(Arc::clone(&thread)));
        drop(queue);
        Ok(Self { channel, half, thread, attempt, progress })
    }

    /// Whether the next wait is also for the descriptor. That is so if this thread is at the head;
    /// or if the end is attached to a driver, which may not be turned, and this is the first thread
    /// behind operations.
    fn watches(&self) -> bool {
        let queue = self.channel.queue(self.half);
        let is_head = queue.entries.front().is_some_and(|entry| entry.is_thread(&self.thread));
        let is_first_thread = || queue.first_thread().is_some_and(|first| Arc::ptr_eq(first, &self.thread));
        is_head || (self.channel.attachment.get().is_some() && is_first_thread())
    }

    /// The work of a blocked thread between two waits.
    fn step(&mut self, wait_end: WaitEnd) -> Option<Outcome> {
        let mut queue = self.channel.queue(self.half);
        // The lock is held, because only the head may touch the descriptor, and this thread might
        // lose its place at any moment.
        if queue.entries.front().is_some_and(|entry| entry.is_thread(&self.thread)) {
            if let Some(outcome) = (self.attempt)(&mut self.progress) {
                return Some(outcome.map_err(|failure| failure.after(self.progress)));
            }
        } else if wait_end == WaitEnd::Ready {
            let mut finished = Finished::default();
            self.channel.advance(self.half, &mut queue, &mut finished);
            drop(queue);
            finished.complete();
        }
        let transferred = Some(self.progress);
        if self.thread.is_cancelled() {
            Some(Err(Failure::Cancelled { transferred }))
        } else if wait_end == WaitEnd::TimedOut {
            Some(Err(Failure::TimedOut { transferred }))
        } else {
            None
        }
    }

    /// Gives up the place in the queue.
    fn end(self) {
        let mut finished = Finished::default();
        let mut queue = self.channel.queue(self.half);
        let was_head = queue.entries.front().is_some_and(|entry| entry.is_thread(&self.thread));
        queue.entries.retain(|entry| !entry.is_thread(&self.thread));
        if was_head {
            self.channel.advance(self.half, &mut queue, &mut finished);
        }
        if self.channel.attachment.get().is_some()
            && let Some(next) = queue.first_thread()
        {
            // The next thread may now be the one that advances the operations before it.
            next.wake();
        }
        drop(queue);
        finished.complete();
    }
}

/// The slices from the first one that is not wholly written, and how much of that one is written.
fn unwritten<'a, 'b>(buffers: &'a [IoSlice<'b>], mut progress: usize) -> (usize, &'a [IoSlice<'b>]) {
    for (index, buffer) in buffers.iter().enumerate() {
        if progress < buffer.len() {
            return (progress, &buffers[index..]);
        }
        progress -= buffer.len();
    }
    (0, &[])
}
