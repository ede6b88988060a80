//! An overlapped end: its descriptor, and one queue a direction.
//!
//! Whoever wants to read or write takes a place in the queue, operations and blocked threads alike; only the head of a queue
//! touches the descriptor. An operation at the head is advanced by the driver (on an end that is attached to one of the caller's,
//! by a thread behind it, too), a thread by itself. With an empty queue both
//! try at once, and take a place only if they would have to wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;

use super::MOST_AT_ONCE;
use super::fork::{Process, count_forks};
use super::transfer::{Transport, try_read, try_write};
use crate::driver::{self, Lease, Turn};
use crate::error::Failure;
use crate::op::{Flow, Header, InFlight, Outcome};
use crate::sys::{ALREADY_ATTACHED, TOO_LATE_TO_ATTACH, place_in};

mod blocking;
#[cfg_attr(
    not(any(feature = "tokio", feature = "futures-io")),
    allow(dead_code, reason = "for the async traits, which are features")
)]
mod polled;
mod queue;
mod readiness;

pub(crate) use polled::Task;
use queue::{Entry, Finished, Queue};
#[cfg(feature = "tokio")]
pub(super) use readiness::WRITERS_LISTEN_AS_READERS;
use readiness::{Armed, Readiness};

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
    readiness: Mutex<Readiness>,
    reads: Mutex<Queue>,
    writes: Mutex<Queue>,
    transport: Transport,
    /// The driver that it was given to, if not the process's.
    attached: OnceLock<Lease>,
    #[cfg(feature = "tokio")]
    watched: super::reactor::Shared,
    /// The process that made it.
    process: Process,
    /// Closed when this is dropped, unless [`take_pipe`](Channel::take_pipe) has given it away.
    fd: ManuallyDrop<OwnedFd>,
    given_away: AtomicBool,
}

impl Drop for Channel {
    fn drop(&mut self) {
        // First, as it must be: the poller is asked to forget the descriptor while that is open.
        *self.readiness.get_mut().unwrap_or_else(PoisonError::into_inner) = Readiness::default();
        if !*self.given_away.get_mut() {
            // SAFETY: this is its only drop, it was not given away, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

enum Attempt {
    Done(Outcome),
    WouldBlock,
    /// There may be more to do at once, but it is another pipe's turn.
    Yield,
}

impl Attempt {
    /// It ended before the descriptor had to be waited for.
    fn is_early(&self) -> bool {
        matches!(self, Self::Yield)
    }
}

impl Channel {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        // Without memory for it, a forked child is taken for this process.
        let _ = count_forks();
        Self {
            readiness: Mutex::default(),
            reads: Mutex::default(),
            writes: Mutex::default(),
            transport: Transport::of(fd.as_fd()),
            attached: OnceLock::new(),
            #[cfg(feature = "tokio")]
            watched: super::reactor::Shared::default(),
            process: Process::current(),
            fd: ManuallyDrop::new(fd),
            given_away: AtomicBool::new(false),
        }
    }

    pub(crate) fn pipe(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Has `lease` complete what is submitted here, from the first operation on.
    pub(crate) fn attach(&self, lease: Lease) -> Result<(), Failure> {
        if self.attached.get().is_some_and(|known| known.is_same(&lease)) {
            // By a clone, or by the other half.
            return Ok(());
        }
        self.check_process()?;
        let readiness = self.readiness();
        #[cfg(feature = "tokio")]
        let waits_elsewhere = self.watched.is_in_use();
        #[cfg(not(feature = "tokio"))]
        let waits_elsewhere = false;
        if readiness.is_registered() || waits_elsewhere {
            return Err(Failure::refused(io::ErrorKind::ResourceBusy, TOO_LATE_TO_ATTACH));
        }
        self.attached.set(lease).map_err(|_| Failure::refused(io::ErrorKind::ResourceBusy, ALREADY_ATTACHED))
    }

    /// The driver that somebody has to turn for it.
    pub(crate) fn attached(&self) -> Option<&Lease> {
        self.attached.get().filter(|lease| lease.system().is_of_this_process())
    }

    /// What a reactor is asked about, for a task in one direction: the other direction of a socket may follow.
    #[cfg(feature = "tokio")]
    pub(super) fn interest(&self, flow: Flow) -> tokio::io::Interest {
        use tokio::io::Interest;

        match flow {
            _ if self.transport.is_socket() => Interest::READABLE | Interest::WRITABLE,
            Flow::Read => Interest::READABLE,
            Flow::Write if WRITERS_LISTEN_AS_READERS => Interest::READABLE | Interest::WRITABLE,
            Flow::Write => Interest::WRITABLE,
        }
    }

    fn source(&self) -> io::Result<Lease> {
        self.attached().map_or_else(driver::global, |lease| Ok(lease.clone()))
    }

    /// Gives the descriptor away. `None`: operations are in flight.
    ///
    /// The last handle to the end is being converted, so nothing is submitted any more. A driver may still look at this channel
    /// because of a late notification, sees that there is nothing in flight, and does not touch the descriptor.
    pub(crate) fn take_pipe(&self) -> Result<Option<OwnedFd>, Failure> {
        if self.is_of_a_parent() {
            return Ok(self.give_away());
        }
        let (reads, writes) = (self.queue(Flow::Read), self.queue(Flow::Write));
        if !(reads.entries.is_empty() && writes.entries.is_empty()) {
            return Ok(None);
        }
        // The poller forgets it while it is ours.
        *self.readiness() = Readiness::default();
        Ok(self.give_away())
    }

    /// The last handle to the end was dropped. In a forked process that closes this copy of the descriptor, whatever the parent
    /// has in flight, and without its locks: no one uses it here any more.
    pub(crate) fn leave_to_parent(&self) {
        if self.is_of_a_parent() {
            drop(self.give_away());
        }
    }

    /// The descriptor, once. Nothing may use it here from then on.
    fn give_away(&self) -> Option<OwnedFd> {
        if self.given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: open, and not closed by the drop of this channel any more; nothing uses it here, say those who call this.
        Some(unsafe { OwnedFd::from_raw_fd(self.fd.as_raw_fd()) })
    }

    fn queue(&self, flow: Flow) -> MutexGuard<'_, Queue> {
        let queue = match flow {
            Flow::Read => &self.reads,
            Flow::Write => &self.writes,
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations and threads are in flight, as far as this process knows.
    pub(crate) fn in_flight(&self, flow: Flow) -> usize {
        if self.is_of_a_parent() { 0 } else { self.queue(flow).entries.len() }
    }

    /// The last handle that reads has gone. If writes are in flight, which keep the descriptor open, the peer's writes fail from
    /// now on: they would never be read.
    pub(crate) fn stop_reading(&self) {
        if self.transport.is_socket() && self.in_flight(Flow::Write) > 0 {
            super::shutdown_read(self.fd.as_fd());
        }
    }

    /// Starts an operation: tries at once if nothing is before it, else it waits for its turn.
    pub(crate) fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight>) {
        let flow = operation.header().flow;
        if let Err(failure) = self.check_process() {
            return operation.header().complete(Err(failure));
        }
        let mut queue = self.queue(flow);
        if queue.shut {
            drop(queue);
            operation.header().complete(Err(Failure::shut_down()));
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
    pub(crate) fn cancel(channel: Arc<Self>, header: &Header) {
        if channel.is_of_a_parent() {
            return channel.forget(header.flow);
        }
        let mut finished = Finished::default();
        let mut queue = channel.queue(header.flow);
        let place = place_in(&queue.entries, |entry| entry.is_operation(header));
        if let Some(entry) = place.and_then(|place| queue.entries.remove(place)) {
            finished.cancel(entry);
        }
        if place == Some(0) {
            channel.advance(header.flow, &mut queue, &mut finished);
        }
        drop(queue);
        drop(channel);
        finished.complete();
    }

    /// Asks for the end of everything in one direction.
    pub(crate) fn cancel_all(self: &Arc<Self>, flow: Flow) {
        if self.is_of_a_parent() {
            return self.forget(flow);
        }
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
        queue.cancels += 1;
        finished.tasks.add(queue.waiters.take());
        self.advance(flow, &mut queue, &mut finished);
        drop(queue);
        finished.complete();
    }

    /// Whether this is a copy that came along with a fork. Its locks may be held by threads that are not here.
    fn is_of_a_parent(&self) -> bool {
        !self.process.is_current()
    }

    /// Refuses what a forked process asks of its copy.
    fn check_process(&self) -> Result<(), Failure> {
        if self.is_of_a_parent() {
            let why = "it came along with a fork, and is its parent's: make pairs in this process, or convert the end into its \
                       descriptor and adopt that";
            return Err(Failure::refused(io::ErrorKind::Unsupported, why));
        }
        Ok(())
    }

    /// Lets go of what the parent has in flight, so that the descriptor can be closed here.
    fn forget(&self, flow: Flow) {
        let queue = match flow {
            Flow::Read => self.reads.try_lock(),
            Flow::Write => self.writes.try_lock(),
        };
        if let Ok(mut queue) = queue {
            let entries = std::mem::take(&mut queue.entries);
            drop(queue);
            drop(entries);
        }
    }

    /// Lets the head of the queue, and whoever becomes it, go as far as possible.
    fn advance(self: &Arc<Self>, flow: Flow, queue: &mut Queue, finished: &mut Finished) {
        loop {
            let attempt = match queue.entries.front() {
                None => {
                    if queue.shut {
                        let _ = super::shutdown_write(self.fd.as_fd());
                    }
                    return finished.tasks.add(queue.waiters.take());
                }
                Some(Entry::Thread(sleeper)) => return sleeper.wake(),
                Some(Entry::Operation(operation, _)) => self.attempt(operation.header()),
            };
            let outcome = match attempt {
                Attempt::Done(outcome) => outcome,
                attempt @ (Attempt::WouldBlock | Attempt::Yield) => match self.arm(flow, attempt.is_early()) {
                    Ok(Armed::Listening) => return,
                    Ok(Armed::TryAgain) => continue,
                    // No descriptors for the driver, say. What went before is known.
                    Err(error) => Err(Failure::after(error, queue.progress_of_head())),
                },
            };
            if let Some(entry) = queue.entries.pop_front() {
                finished.outcomes.push((entry, outcome));
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
        let bytes = unsafe { std::slice::from_raw_parts_mut(header.data(), header.length().min(MOST_AT_ONCE)) };
        match try_read(self.fd.as_fd(), &self.transport, &mut [IoSliceMut::new(bytes)]) {
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
            let rest = &bytes[progress..];
            let rest = &rest[..rest.len().min(MOST_AT_ONCE)];
            match try_write(self.fd.as_fd(), &self.transport, &[IoSlice::new(rest)]) {
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

    /// Whether a write could be let into the queue.
    pub(crate) fn check_write(&self) -> Result<(), Failure> {
        self.check_process()?;
        if self.queue(Flow::Write).shut { Err(Failure::shut_down()) } else { Ok(()) }
    }

    /// Half-closes when what is in the queue has gone.
    pub(crate) fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure> {
        self.check_process()?;
        let mut queue = self.queue(Flow::Write);
        if queue.entries.is_empty() {
            super::shutdown_write(self.fd.as_fd())?;
        }
        queue.shut = true;
        // They have nothing to wait for any more, and the system may not say so.
        let woken = queue.waiters.take();
        drop(queue);
        woken.wake();
        Ok(())
    }
}
