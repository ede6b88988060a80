//! What a driver asks of a system: notifications, and which process this is.

use std::io;
use std::time::{Duration, Instant};

/// A source of notifications: a poller, a completion port, or one that exists only in memory.
pub(crate) trait Turn: Send + Sync + Sized + 'static {
    /// What it says about a key.
    type Event;

    fn new() -> io::Result<Self>;

    /// Waits for notifications, at most for `timeout`, and passes them on: the key, and what is
    /// said about it. [`notify`](Self::notify) ends it early.
    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, Self::Event)) -> io::Result<()>;

    /// Ends a turn that waits, or else the next one. From any thread.
    fn notify(&self);

    /// A forked process has a copy of the source, which is still its parent's.
    fn is_of_this_process(&self) -> bool;

    /// The time.
    fn now() -> Instant;
}

/// The process that made something, told apart from those that were forked from it.
pub(crate) trait Process: Copy + Send + Sync + 'static {
    fn current() -> Self;

    /// Whether it is this one.
    fn is_current(self) -> bool;
}
