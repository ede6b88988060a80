//! What this model asks of a system.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Instant;

use crate::contract::{Failure, Half, Outcome, Process, Turn};

/// The descriptor of one end, on a system that says when a descriptor is ready.
///
/// No call waits, except for [`wait`](Self::wait). A channel tells a poller to forget its
/// descriptor before it gives that away or drops it.
pub(crate) trait Descriptor: Send + Sync + Sized + 'static {
    type Process: Process;
    /// What a caller gets who takes it out.
    type Handle;
    type Poller: Turn<Event = Ready>;
    type Alarm: Alarm;
    #[cfg(feature = "tokio")]
    type Reactor: super::reactor::Reactor<Descriptor = Self>;

    /// How many bytes one call transfers at most.
    const MOST_AT_ONCE: usize;

    /// Whether a poller may not say that the peer has closed if it did so after the last try and
    /// before the first registration. Then it is tried once more after that.
    const MISSES_THE_END_AT_FIRST: bool;

    /// Whether a writer hears that the reader has closed only if it listens as a reader does.
    const WRITERS_LISTEN_AS_READERS: bool;

    /// Reads what there is. `None`: nothing, now.
    fn try_read(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome>;

    /// Writes what there is room for. `None`: there is none, now.
    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Outcome>;

    /// Ends writing: the peer reads the end of file.
    fn shutdown_write(&self) -> Result<(), Failure>;

    /// Ends reading, where the system can do that alone: the peer's writes fail.
    fn shutdown_read(&self);

    /// Whether [`shutdown_read`](Self::shutdown_read) can do something.
    fn has_two_halves(&self) -> bool;

    /// Has a poller know the descriptor by `key`, and say nothing yet.
    fn register(&self, poller: &Self::Poller, key: usize) -> io::Result<()>;

    /// Has a poller that knows it by `key` say when it becomes readable, writable, or either; at
    /// once, if it is.
    fn arm(&self, poller: &Self::Poller, key: usize, readable: bool, writable: bool) -> io::Result<()>;

    /// Has a poller that knows it forget it.
    fn deregister(&self, poller: &Self::Poller);

    /// Whether a poller that was armed speaks of every change, and not only of the first.
    fn is_told_of_every_change(poller: &Self::Poller) -> bool;

    /// Blocks the calling thread until its `alarm` rings, until the descriptor is ready for
    /// `watched`, if that is asked, or until `deadline`.
    fn wait(&self, alarm: &Self::Alarm, watched: Option<Half>, deadline: Option<Instant>) -> Result<WaitEnd, Failure>;

    /// Gives the system's handle away, once. The descriptor is not used here from then on.
    fn give_away(&self) -> Option<Self::Handle>;
}

/// What a poller says about a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// What ends the wait of a blocked thread.
pub(crate) trait Alarm: Send + Sync {
    /// That of the calling thread.
    fn of_this_thread() -> io::Result<Arc<Self>>;

    /// Ends the wait, or else the next one. From any thread.
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
