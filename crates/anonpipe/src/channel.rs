//! Channels: an overlapped end's queues, and the operations, threads and tasks that wait in them.
//!
//! There are two models of I/O. Neither makes a system call:
//!
//! - [`readiness`] (Unix): try, wait until the system says "ready", try again; the queue is ours;
//! - [`completion`] (Windows): submit, and be told of the outcome; the queue is the kernel's, and
//!   ours mirrors it.
//!
//! Each model rests on a small trait that a system implements, and both are built on every host.
//! This module has what they share: a [`Record`] for each operation, the [`Attachment`] to a
//! driver, the [`Key`] by which a driver finds a channel.

mod adaptive_yield;
mod attachment;
#[allow(dead_code, reason = "it is used on the systems of this model, and by the tests")]
pub(crate) mod completion;
#[cfg(all(test, loom))]
mod interleavings;
mod key;
mod outcome_cell;
mod position;
#[allow(dead_code, reason = "it is used on the systems of this model, and by the tests")]
pub(crate) mod readiness;
mod record;
mod submitted;

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::buffer::Slot;
use crate::contract::{Failure, Half, Outcome, Process, Turn};
use crate::sync::Clock;

pub(crate) use attachment::{Attachment, attach};
pub(crate) use key::Key;
pub(crate) use outcome_cell::OutcomeCell;
use position::position_in;
pub(crate) use record::{InFlight, Record, Request};
pub(crate) use submitted::Submitted;

/// A system: the one that this build is for, or one that exists only in memory.
pub(crate) trait System: Sized + Send + Sync + 'static {
    type Process: Process;
    /// An end, as the system knows it.
    type Handle;
    /// What the system needs for one operation; stored in the operation.
    type Slot: Slot;
    /// Its source of notifications.
    type Poller: Turn;
    type Clock: Clock;
    type Channel: Channel<Self>;
    type Driver: DriverShare<Self>;

    /// The driver that this process turns by itself, on a thread of its own.
    fn process_driver() -> io::Result<Self::Driver>;

    /// Starts a thread that turns a driver.
    fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()>;

    /// The writer of a pipe without a reader. Closed ends hold it in place of their own, so that
    /// their handle can still be asked for. All of them share one.
    fn unread_writer() -> Result<Arc<Self::Channel>, Failure>;

    fn now() -> Instant {
        Self::Clock::now()
    }

    /// The deadline of a wait that takes at most `timeout`. A time beyond the clock's end is no
    /// limit: `None`.
    fn deadline_in(timeout: Duration) -> Option<Instant> {
        Self::now().checked_add(timeout)
    }
}

/// A share in a driver, as a channel sees it. A driver has a poller, the keys it has given out, and
/// a thread that turns it. It lasts as long as its shares.
pub(crate) trait DriverShare<S: System>: Clone + Send + Sync {
    fn poller(&self) -> &S::Poller;

    /// Whether both are shares in one driver.
    fn is_same(&self, other: &Self) -> bool;

    /// Makes a new key. Events of the poller for this key go to `channel` until the key is taken
    /// back.
    fn add_key(&self, channel: &Arc<S::Channel>) -> usize;

    fn take_back_key(&self, key: usize);

    /// Whether the calling thread is turning the driver.
    fn is_turned_by_this_thread(&self) -> bool;

    /// Turns the driver on this thread until `poll` is ready; `poll` is given a waker that ends a
    /// turn. `None`: `deadline` came first.
    fn run_until<T>(&self, poll: impl FnMut(&Waker) -> Poll<T>, deadline: Option<Instant>) -> Option<T>;

    /// Whether a driver of ours polls the task that is being polled on this thread. If so, a
    /// runtime around the driver cannot get to its reactor.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "there is no runtime around it"))]
    fn polls_on_this_thread() -> bool;
}

/// What an end and its operations ask of their channel, in either model.
pub(crate) trait Channel<S: System>: Sized + Send + Sync + 'static {
    /// The state that an end keeps between two polls of its reading half, for the async traits.
    type Reads: TaskReads<S>;
    /// The same for its writing half.
    type Writes: TaskWrites<S>;

    /// Called when the poller has an event for a key that leads here.
    fn on_report(channel: Arc<Self>, event: <S::Poller as Turn>::Report);

    /// Starts an operation. It may complete at once or later, but is completed in every case.
    fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight<S>>);

    /// Asks the system to end one operation. The operation's outcome says whether that came in
    /// time.
    fn cancel(channel: Arc<Self>, operation: &dyn InFlight<S>);

    /// Asks the system to end all operations of one half.
    fn cancel_all(self: &Arc<Self>, half: Half);

    /// Reads, blocking the caller until `deadline`.
    fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome;

    /// Writes, blocking the caller until `deadline`.
    fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome;

    /// How many operations and blocked threads are in flight, as far as this process knows.
    fn in_flight(&self, half: Half) -> usize;

    fn attachment(&self) -> &Attachment<S>;

    /// Calls `then` with whether a driver or a runtime knows the channel; the answer stays true
    /// during the call.
    fn while_known<R>(&self, then: impl FnOnce(bool) -> R) -> R;

    /// Refuses calls in a forked process, which has only a copy of the channel.
    fn check_process(&self) -> Result<(), Failure>;

    /// Whether a write may enter the queue.
    fn check_write(&self) -> Result<(), Failure>;

    /// Half-closes once the queued writes are out.
    fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure>;

    /// The last handle that reads is gone: makes the peer's writes fail, where the system can do so
    /// while writes of ours keep the end open.
    fn stop_reading(&self);

    /// Gives the system's handle away. `None`: operations are in flight.
    ///
    /// The last handle to the end is being converted, so no operation is submitted any more. A
    /// driver may still look at this channel because of a late notification; it finds nothing in
    /// flight, and does not touch the system's handle.
    fn take_handle(&self) -> Result<Option<S::Handle>, Failure>;

    /// The last handle to the end was dropped. In a forked process this closes its copy of the
    /// system's handle, even if the parent has operations in flight.
    fn leave_to_parent(&self);
}

/// A task's reads of an end. A poll reads straight into the caller's buffer; nothing is read
/// between polls. So nothing is read ahead, and a dropped read consumed nothing.
pub(crate) trait TaskReads<S: System>: Default + Send {
    fn poll(
        &mut self,
        channel: &Arc<S::Channel>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome>;

    /// Takes back what is in flight, and forgets the task. Call it before the end gives up the
    /// channel.
    fn leave(&mut self, channel: &S::Channel);

    /// As [`leave`](Self::leave), and waits until the system is done with what was in flight, which
    /// needs no peer. The wait ends at `deadline`, in case this very thread is the one that has to
    /// observe the completion.
    fn take_back(&mut self, channel: &S::Channel, deadline: Instant);
}

/// A task's writes to an end.
pub(crate) trait TaskWrites<S: System>: Default + Send {
    fn poll(
        &mut self,
        channel: &Arc<S::Channel>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome>;

    /// Waits until the accepted writes are complete.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// As [`poll_flush`](Self::poll_flush), blocking.
    fn flush(&mut self) -> Result<(), Failure>;

    /// The failure of accepted writes, if there is one that the caller was not told of. The system
    /// is done with all of them, but the thread that observed this may need a moment to report it;
    /// waits for it until `deadline`.
    fn failure(&mut self, deadline: Instant) -> Option<Failure>;

    /// Forgets the task. Accepted writes still go out.
    fn leave(&mut self, channel: &S::Channel);
}

/// Who wakes a waiting task. This depends on the async trait that the task uses. So a crate that
/// uses one trait does not notice that another crate of the program uses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WokenBy {
    /// The driver that the end is attached to, or else the process's own driver.
    #[cfg_attr(not(feature = "futures-io"), allow(dead_code, reason = "for the trait of the futures crates"))]
    Driver,
    /// The tokio runtime that polls the task: its reactor, where that can wait for the system's
    /// pipes.
    #[cfg(feature = "tokio")]
    Runtime,
}
