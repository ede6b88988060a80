//! Single reads and writes, with the contract's answers.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_OPERATION_ABORTED, NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_PIPE_BROKEN,
    STATUS_SUCCESS,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};

use super::nt::Status;
use crate::error::Failure;
use crate::op::{Flow, Outcome};

/// What the system takes at once. `Read` and `Write` may transfer less than they were given.
pub(super) fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Pipes have no scattered reads: the first buffer that holds anything.
pub(super) fn first_mut<'a>(buffers: &'a mut [IoSliceMut<'_>]) -> &'a mut [u8] {
    buffers.iter_mut().find(|buffer| !buffer.is_empty()).map_or(&mut [], |buffer| &mut **buffer)
}

/// Pipes have no gathered writes: the first buffer that holds anything.
pub(super) fn first<'a>(buffers: &'a [IoSlice<'_>]) -> &'a [u8] {
    buffers.iter().find(|buffer| !buffer.is_empty()).map_or(&[], |buffer| &**buffer)
}

/// Blocking read on an end of mode `Blocking`.
pub(crate) fn read(handle: BorrowedHandle<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    let buffer = first_mut(buffers);
    if buffer.is_empty() {
        return Ok(0);
    }
    loop {
        let mut count = 0;
        // SAFETY: the handle is synchronous, so the buffer is only used during the call; its length is not exceeded.
        let done = unsafe {
            ReadFile(handle.as_raw_handle(), buffer.as_mut_ptr(), clamp(buffer.len()), &raw mut count, ptr::null_mut())
        };
        if done == 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(code) if code == ERROR_BROKEN_PIPE.cast_signed() => Ok(0),
                _ => Err(Failure::Os { error, transferred: Some(0) }),
            };
        }
        // Nothing, successfully, is an empty message; the end of file is an error.
        if count > 0 {
            return Ok(count as usize);
        }
    }
}

/// Blocking write on an end of mode `Blocking`.
pub(crate) fn write(handle: BorrowedHandle<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    let buffer = first(buffers);
    if buffer.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    // SAFETY: the handle is synchronous, so the buffer is only used during the call; its length is not exceeded.
    let done = unsafe {
        WriteFile(handle.as_raw_handle(), buffer.as_ptr(), clamp(buffer.len()), &raw mut count, ptr::null_mut())
    };
    if done == 0 {
        return Err(Failure::Os { error: io::Error::last_os_error(), transferred: None });
    }
    Ok(count as usize)
}

/// What the system's answer to an overlapped operation on `length` bytes means. `None`: it read an empty message, so it has
/// to go on.
pub(super) fn outcome(flow: Flow, status: NTSTATUS, count: usize, length: usize) -> Option<Outcome> {
    Some(match (flow, status) {
        // A read of nothing asks whether there is something. On a pipe for messages it may have taken an empty one; then
        // whoever asked finds nothing, and asks again.
        (Flow::Read, STATUS_SUCCESS | STATUS_BUFFER_OVERFLOW) if length == 0 => Ok(1),
        (Flow::Read, STATUS_SUCCESS) if count == 0 => return None,
        // A message longer than the buffer: the rest comes with the next read.
        (_, STATUS_SUCCESS) | (Flow::Read, STATUS_BUFFER_OVERFLOW) => Ok(count),
        (Flow::Read, STATUS_PIPE_BROKEN) => Ok(0),
        (Flow::Read, STATUS_CANCELLED) => Err(Failure::Cancelled { transferred: Some(0) }),
        // npfs says 0 bytes even if the peer has taken some.
        (Flow::Write, STATUS_CANCELLED) => Err(Failure::Cancelled { transferred: None }),
        (flow, status) => {
            Err(Failure::Os { error: Status(status).into(), transferred: (flow == Flow::Read).then_some(0) })
        }
    })
}

/// What a packet says of the operation that it is about: that it succeeded, or the error code.
pub(super) type Said = Result<(), u32>;

/// The outcome of an operation on `length` bytes of which nothing but its packet is known, see
/// [`wine`](super::wine).
pub(super) fn outcome_of_packet(flow: Flow, said: Said, length: usize) -> Outcome {
    match (flow, said) {
        // Success is never partial.
        (Flow::Write, Ok(())) => Ok(length),
        // It was to take nothing, and took nothing.
        (Flow::Read, Ok(())) if length == 0 => Ok(1),
        (Flow::Read, Ok(())) => Err(Failure::Os { error: io::Error::other(BYTES_LOST), transferred: None }),
        (Flow::Read, Err(ERROR_BROKEN_PIPE)) => Ok(0),
        (Flow::Read, Err(ERROR_OPERATION_ABORTED)) => Err(Failure::Cancelled { transferred: Some(0) }),
        (Flow::Write, Err(ERROR_OPERATION_ABORTED)) => Err(Failure::Cancelled { transferred: None }),
        (flow, Err(code)) => {
            let error = io::Error::from_raw_os_error(code.cast_signed());
            Err(Failure::Os { error, transferred: (flow == Flow::Read).then_some(0) })
        }
    }
}

const BYTES_LOST: &str =
    "the bytes it took are lost: under Wine a thread that submits reads must not end while one of them completes";

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::clamp;

    #[test]
    fn a_length_beyond_4_gib_is_the_most_there_is() {
        let most = u32::MAX as usize;
        assert_eq!([0, 5, most].map(clamp), [0, 5, u32::MAX]);
        assert_eq!([most + 1, most + 4, usize::MAX].map(clamp), [u32::MAX; 3]);
    }
}
