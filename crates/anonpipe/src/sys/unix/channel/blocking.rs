//! Reads and writes that block the caller: the thread takes a place in the queue and does its own waiting, without the driver.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::super::transfer::{try_read, try_write};
use super::super::wake::{Sleeper, a_wait_of};
use super::{Channel, Entry, Finished, TURNS_AT_A_STRETCH};
use crate::error::Failure;
use crate::op::{Flow, Outcome};

impl Channel {
    /// Reads, blocking the caller until `deadline`.
    pub(crate) fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
        self.block_on(Flow::Read, deadline, |_| try_read(self.fd.as_fd(), &self.transport, buffers))
    }

    /// Writes everything, blocking the caller until `deadline`.
    pub(crate) fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        self.block_on(Flow::Write, deadline, |progress| {
            for _ in 0..TURNS_AT_A_STRETCH {
                if *progress == total {
                    break;
                }
                *progress += match unwritten(buffers, *progress) {
                    (0, rest) => try_write(self.fd.as_fd(), &self.transport, rest),
                    (skip, rest) => {
                        let first = IoSlice::new(&rest[0][skip..]);
                        try_write(self.fd.as_fd(), &self.transport, &[first])
                    }
                }?;
            }
            // Let go of the queue now and then, for those who submit, poll or cancel meanwhile.
            if *progress == total { Ok(total) } else { Err(Errno::AGAIN) }
        })
    }

    /// Calls `attempt` when it is this thread's turn, until it has an answer other than `AGAIN`. It is given what it has
    /// transferred so far, and adds to it.
    fn block_on(
        self: &Arc<Self>,
        flow: Flow,
        deadline: Option<Instant>,
        mut attempt: impl FnMut(&mut usize) -> Result<usize, Errno>,
    ) -> Outcome {
        let mut progress = 0;
        let fail = |error: Errno, progress| Err(Failure::after(error.into(), progress));
        self.check_process()?;
        let mut queue = self.queue(flow);
        if queue.shut {
            return Err(Failure::shut_down());
        }
        if queue.entries.is_empty() {
            match attempt(&mut progress) {
                Err(Errno::AGAIN) => {}
                Err(error) => return fail(error, progress),
                Ok(count) => return Ok(count),
            }
        }
        let sleeper = Sleeper::new().map_err(|error| Failure::after(error, progress))?;
        queue.entries.push_back(Entry::Thread(Arc::clone(&sleeper)));
        drop(queue);
        let outcome = loop {
            let slept = match self.sleep(flow, &sleeper, deadline) {
                Ok(slept) => slept,
                Err(error) => break fail(error, progress),
            };
            let mut queue = self.queue(flow);
            // Under the lock, because the head is the only one to touch the descriptor, and we might have to give up the
            // place in the same moment.
            if queue.entries.front().is_some_and(|entry| entry.is_thread(&sleeper)) {
                match attempt(&mut progress) {
                    Err(Errno::AGAIN) => {}
                    Err(error) => break fail(error, progress),
                    Ok(count) => break Ok(count),
                }
            } else if slept == Slept::Ready {
                let mut finished = Finished::default();
                self.advance(flow, &mut queue, &mut finished);
                drop(queue);
                finished.complete();
            }
            if sleeper.is_cancelled() {
                break Err(Failure::Cancelled { transferred: Some(progress) });
            }
            if slept == Slept::TimedOut {
                break Err(Failure::TimedOut { transferred: Some(progress) });
            }
        };
        let mut finished = Finished::default();
        let mut queue = self.queue(flow);
        let was_head = queue.entries.front().is_some_and(|entry| entry.is_thread(&sleeper));
        queue.entries.retain(|entry| !entry.is_thread(&sleeper));
        if was_head {
            self.advance(flow, &mut queue, &mut finished);
        }
        if self.attached().is_some()
            && let Some(next) = queue.first_thread()
        {
            // It may be the one now that sees to what is before it.
            next.wake();
        }
        drop(queue);
        finished.complete();
        outcome
    }

    /// Sleeps until woken, until `deadline`, or until the descriptor is ready, if that is this thread's business: it is at the
    /// head; or it is the first thread behind operations of an end that is attached to a driver, which may not be turned.
    fn sleep(&self, flow: Flow, sleeper: &Arc<Sleeper>, deadline: Option<Instant>) -> Result<Slept, Errno> {
        let watches = {
            let queue = self.queue(flow);
            let head = queue.entries.front().is_some_and(|entry| entry.is_thread(sleeper));
            head || (self.attached().is_some() && queue.first_thread().is_some_and(|first| Arc::ptr_eq(first, sleeper)))
        };
        let interest = match flow {
            Flow::Read => PollFlags::IN,
            Flow::Write => PollFlags::OUT,
        };
        let mut fds = [
            PollFd::from_borrowed_fd(sleeper.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.fd.as_fd(), interest),
        ];
        let watched = if watches { &mut fds[..] } else { &mut fds[..1] };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(a_wait_of);
            match poll(watched, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(0) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Ok(Slept::TimedOut);
                }
                Ok(0) => {}
                Ok(_) => {
                    if !watched[0].revents().is_empty() {
                        sleeper.settle();
                    }
                    let ready = watched.get(1).is_some_and(|fd| !fd.revents().is_empty());
                    return Ok(if ready { Slept::Ready } else { Slept::Woken });
                }
            }
        }
    }
}

/// Why a thread sleeps no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slept {
    Ready,
    Woken,
    TimedOut,
}

/// The slices from the first that is not wholly written, and how much of that one is.
fn unwritten<'a, 'b>(buffers: &'a [IoSlice<'b>], mut progress: usize) -> (usize, &'a [IoSlice<'b>]) {
    for (index, buffer) in buffers.iter().enumerate() {
        if progress < buffer.len() {
            return (progress, &buffers[index..]);
        }
        progress -= buffer.len();
    }
    (0, &[])
}
