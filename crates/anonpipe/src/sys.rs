//! The systems: all code that makes system calls. Each system's module has the same items:
//!
//! - `OwnedPipe`, `BorrowedPipe`, `borrow`: the system's handle to an end;
//! - `PlatformOptions`: the options of a pair that only this system has;
//! - `MAX_TRANSFER`: the most bytes that one call is given;
//! - `create`: a new pair, the server end first;
//! - `probe`: what a handle is; `bytes_available`, `shutdown_write`;
//! - `read`, `write`: blocking I/O on a handle of mode `Blocking`;
//! - `Descriptor` (Unix) or `Issuer` (Windows): what a channel of the system's model rests on;
//! - `Slot`: what the system needs for one operation; stored in the operation;
//! - `Poller`: the source of notifications, and `with_signals_left_to_the_program` for starting the
//!   thread that turns it;
//! - `Process`: the process that made something, told apart from its forks;
//! - `process`: children. `Builder` starts them, `Child` is one of them, `Watch` says who tells of
//!   its exit.
//!
//! What a system's answer means for an operation, or for making a pair, is in its module `answers`,
//! and nowhere else. What a caller can do when something has run out is said by
//! `contract::error::advice`.

#![allow(unsafe_code, reason = "system calls are made here, and only here")]

mod children;
mod per_process;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Creation;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(not(any(unix, windows)))]
compile_error!("anonpipe knows Windows and Unix");

pub(crate) use children::{ChildStdio, FIRST_PAUSE, LONGEST_PAUSE, SpawnOptions, Watch};
pub(crate) use per_process::PerProcess;
