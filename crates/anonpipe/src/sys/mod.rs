//! The systems. Each module has the same items:
//!
//! - `OwnedPipe`, `BorrowedPipe`, `borrow`: the system's handle to an end;
//! - `PlatformOptions`: what only this system lets one choose about a pair;
//! - `create(&Spec)`: a new pair, the server end first;
//! - `probe`: what a handle is; `bytes_available`, `shutdown_write`, `is_broken_pipe`;
//! - `read`, `write`: blocking I/O on a handle of mode `Blocking`;
//! - `Channel`: an end of mode `Overlapped`, its queues, and the operations in flight on it;
//! - `Slot`: what the system needs for one operation; it lives in the operation;
//! - `Driver`: the source of notifications, and `prepare_driver_thread` for the thread that turns it.

#![allow(unsafe_code, reason = "system calls are made here, and only here")]

mod foreign_buffer;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
pub(crate) mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(not(any(unix, windows)))]
compile_error!("anonpipe knows Windows and Unix");

pub use foreign_buffer::ForeignBuffer;

use crate::IoMode;
use crate::info::{Direction, Role};

/// What the system says about a handle.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) mode: IoMode,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) role: Option<Role>,
    pub(crate) direction: Option<Direction>,
    pub(crate) inheritable: bool,
    pub(crate) name: Option<String>,
    pub(crate) capacity: Option<usize>,
    /// Why it cannot be adopted, although it is a pipe.
    pub(crate) unfit: Option<&'static str>,
}
