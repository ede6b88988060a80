//! The table of what the system's answers mean for a pipe, in Win32's codes.
//!
//! # References
//!
//! - [System Error Codes](https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes)
//! - [Named Pipe Type, Read, and Wait Modes]
//! - [`DisconnectNamedPipe`]
//!
//! [Named Pipe Type, Read, and Wait Modes]: https://learn.microsoft.com/en-us/windows/win32/ipc/named-pipe-type-read-and-wait-modes
//! [`DisconnectNamedPipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_INVALID_PARAMETER, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA,
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NO_TOKEN, ERROR_NOT_FOUND, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED,
    ERROR_SUCCESS, GetLastError, NTSTATUS, RtlNtStatusToDosError, STATUS_ACCESS_DENIED, STATUS_INSTANCE_NOT_AVAILABLE,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_INVALID,
    STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PIPE_NOT_AVAILABLE, STATUS_SUCCESS,
};

use crate::channel::completion::Answer;
use crate::contract::{Failure, Half, Outcome};

/// The states of a pipe in `FILE_PIPE_LOCAL_INFORMATION` (*documented*, ntifs.h).
const FILE_PIPE_DISCONNECTED_STATE: u32 = 1;
const FILE_PIPE_CLOSING_STATE: u32 = 4;

/// The Win32 code for a status.
pub(super) fn code_of(status: NTSTATUS) -> u32 {
    if status == STATUS_SUCCESS {
        return ERROR_SUCCESS;
    }
    // SAFETY: a pure translation; any value is allowed.
    unsafe { RtlNtStatusToDosError(status) }
}

/// The error code of this thread's last call.
pub(super) fn last_code() -> u32 {
    // SAFETY: takes nothing, and cannot fail.
    unsafe { GetLastError() }
}

/// Makes a failure of an error code; `transferred` bytes had gone.
///
/// If the peer is gone, a write that is issued afterwards fails with 232, and one that was pending
/// with 109. If the server disconnected, a write fails with 233. A call is cancelled by
/// `CancelIoEx`, or by `CancelSynchronousIo` on the thread that blocks in it; std takes the code of
/// both for a timeout.
pub(super) fn failure(code: u32, transferred: Option<usize>) -> Failure {
    let error = io::Error::from_raw_os_error(code.cast_signed());
    match code {
        ERROR_OPERATION_ABORTED => Failure::Cancelled { transferred },
        ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => {
            Failure::Os { error, kind: io::ErrorKind::BrokenPipe, transferred }
        }
        _ => Failure::os(error, transferred),
    }
}

/// The failure of this thread's last call, which was not a read or write: nothing has gone.
pub(super) fn last_failure() -> Failure {
    failure(last_code(), Some(0))
}

/// As [`failure`], for an error that another library or this crate made.
pub(super) fn failure_of(error: io::Error) -> Failure {
    match error.raw_os_error() {
        Some(code) => failure(code.cast_unsigned(), Some(0)),
        None => error.into(),
    }
}

/// The meaning of the code of a read or write of `length` bytes; `count` bytes went.
pub(super) fn transfer(half: Half, code: u32, count: usize, length: usize) -> Answer {
    Answer::Done(match (half, code) {
        // An empty read asks whether there is something. On a pipe for messages it may have taken
        // an empty message; then its caller finds nothing, and asks again.
        (Half::Read, ERROR_SUCCESS | ERROR_MORE_DATA) if length == 0 => Ok(1),
        // Success with 0 bytes is an empty message; the end of file is an error.
        (Half::Read, ERROR_SUCCESS) if count == 0 => return Answer::Empty,
        // A message longer than the buffer: the rest comes with the next read.
        (_, ERROR_SUCCESS) | (Half::Read, ERROR_MORE_DATA) => Ok(count),
        (Half::Read, ERROR_BROKEN_PIPE) => Ok(0),
        (Half::Read, code) => Err(failure(code, Some(0))),
        // npfs copies a write to non-paged pool, and there is too little of it.
        (Half::Write, ERROR_NO_SYSTEM_RESOURCES) => return Answer::NoResources(failure(code, None)),
        // npfs says 0 bytes even if the peer has taken some.
        (Half::Write, code) => Err(failure(code, None)),
    })
}

/// As [`transfer`], for an operation that was refused when it was issued: nothing has gone.
pub(super) fn refused(half: Half, code: u32, count: usize, length: usize) -> Answer {
    match transfer(half, code, count, length) {
        Answer::Done(Err(failure)) => Answer::Done(Err(failure.after(0))),
        Answer::NoResources(failure) => Answer::NoResources(failure.after(0)),
        answer => answer,
    }
}

/// Whether a read or write that did not succeed at once is with the kernel.
pub(super) fn is_pending(code: u32) -> bool {
    code == ERROR_IO_PENDING
}

/// Whether the kernel had the operation whose cancellation was refused.
pub(super) fn had_operation(code: u32) -> bool {
    code != ERROR_NOT_FOUND
}

/// Whether a handle was not bound because its file object has a port already.
pub(super) fn is_bound_elsewhere(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed())
}

/// How many bytes are available where that cannot be asked.
pub(super) fn available(code: u32) -> Result<usize, Failure> {
    match code {
        // The end of file.
        ERROR_BROKEN_PIPE => Ok(0),
        code => Err(failure(code, Some(0))),
    }
}

/// How a write would fail in this state of the pipe. `None`: it would not, or that is unknown.
pub(super) fn refusal_in_state(state: u32) -> Option<Failure> {
    match state {
        FILE_PIPE_CLOSING_STATE => Some(failure(ERROR_NO_DATA, Some(0))),
        FILE_PIPE_DISCONNECTED_STATE => Some(failure(ERROR_PIPE_NOT_CONNECTED, Some(0))),
        _ => None,
    }
}

/// What the refusal of an unnamed pair means for a named one.
pub(super) enum Refusal {
    /// The system has no unnamed pipes, and will not have them while this process runs.
    ForGood,
    /// The system could not make this pair. The answer may come from something between us and npfs
    /// (a filter, a hook), which may be gone the next time.
    ThisTime,
    /// A named pair would fail as well: no memory, no handles, no access, or an unknown status.
    Other,
}

/// What the status of an unnamed pair that was not made means.
pub(super) fn refusal(status: NTSTATUS) -> Refusal {
    match status {
        STATUS_NOT_IMPLEMENTED | STATUS_NOT_SUPPORTED | STATUS_OBJECT_NAME_INVALID => Refusal::ForGood,
        STATUS_INVALID_DEVICE_REQUEST
        | STATUS_INVALID_PARAMETER
        | STATUS_OBJECT_NAME_NOT_FOUND
        | STATUS_OBJECT_PATH_INVALID
        | STATUS_OBJECT_PATH_NOT_FOUND
        | STATUS_OBJECT_PATH_SYNTAX_BAD
        | STATUS_OBJECT_TYPE_MISMATCH => Refusal::ThisTime,
        _ => Refusal::Other,
    }
}

/// Whether the name of a pair is taken, or another process was quicker to connect. A name that
/// exists is refused with a collision or, by npfs's check of `FILE_CREATE`, with "access denied".
pub(super) fn is_contested(status: NTSTATUS) -> bool {
    matches!(
        status,
        STATUS_OBJECT_NAME_COLLISION | STATUS_ACCESS_DENIED | STATUS_PIPE_NOT_AVAILABLE | STATUS_INSTANCE_NOT_AVAILABLE
    )
}

/// Whether the calling thread impersonates no user.
pub(super) fn has_no_token(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_NO_TOKEN.cast_signed())
}

/// The outcome of an operation on `length` bytes of which only the code in its packet is known; see
/// [`wine`](super::wine).
pub(super) fn of_packet(half: Half, code: u32, length: usize) -> Outcome {
    match transfer(half, code, length, length) {
        Answer::Done(Ok(_)) if half == Half::Read && code == ERROR_SUCCESS && length > 0 => {
            Err(Failure::os(io::Error::other(BYTES_LOST), None))
        }
        // A successful write is never partial.
        Answer::Done(outcome) => outcome,
        Answer::NoResources(failure) => Err(failure),
        Answer::Pending | Answer::Empty => Ok(0),
    }
}

const BYTES_LOST: &str =
    "the bytes it took are lost: under Wine a thread that submits reads must not end while one of them completes";

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Foundation::{
        STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_PIPE_BROKEN,
        STATUS_PIPE_CLOSING, STATUS_PIPE_DISCONNECTED,
    };

    use super::*;

    /// The table uses Win32's codes, so the system must translate its statuses as the table
    /// expects.
    #[test]
    fn statuses_have_the_codes_of_the_table() {
        let pairs = [
            (STATUS_SUCCESS, ERROR_SUCCESS),
            (STATUS_BUFFER_OVERFLOW, ERROR_MORE_DATA),
            (STATUS_PIPE_BROKEN, ERROR_BROKEN_PIPE),
            (STATUS_PIPE_CLOSING, ERROR_NO_DATA),
            (STATUS_PIPE_DISCONNECTED, ERROR_PIPE_NOT_CONNECTED),
            (STATUS_CANCELLED, ERROR_OPERATION_ABORTED),
            (STATUS_INSUFFICIENT_RESOURCES, ERROR_NO_SYSTEM_RESOURCES),
        ];
        for (status, code) in pairs {
            assert_eq!(code_of(status), code, "{status:#x}");
        }
    }

    fn text(answer: Answer) -> String {
        match answer {
            Answer::Pending => "pending".into(),
            Answer::Empty => "empty".into(),
            Answer::NoResources(failure) => format!("no resources, {}", text(Answer::Done(Err(failure)))),
            Answer::Done(Ok(count)) => count.to_string(),
            Answer::Done(Err(Failure::Os { kind, transferred, .. })) => format!("{kind:?} {transferred:?}"),
            Answer::Done(Err(Failure::Cancelled { transferred })) => format!("cancelled {transferred:?}"),
            Answer::Done(Err(failure)) => format!("{failure:?}"),
        }
    }

    #[test]
    fn every_answer() {
        let answers =
            |code, count, length| [Half::Read, Half::Write].map(|half| text(transfer(half, code, count, length)));
        assert_eq!(answers(ERROR_SUCCESS, 5, 8), ["5", "5"]);
        assert_eq!(answers(ERROR_SUCCESS, 0, 8)[0], "empty");
        assert_eq!(answers(ERROR_SUCCESS, 0, 0)[0], "1");
        assert_eq!(answers(ERROR_MORE_DATA, 8, 8)[0], "8");
        assert_eq!(answers(ERROR_BROKEN_PIPE, 0, 8), ["0", "BrokenPipe None"]);
        assert_eq!(answers(ERROR_NO_DATA, 0, 8)[1], "BrokenPipe None");
        assert_eq!(answers(ERROR_PIPE_NOT_CONNECTED, 0, 8), ["BrokenPipe Some(0)", "BrokenPipe None"]);
        assert_eq!(answers(ERROR_OPERATION_ABORTED, 0, 8), ["cancelled Some(0)", "cancelled None"]);
        assert_eq!(text(refused(Half::Write, ERROR_NO_DATA, 0, 8)), "BrokenPipe Some(0)");
        let [read, write] = answers(ERROR_NO_SYSTEM_RESOURCES, 0, 8);
        assert!(read.ends_with(" Some(0)") && !read.starts_with("no resources"), "{read}");
        assert!(write.starts_with("no resources") && write.ends_with(" None"), "{write}");
        let write = text(refused(Half::Write, ERROR_NO_SYSTEM_RESOURCES, 0, 8));
        assert!(write.starts_with("no resources") && write.ends_with(" Some(0)"), "{write}");
        assert_eq!(text(refused(Half::Read, ERROR_MORE_DATA, 8, 8)), "8", "a part of a message is no end of file");
        assert_eq!(of_packet(Half::Write, ERROR_SUCCESS, 8).unwrap(), 8);
        assert_eq!(of_packet(Half::Read, ERROR_SUCCESS, 0).unwrap(), 1);
        assert_eq!(of_packet(Half::Read, ERROR_BROKEN_PIPE, 8).unwrap(), 0);
        assert!(of_packet(Half::Read, ERROR_SUCCESS, 8).is_err(), "its bytes are lost");
    }
}
