//! What this model asks of a system.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Instant;

use crate::contract::{Failure, Half, Outcome, Process, Turn};

/// The descriptor of one end, on a system that says when a descriptor is ready.
///
/// No call waits, except for [`wait`](Self::wait), and none fails because a signal has interrupted
/// it: the system's layer makes the call again. Before a channel gives its descriptor away or
/// drops it, the channel makes the poller forget it.
pub(crate) trait Descriptor: Send + Sync + Sized + 'static {
    type Process: Process;
    /// What a caller gets who takes the handle out.
    type Handle;
    type Poller: Turn<Report = Ready>;
    type Alarm: Alarm;
    #[cfg(feature = "tokio")]
    type Reactor: super::reactor::Reactor<Descriptor = Self>;

    /// The most bytes that one call transfers.
    const MAX_TRANSFER: usize;

    /// Whether a poller may fail to report that the peer has closed, if the peer did so after the
    /// last try and before the first registration. If so, the channel tries once more after it has
    /// registered.
    const MISSES_THE_END_AT_FIRST: bool;

    /// Whether a writer hears that the reader has closed only if it listens as a reader does.
    const WRITERS_LISTEN_AS_READERS: bool;

    /// Reads what there is. `None`: nothing at this moment.
    fn try_read(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome>;

    /// Writes as much as there is room for. `None`: there is no room at this moment.
    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Outcome>;

    /// Ends writing: the peer reads the end of file.
    fn shutdown_write(&self) -> Result<(), Failure>;

    /// Ends reading, where the system can end it alone: the peer's writes fail.
    fn shutdown_read(&self);

    /// Whether [`shutdown_read`](Self::shutdown_read) has an effect.
    fn has_two_halves(&self) -> bool;

    /// Makes the descriptor known to a poller by `key`, without events for now.
    fn register(&self, poller: &Self::Poller, key: usize) -> io::Result<()>;

    /// Asks a poller that knows the descriptor by `key` to report when it becomes readable,
    /// writable, or either; at once, if it is.
    fn arm(&self, poller: &Self::Poller, key: usize, readable: bool, writable: bool) -> io::Result<()>;

    /// Makes a poller that knows the descriptor forget it.
    fn deregister(&self, poller: &Self::Poller);

    /// Whether an armed poller reports every change, and not only the first.
    fn is_edge_triggered(poller: &Self::Poller) -> bool;

    /// Blocks the calling thread until its `alarm` rings, until the descriptor is ready for
    /// `watched`, if given, or until `deadline`.
    fn wait(&self, alarm: &Self::Alarm, watched: Option<Half>, deadline: Option<Instant>) -> Result<WaitEnd, Failure>;

    /// Gives the system's handle away, once. From then on the descriptor is not used here.
    fn give_away(&self) -> Option<Self::Handle>;
}

/// What a poller reports about a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// Ends the wait of a blocked thread.
pub(crate) trait Alarm: Send + Sync {
    /// The alarm of the calling thread.
    fn of_this_thread() -> io::Result<Arc<Self>>;

    /// Ends the wait, or else the next one. May be called from any thread.
    fn ring(&self);
}

/// Why a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    /// The descriptor is ready.
    Ready,
    /// The alarm rang.
    Rung,
    TimedOut,
}
