//! What a driver asks of a system: notifications, and which process this is.

use std::io;
use std::time::Duration;

/// A source of notifications: a poller, a completion port, or one that exists only in memory.
pub(crate) trait Turn: Send + Sync + Sized + 'static {
    /// What the source reports about a key.
    type Report;

    /// How long a turn lasts at most that relies on being notified, if the system may refuse a
    /// notification. `None`: it never does.
    const LOOK_AGAIN: Option<Duration> = None;

    fn new() -> io::Result<Self>;

    /// Waits for notifications, for at most `timeout`, and passes each of them on: the key, and the
    /// event. [`notify`](Self::notify) ends the wait early.
    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, Self::Report)) -> io::Result<()>;

    /// Ends a turn that waits, or else the next one. May be called from any thread.
    fn notify(&self);

    /// Whether this process made the source. A forked process has a copy, but the source is still
    /// its parent's.
    fn is_of_this_process(&self) -> bool;
}

/// The process that made something, told apart from its forks.
pub(crate) trait Process: Copy + Send + Sync + 'static {
    fn current() -> Self;

    /// Whether it is the calling process.
    fn is_current(self) -> bool;
}
