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
    match result {
        Err(Errno::AGAIN) => None,
        result => Some(result.map_err(failure)),
    }
}

/// The meaning of a read's answer. `None`: the read was interrupted, and has to be made again.
pub(super) fn read(result: Result<usize, Errno>) -> Option<Result<usize, Errno>> {
    match result {
        Err(Errno::INTR) => None,
        // The peer closed with bytes from us unread. All it had sent was read before; now comes the
        // end of file.
        Err(Errno::CONNRESET) => Some(Ok(0)),
        result => Some(result),
    }
}

/// The meaning of a half-close's answer.
pub(super) fn shutdown(result: Result<(), Errno>) -> Result<(), Failure> {
    match result {
        // The peer is gone, and with it the end that would have seen the end of file.
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}
