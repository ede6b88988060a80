//! The async traits' reads and writes: what an end keeps between the polls of each direction.
//!
//! A read is done when it is polled, into the caller's buffer, and never otherwise: nothing is read ahead, and a read that is
//! dropped consumed nothing. How a task waits for its turn is the system's matter: [`readiness`] or [`completion`].

#[cfg(windows)]
mod completion;
mod coop;
#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(unix)]
mod readiness;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(windows)]
pub(crate) use completion::{Reads, Writes};
pub(crate) use coop::letting_others_run;
#[cfg(unix)]
pub(crate) use readiness::{Reads, Writes};

use std::task::{Context, Poll};

/// Who wakes a task that waits: this depends on the trait that it came by, so that a crate which uses one of them does not notice
/// that another crate of the program uses another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WokenBy {
    /// The driver that the end is attached to, or the process's.
    #[cfg_attr(not(feature = "futures-io"), allow(dead_code, reason = "for the trait of the futures crates"))]
    Driver,
    /// The tokio runtime that polls the task: its reactor, where the system's pipes can wait in that.
    #[cfg(feature = "tokio")]
    Runtime,
}

impl WokenBy {
    /// Calls `poll`, but now and then lets other tasks run first.
    pub(crate) fn fairly<T>(
        self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self {
            Self::Driver => letting_others_run(context, poll),
            #[cfg(feature = "tokio")]
            Self::Runtime => coop::within_the_runtimes_budget(context, poll),
        }
    }
}
