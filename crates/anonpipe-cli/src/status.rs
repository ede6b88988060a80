//! The exit statuses that are ours rather than the command's, and how a failure is told.

use std::fmt;
use std::io::{self, Write};

/// The time was up, as for timeout(1).
pub(crate) const TIMED_OUT: i32 = 124;
/// anonpipe itself failed, as for timeout(1) and env(1).
pub(crate) const FAILED: i32 = 125;
/// The command was found, but cannot be executed.
pub(crate) const NOT_EXECUTABLE: i32 = 126;
/// There is no such command.
pub(crate) const NOT_FOUND: i32 = 127;
/// What a signal's number is added to.
pub(crate) const SIGNAL_BASE: i32 = 128;
/// The reader of our standard output has gone: what a shell says of a program that ended by
/// `SIGPIPE`, on every system.
pub(crate) const OUTPUT_CLOSED: i32 = SIGNAL_BASE + 13;

/// Why there is nothing to run, or nothing to go on with.
#[derive(Debug)]
pub(crate) struct Fatal {
    pub(crate) status: i32,
    pub(crate) message: String,
}

impl Fatal {
    pub(crate) fn new(what: impl fmt::Display, error: &io::Error) -> Self {
        Self { status: FAILED, message: format!("{what}: {error}") }
    }
}

/// What is said, as it is written at once: another process's lines do not get into it.
pub(crate) fn line(message: &str) -> String {
    format!("anonpipe: {message}\n")
}

/// Says what is wrong on standard error, and waits for as long as that takes: for a run that does
/// not begin, or cannot go on. If that fails too, there is no one left to tell.
pub(crate) fn complain(message: &str) {
    let _ = io::stderr().write_all(line(message).as_bytes());
}
