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
pub(crate) use coop::within_budget;
#[cfg(unix)]
pub(crate) use readiness::{Reads, Writes};
