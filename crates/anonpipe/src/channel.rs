//! An overlapped end in flight: its queues, and what waits in them.
//!
//! There are two models of how a system does I/O, and neither makes a system call:
//!
//! - [`readiness`] (Unix): try, wait until it may go, try again; the queue is ours;
//! - [`completion`] (Windows): submit, and be told; the queue is the kernel's, and ours mirrors it.
//!
//! Each stands over a small trait that a system implements, and both are built on every host. What
//! is the same for both is here: a [`Record`] for each operation, the [`Attachment`] to a driver,
//! the [`Place`] in a driver's table of keys.

mod adaptive_yield;
mod attachment;
#[allow(dead_code, reason = "it is used on the systems of this model, and by the tests")]
pub(crate) mod completion;
mod outcome_cell;
mod place;
#[allow(dead_code, reason = "it is used on the systems of this model, and by the tests")]
pub(crate) mod readiness;
mod record;
mod submitted;

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::contract::{Failure, Half, Outcome, Process, Turn};

pub(crate) use attachment::{Attachment, attach};
pub(crate) use outcome_cell::OutcomeCell;
pub(crate) use place::{Place, place_in};
pub(crate) use record::{InFlight, Record, Request};
pub(crate) use submitted::Submitted;

/// A system: the one that this is built for, or one that exists only in memory.
pub(crate) trait System: Sized + Send + Sync + 'static {
    type Process: Process;
    /// An end, as the system knows it.
    type Handle;
    /// What the system needs for one operation; it lives in the operation.
    type Slot: Default + Send + Sync;
    /// Its source of notifications.
    type Poller: Turn;
    type Channel: Channel<Self>;
    type Driver: Driver<Self>;

    /// The driver that this process turns by itself, on a thread of its own.
    fn process_driver() -> io::Result<Self::Driver>;

    fn now() -> Instant {
        Self::Poller::now()
    }

    /// The deadline of a wait that takes at most `timeout`. `None`: a time beyond the clock's end is
    /// no limit.
    fn deadline_in(timeout: Duration) -> Option<Instant> {
        Self::now().checked_add(timeout)
    }
}

/// A share in a driver, as a channel sees it: a poller, the keys that it has given out, and a
/// thread that turns it. The driver lasts as long as its shares.
pub(crate) trait Driver<S: System>: Clone + Send + Sync {
    fn poller(&self) -> &S::Poller;

    /// Whether both are shares in one driver.
    fn is_same(&self, other: &Self) -> bool;

    /// A new key. What the poller says about it leads to `channel` until it is taken back.
    fn add_key(&self, channel: &Arc<S::Channel>) -> usize;

    fn take_back_key(&self, key: usize);

    /// Whether the calling thread is turning it.
    fn is_turned_by_this_thread(&self) -> bool;

    /// Turns it on this thread until `poll`, which is given a waker that ends a turn, is ready.
    /// `None`: `deadline` came first.
    fn run_until<T>(&self, poll: impl FnMut(&Waker) -> Poll<T>, deadline: Option<Instant>) -> Option<T>;

    /// Whether the task that is being polled on this thread is polled by a driver of ours. Then a
    /// runtime around it does not get to its reactor.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "there is no runtime around it"))]
    fn polls_on_this_thread() -> bool;
}

/// What an end and its operations ask of their channel, whichever its model.
pub(crate) trait Channel<S: System>: Sized + Send + Sync + 'static {
    /// What an end keeps between two polls of its reading half, for the async traits.
    type Reads: TaskReads<S>;
    /// The same for its writing half.
    type Writes: TaskWrites<S>;

    /// The poller has said something about a key that leads here.
    fn on_event(channel: Arc<Self>, event: <S::Poller as Turn>::Event);

    /// Starts an operation. It is complete at once, or later; on every way it is completed.
    fn submit(self: &Arc<Self>, operation: Arc<dyn InFlight<S>>);

    /// Asks for the end of one operation. Its outcome says whether that came in time.
    fn cancel(channel: Arc<Self>, request: &Request<S>);

    /// Asks for the end of everything in one half.
    fn cancel_all(self: &Arc<Self>, half: Half);

    /// Reads, blocking the caller until `deadline`.
    fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome;

    /// Writes, blocking the caller until `deadline`.
    fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome;

    /// How many operations and blocked threads are in flight, as far as this process knows.
    fn in_flight(&self, half: Half) -> usize;

    fn attachment(&self) -> &Attachment<S>;

    /// Calls `then` with whether a driver or a runtime knows the channel, which stays so meanwhile.
    fn while_known<R>(&self, then: impl FnOnce(bool) -> R) -> R;

    /// Refuses what a forked process asks of its copy.
    fn check_process(&self) -> Result<(), Failure>;

    /// Whether a write could be let into the queue.
    fn check_write(&self) -> Result<(), Failure>;

    /// Half-closes when what is in the queue has gone.
    fn shutdown_write(self: &Arc<Self>) -> Result<(), Failure>;

    /// The last handle that reads has gone: the peer's writes are to fail, where the system can say
    /// so while writes of ours keep the end open.
    fn stop_reading(&self);

    /// Gives the system's handle away. `None`: operations are in flight.
    ///
    /// The last handle to the end is being converted, so nothing is submitted any more. A driver
    /// may still look at this channel because of a late notification, sees that there is nothing in
    /// flight, and does not touch the system's handle.
    fn take_handle(&self) -> Result<Option<S::Handle>, Failure>;

    /// The last handle to the end was dropped. In a forked process this closes its copy of the
    /// system's handle, even if the parent has operations in flight.
    fn leave_to_parent(&self);
}

/// The reads of an end by a task. A read is done when it is polled, into the caller's buffer, and
/// never otherwise: nothing is read ahead, and a read that is dropped consumed nothing.
pub(crate) trait TaskReads<S: System>: Default + Send {
    fn poll(
        &mut self,
        channel: &Arc<S::Channel>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<Outcome>;

    /// Takes back what is in flight, and lets go of the task. To be called before the end lets go
    /// of the channel.
    fn leave(&mut self, channel: &S::Channel);

    /// As [`leave`](Self::leave), and waits until the system has let go, which takes no peer; at
    /// most until `deadline`, should it be up to this very thread to see it.
    fn take_back(&mut self, channel: &S::Channel, deadline: Instant);
}

/// The writes of an end by a task.
pub(crate) trait TaskWrites<S: System>: Default + Send {
    fn poll(
        &mut self,
        channel: &Arc<S::Channel>,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Outcome>;

    /// Waits for the completion of what was accepted.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// As [`poll_flush`](Self::poll_flush), blocking.
    fn flush(&mut self) -> Result<(), Failure>;

    /// How what was accepted has failed, if it has and the caller was not told. The system is done
    /// with all of it, but the thread that observed that may not yet have said so, which takes a
    /// moment: at most until `deadline`.
    fn failure(&mut self, deadline: Instant) -> Option<Failure>;

    /// Lets go of the task. What was accepted is written all the same.
    fn leave(&mut self, channel: &S::Channel);
}

/// Who wakes a task that waits. It depends on the trait that the task came by, so that a crate
/// which uses one of them does not notice that another crate of the program uses another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WokenBy {
    /// The driver that the end is attached to, or the process's.
    #[cfg_attr(not(feature = "futures-io"), allow(dead_code, reason = "for the trait of the futures crates"))]
    Driver,
    /// The tokio runtime that polls the task: its reactor, where the system's pipes can wait in
    /// that.
    #[cfg(feature = "tokio")]
    Runtime,
}
