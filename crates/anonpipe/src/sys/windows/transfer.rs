//! Blocking reads and writes on a handle of mode `Blocking`.
//!
//! # References
//!
//! - [`ReadFile`](https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfile)
//! - [`WriteFile`]
//! - [`ReadFileScatter`]
//!
//! [`WriteFile`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-writefile
//! [`ReadFileScatter`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfilescatter

use std::io::{IoSlice, IoSliceMut};
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};

use super::answers;
use crate::channel::completion::Answer;
use crate::contract::{Half, Outcome};

/// Cuts a length to what the system takes at once. `Read` and `Write` may transfer less than they
/// were given.
pub(super) fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Pipes have no scattered reads, so only the first non-empty buffer is filled.
pub(crate) fn read(handle: BorrowedHandle<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    let Some(buffer) = buffers.iter_mut().find(|buffer| !buffer.is_empty()) else { return Ok(0) };
    loop {
        let mut count = 0;
        // SAFETY: the handle is synchronous, so the buffer is only used during the call; its length
        // is not exceeded.
        let done = unsafe {
            ReadFile(handle.as_raw_handle(), buffer.as_mut_ptr(), clamp(buffer.len()), &raw mut count, ptr::null_mut())
        };
        let code = if done == 0 { answers::last_code() } else { ERROR_SUCCESS };
        if let Answer::Done(outcome) = answers::transfer(Half::Read, code, count as usize, buffer.len()) {
            return outcome;
        }
    }
}

/// Pipes have no gathered writes, so only the first non-empty buffer is written.
pub(crate) fn write(handle: BorrowedHandle<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    let Some(buffer) = buffers.iter().find(|buffer| !buffer.is_empty()) else { return Ok(0) };
    let mut count = 0;
    // SAFETY: the handle is synchronous, so the buffer is only used during the call; its length is
    // not exceeded.
    let done = unsafe {
        WriteFile(handle.as_raw_handle(), buffer.as_ptr(), clamp(buffer.len()), &raw mut count, ptr::null_mut())
    };
    let code = if done == 0 { answers::last_code() } else { ERROR_SUCCESS };
    match answers::transfer(Half::Write, code, count as usize, buffer.len()) {
        Answer::Done(outcome) => outcome,
        Answer::NoResources(failure) => Err(failure),
        Answer::Pending | Answer::Empty => Ok(0),
    }
}

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
