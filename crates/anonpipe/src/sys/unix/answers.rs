//! The table of what the system's answers mean for a pipe.
//!
//! # References
//!
//! - [errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)
//! - [read(2)](https://man7.org/linux/man-pages/man2/read.2.html)
//! - [write(2)](https://man7.org/linux/man-pages/man2/write.2.html)
//! - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)

use std::io;

use rustix::io::Errno;

use crate::contract::{Failure, Outcome};

/// Makes a failure of an error. Nothing had gone before.
///
/// For `EPIPE`, std's kind is right. A socket whose peer has left data unread also answers
/// `ECONNRESET` to a write.
pub(super) fn failure(error: Errno) -> Failure {
    let error = io::Error::from(error);
    let kind = match Errno::from_io_error(&error) {
        Some(Errno::CONNRESET) => io::ErrorKind::BrokenPipe,
        _ => error.kind(),
    };
    Failure::Os { error, kind, transferred: Some(0) }
}

/// The outcome of a call that does not wait. `None`: the call would have to wait.
pub(super) fn outcome(result: Result<usize, Errno>) -> Option<Outcome> {
    if would_wait(&result) { None } else { Some(result.map_err(failure)) }
}

/// Whether the call would have to wait.
pub(super) fn would_wait(result: &Result<usize, Errno>) -> bool {
    *result == Err(Errno::AGAIN)
}

/// Whether a signal has interrupted a call, which has done nothing.
pub(super) fn is_interruption(error: Errno) -> bool {
    error == Errno::INTR
}

/// Makes a call until it is not interrupted. Not for a call with a time limit, which would begin
/// anew each time.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(error) if is_interruption(error) => {}
            result => return result,
        }
    }
}

/// The meaning of a read's answer.
pub(super) fn read(result: Result<usize, Errno>) -> Result<usize, Errno> {
    match result {
        // The peer closed with bytes from us unread. All it had sent was read before; now comes the
        // end of file.
        Err(Errno::CONNRESET) => Ok(0),
        result => result,
    }
}

/// Whether a write has raised `SIGPIPE`, if that was not prevented.
pub(super) fn raises_signal(result: &Result<usize, Errno>) -> bool {
    *result == Err(Errno::PIPE)
}

/// The meaning of a half-close's answer.
pub(super) fn shutdown(result: Result<(), Errno>) -> Result<(), Failure> {
    match result {
        // The peer is gone, and with it the end that would have seen the end of file.
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

/// Whether a socket has no peer, by the answer to the question for its name.
pub(super) fn has_no_peer<T>(name: &Result<T, Errno>) -> bool {
    matches!(name, Err(Errno::NOTCONN))
}

/// Whether a call was refused because of its flags, which a kernel or a file does not know.
#[cfg(target_os = "linux")]
pub(super) fn has_unknown_flags(result: &Result<usize, Errno>) -> bool {
    matches!(result, Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL))
}
