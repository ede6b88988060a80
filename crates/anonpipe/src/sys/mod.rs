//! The systems. Each module has the same items:
//!
//! - `OwnedPipe`, `BorrowedPipe`, `borrow`: the system's handle to an end;
//! - `PlatformOptions`: what only this system lets one choose about a pair;
//! - `MOST_AT_ONCE`: how many bytes one call is given at most;
//! - `create(&Spec)`: a new pair, the server end first;
//! - `probe`: what a handle is; `bytes_available`, `shutdown_write`, `is_broken_pipe`;
//! - `read`, `write`: blocking I/O on a handle of mode `Blocking`;
//! - `Channel`: an end of mode `Overlapped`, its queues, and the operations in flight on it;
//! - `Slot`: what the system needs for one operation; it lives in the operation;
//! - `Driver`: the source of notifications, and `with_signals_left_to_the_program` for the start of the thread that turns it;
//! - `Process`: the process that made something, told apart from those that were forked from it.

#![allow(unsafe_code, reason = "system calls are made here, and only here")]

mod foreign_buffer;
mod per_process;
#[cfg(feature = "tokio")]
mod read_buf;
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
pub(crate) use per_process::PerProcess;
#[cfg(feature = "tokio")]
pub(crate) use read_buf::fill;

use std::collections::VecDeque;

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

const TOO_LATE_TO_ATTACH: &str = "operations were submitted on it: attach an end before its first operation";
const ALREADY_ATTACHED: &str = "it is attached to a driver already, and stays so";

/// Where in a queue the element is for which `is` holds; looks from both ends, because most are completed from the front and
/// dropped in the order, or against the order, in which they came.
pub(crate) fn place_in<T>(queue: &VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<usize> {
    let last = queue.len().checked_sub(1)?;
    (0..=last / 2).find_map(|front| [front, last - front].into_iter().find(|place| is(&queue[*place])))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::place_in;

    #[test]
    fn every_place_in_a_queue_is_found() {
        for length in 0..10 {
            let queue: VecDeque<_> = (0..length).collect();
            for element in 0..length {
                assert_eq!(place_in(&queue, |other| *other == element), Some(element));
            }
            assert_eq!(place_in(&queue, |other| *other == length), None);
        }
    }
}
