//! Unix: process groups, signals, and readiness of our own streams.

mod child;
mod streams;
mod watch;

pub(crate) use child::{Child, spawn_status};
pub(crate) use streams::{Gate, Sink, is_closed_pipe, keep_streams_private, open_copy, wait_readable};
pub(crate) use watch::{Watch, ends_us};
