//! An overlapped end: its descriptor, and one queue a direction.
//!
//! Whoever wants to read or write takes a place in the queue, operations and blocked threads alike; only the head of a queue
//! touches the descriptor. An operation at the head is advanced by the driver, a thread by itself. With an empty queue both
//! try at once, and take a place only if they would have to wait.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::driver::Registration;
use super::transfer::{Transport, try_read, try_write};
use super::wake::Sleeper;
use crate::driver;
use crate::error::Failure;
use crate::op::{Flow, Header, InFlight, Outcome};

/// How many system calls one operation gets at a stretch, so that a fast peer does not keep the driver from the other pipes.
const TURNS_AT_A_STRETCH: usize = 16;

/// What an operation needs here: how many bytes of a write have gone.
#[derive(Default)]
pub(crate) struct Slot {
    progress: AtomicUsize,
}

impl Slot {
    fn progress(&self) -> usize {
        self.progress.load(Ordering::Relaxed)
    }
}

pub(crate) struct Channel {
    /// Dropped before the descriptor, as it must be.
    readiness: Mutex<Readiness>,
    reads: Mutex<Queue>,
    writes: Mutex<Queue>,
    transport: Transport,
    fd: OwnedFd,
}

#[derive(Default)]
struct Readiness {
    registration: Option<Registration>,
    /// What the poller was asked for, and has not yet answered.
    readable: bool,
    writable: bool,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Writes only: half-close when the queue is empty.
    shut: bool,
}

enum Entry {
    /// An operation owns the channel it runs on, so that the descriptor outlives the end.
    Operation(Arc<dyn InFlight>, Arc<Channel>),
    /// A thread that blocks in `read` or `write`.
    Thread(Arc<Sleeper>),
}

impl Entry {
    fn is_operation(&self, header: &Header) -> bool {
        matches!(self, Self::Operation(operation, _) if std::ptr::eq(operation.header(), header))
    }

    fn is_thread(&self, sleeper: &Arc<Sleeper>) -> bool {
        matches!(self, Self::Thread(thread) if Arc::ptr_eq(thread, sleeper))
    }
}

/// Operations whose outcome is known, to be completed when no lock is held: completing wakes strangers, and drops the
/// channel.
#[derive(Default)]
struct Finished(Vec<(Entry, Outcome)>);

impl Finished {
    fn cancel(&mut self, entry: Entry) {
        if let Entry::Operation(operation, _) = &entry {
            let transferred = Some(operation.header().slot.progress());
            self.0.push((entry, Err(Failure::Cancelled { transferred })));
        }
    }

    fn complete(self) {
        for (entry, outcome) in self.0 {
            if let Entry::Operation(operation, channel) = entry {
                // Whoever learns of the completion may want to take the descriptor out, and must be the last owner then.
                drop(channel);
                operation.header().complete(outcome);
            }
        }
    }
}

enum Attempt {
    Done(Outcome),
    WouldBlock,
    /// There may be more to do at once, but it is another pipe's turn.
    Yield,
}

impl Channel {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            readiness: Mutex::default(),
            reads: Mutex::default(),
            writes: Mutex::default(),
            transport: Transport::of(fd.as_fd()),
            fd,
        }
    }

    pub(crate) fn pipe(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The descriptor needs no unbinding on Unix; the poller forgets it in [`into_pipe`](Self::into_pipe).
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
    pub(crate) fn release(&self) -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn into_pipe(self) -> OwnedFd {
        drop(self.readiness);
        self.fd
    }

    fn queue(&self, flow: Flow) -> MutexGuard<'_, Queue> {
        let queue = match flow {
            Flow::Read => &self.reads,
            Flow::Write => &self.writes,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn in_flight(&self, flow: Flow) -> usize {
        self.queue(flow).entries.len()
    }

    /// Starts an operation: tries at once if nothing is before it, else it waits for its turn.
    pub(crate) fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight>) {
        let flow = operation.header().flow;
        let mut queue = self.queue(flow);
        if queue.shut {
            drop(queue);
            operation.header().complete(Err(Failure::after(Errno::PIPE.into(), 0)));
            return;
        }
        queue.entries.push_back(Entry::Operation(operation, Arc::clone(self)));
        let mut finished = Finished::default();
        if queue.entries.len() == 1 {
            self.advance(flow, &mut queue, &mut finished);
        }
        drop(queue);
        finished.complete();
    }

    /// Asks for the end of one operation, if it has not ended yet.
    pub(crate) fn cancel(self: &Arc<Self>, header: &Header) {
        let mut finished = Finished::default();
        let mut queue = self.queue(header.flow);
        let place = queue.entries.iter().position(|entry| entry.is_operation(header));
        if let Some(entry) = place.and_then(|place| queue.entries.remove(place)) {
            finished.cancel(entry);
        }
        if place == Some(0) {
            self.advance(header.flow, &mut queue, &mut finished);
        }
        drop(queue);
        finished.complete();
    }

    /// Asks for the end of everything in one direction.
    pub(crate) fn cancel_all(self: &Arc<Self>, flow: Flow) {
        let mut finished = Finished::default();
        let mut queue = self.queue(flow);
        for entry in std::mem::take(&mut queue.entries) {
            match &entry {
                Entry::Operation(..) => finished.cancel(entry),
                // It takes itself out: it may be in the middle of a write.
                Entry::Thread(sleeper) => {
                    sleeper.cancel();
                    queue.entries.push_back(entry);
                }
            }
        }
        self.advance(flow, &mut queue, &mut finished);
        drop(queue);
        finished.complete();
    }

    /// Lets the head of the queue, and whoever becomes it, go as far as possible.
    fn advance(self: &Arc<Self>, flow: Flow, queue: &mut Queue, finished: &mut Finished) {
        loop {
            let attempt = match queue.entries.front() {
                None => {
                    if queue.shut {
                        let _ = super::shutdown_write(self.fd.as_fd());
                    }
                    return;
                }
                Some(Entry::Thread(sleeper)) => return sleeper.wake(),
                Some(Entry::Operation(operation, _)) => self.attempt(operation.header()),
            };
            let outcome = match attempt {
                Attempt::Done(outcome) => outcome,
                Attempt::WouldBlock | Attempt::Yield => match self.arm(flow) {
                    Ok(()) => return,
                    Err(error) => Err(error.into()),
                },
            };
            if let Some(entry) = queue.entries.pop_front() {
                finished.0.push((entry, outcome));
            }
        }
    }

    /// Does what can be done at once for the operation at the head.
    fn attempt(&self, header: &Header) -> Attempt {
        match header.flow {
            Flow::Read => self.attempt_read(header),
            Flow::Write => self.attempt_write(header),
        }
    }

    fn attempt_read(&self, header: &Header) -> Attempt {
        // SAFETY: the buffer belongs to the operation and is not looked at before its completion, which only the head of the
        // queue gets, under the queue's lock; `header` is part of the same allocation.
        let bytes = unsafe { std::slice::from_raw_parts_mut(header.data(), header.length()) };
        match try_read(self.fd.as_fd(), &mut [IoSliceMut::new(bytes)]) {
            Ok(count) => Attempt::Done(Ok(count)),
            Err(Errno::AGAIN) => Attempt::WouldBlock,
            Err(error) => Attempt::Done(Err(Failure::after(error.into(), 0))),
        }
    }

    fn attempt_write(&self, header: &Header) -> Attempt {
        // SAFETY: as in `attempt_read`; a write only reads the buffer.
        let bytes = unsafe { std::slice::from_raw_parts(header.data(), header.length()) };
        for _ in 0..TURNS_AT_A_STRETCH {
            let progress = header.slot.progress();
            match try_write(self.fd.as_fd(), self.transport, &[IoSlice::new(&bytes[progress..])]) {
                Ok(count) => header.slot.progress.store(progress + count, Ordering::Relaxed),
                Err(Errno::AGAIN) => return Attempt::WouldBlock,
                Err(error) => return Attempt::Done(Err(Failure::after(error.into(), progress))),
            }
            if header.slot.progress() == bytes.len() {
                return Attempt::Done(Ok(bytes.len()));
            }
        }
        Attempt::Yield
    }

    /// Asks the driver to say when the descriptor is ready for `flow`.
    fn arm(self: &Arc<Self>, flow: Flow) -> io::Result<()> {
        let mut readiness = self.readiness.lock().unwrap_or_else(PoisonError::into_inner);
        match flow {
            Flow::Read => readiness.readable = true,
            Flow::Write => readiness.writable = true,
        }
        if readiness.registration.is_none() {
            readiness.registration = Some(driver::global()?.register(self, self.fd.as_fd())?);
        }
        match &readiness.registration {
            Some(registration) => registration.arm(readiness.readable, readiness.writable),
            None => Ok(()),
        }
    }

    /// The driver's notification: the descriptor was ready for something, and no further notification is armed.
    pub(super) fn on_ready(channel: Arc<Self>) {
        {
            let mut readiness = channel.readiness.lock().unwrap_or_else(PoisonError::into_inner);
            (readiness.readable, readiness.writable) = (false, false);
        }
        let mut finished = Finished::default();
        for flow in [Flow::Read, Flow::Write] {
            let mut queue = channel.queue(flow);
            // A thread at the head asks for itself.
            if matches!(queue.entries.front(), Some(Entry::Operation(..))) {
                channel.advance(flow, &mut queue, &mut finished);
            }
        }
        drop(channel);
        finished.complete();
    }

    /// Reads, blocking the caller until `deadline`.
    pub(crate) fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
        self.block_on(Flow::Read, deadline, |_| try_read(self.fd.as_fd(), buffers))
    }

    /// Writes everything, blocking the caller until `deadline`.
    pub(crate) fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        self.block_on(Flow::Write, deadline, |progress| {
            while *progress < total {
                *progress += match unwritten(buffers, *progress) {
                    (0, rest) => try_write(self.fd.as_fd(), self.transport, rest),
                    (skip, rest) => {
                        let first = IoSlice::new(&rest[0][skip..]);
                        try_write(self.fd.as_fd(), self.transport, &[first])
                    }
                }?;
            }
            Ok(total)
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
        let mut queue = self.queue(flow);
        if queue.shut {
            return fail(Errno::PIPE, 0);
        }
        if queue.entries.is_empty() {
            match attempt(&mut progress) {
                Err(Errno::AGAIN) => {}
                Err(error) => return fail(error, progress),
                Ok(count) => return Ok(count),
            }
        }
        let sleeper = Sleeper::new()?;
        queue.entries.push_back(Entry::Thread(Arc::clone(&sleeper)));
        drop(queue);
        let outcome = loop {
            let polled = self.sleep(flow, &sleeper, deadline);
            let queue = self.queue(flow);
            let timed_out = match polled {
                Ok(ready) => !ready,
                Err(error) => break fail(error, progress),
            };
            // Under the lock, because the head is the only one to touch the descriptor, and we might have to give up the
            // place in the same moment.
            if queue.entries.front().is_some_and(|entry| entry.is_thread(&sleeper)) {
                match attempt(&mut progress) {
                    Err(Errno::AGAIN) => {}
                    Err(error) => break fail(error, progress),
                    Ok(count) => break Ok(count),
                }
            }
            if sleeper.is_cancelled() {
                break Err(Failure::Cancelled { transferred: Some(progress) });
            }
            if timed_out {
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
        drop(queue);
        finished.complete();
        outcome
    }

    /// Sleeps until the descriptor is ready, if it is our turn, or until woken. `Ok(false)`: the time is up.
    fn sleep(&self, flow: Flow, sleeper: &Arc<Sleeper>, deadline: Option<Instant>) -> Result<bool, Errno> {
        let head = self.queue(flow).entries.front().is_some_and(|entry| entry.is_thread(sleeper));
        let interest = match flow {
            Flow::Read => PollFlags::IN,
            Flow::Write => PollFlags::OUT,
        };
        let mut fds = [
            PollFd::from_borrowed_fd(sleeper.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.fd.as_fd(), interest),
        ];
        let watched = if head { &mut fds[..] } else { &mut fds[..1] };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout =
                left.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i32::MAX.into(), tv_nsec: 0 }));
            match poll(watched, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(0) => return Ok(false),
                Ok(_) => {
                    sleeper.settle();
                    return Ok(true);
                }
            }
        }
    }

    /// Half-closes when what is in the queue has gone.
    pub(crate) fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure> {
        let mut queue = self.queue(Flow::Write);
        if queue.entries.is_empty() {
            super::shutdown_write(self.fd.as_fd())?;
        }
        queue.shut = true;
        Ok(())
    }
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
