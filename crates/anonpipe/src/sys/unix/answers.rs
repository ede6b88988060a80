//! What an answer of the system means for a pipe: the one table for it.

use std::io;

use rustix::io::Errno;

use crate::contract::{Failure, Outcome};

/// An error, as a failure. Nothing had gone before.
///
/// `EPIPE` has its kind in std; a socket whose peer has left data unread also answers `ECONNRESET`
/// to a write.
pub(super) fn failure(error: Errno) -> Failure {
    let error = io::Error::from(error);
    let kind = match Errno::from_io_error(&error) {
        Some(Errno::CONNRESET) => io::ErrorKind::BrokenPipe,
        _ => error.kind(),
    };
    Failure::Os { error, kind, transferred: Some(0) }
}

/// The outcome of a call that does not wait. `None`: it would have to.
pub(super) fn outcome(result: Result<usize, Errno>) -> Option<Outcome> {
    match result {
        Err(Errno::AGAIN) => None,
        result => Some(result.map_err(failure)),
    }
}

/// What a read means, unless it was interrupted: then it is `None`, and made again.
pub(super) fn read(result: Result<usize, Errno>) -> Option<Result<usize, Errno>> {
    match result {
        Err(Errno::INTR) => None,
        // The peer closed with bytes from us unread. What it had sent was read before this; now
        // comes the end of file.
        Err(Errno::CONNRESET) => Some(Ok(0)),
        result => Some(result),
    }
}

/// What half-closing means.
pub(super) fn shutdown(result: Result<(), Errno>) -> Result<(), Failure> {
    match result {
        // The peer is gone, and with it the end that would have seen the end of file.
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}
