//! What differs between the systems. Each provides:
//!
//! - `Child`: a command that was started as the head of a group, with `spawn`, `id`, `try_wait`,
//!   `signal`, `terminate`, `kill` and `has_group`;
//! - `Watch`: what tells of signals and of the child's exit, with `new` (before the child is
//!   started), `follow` and `poll`;
//! - `Sink`: one of our own output streams, and `Gate`, where the helper waits until one of them
//!   takes more;
//! - `wait_readable`, `is_closed_pipe`, `open_copy`, `spawn_status`, `keep_streams_private`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// How a command ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    /// What killed it.
    pub(crate) signal: Option<i32>,
}
