//! Windows: job objects, the console's control events, and our own streams.
#![expect(unsafe_code, reason = "the system's functions for jobs, the console and waits have no safe wrapper in std")]

mod child;
mod streams;
mod watch;

pub(crate) use child::{Child, spawn_status};
pub(crate) use streams::{Gate, Sink, is_closed_pipe, keep_streams_private, open_copy, wait_readable};
pub(crate) use watch::{Watch, ends_us};
