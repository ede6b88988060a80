//! A child's standard handles: inheritable duplicates, which live until the child has its own.
//!
//! # References
//!
//! - [`DuplicateHandle`]
//! - [`GetStdHandle`]
//!
//! [`DuplicateHandle`]: https://learn.microsoft.com/en-us/windows/win32/api/handleapi/nf-handleapi-duplicatehandle
//! [`GetStdHandle`]: https://learn.microsoft.com/en-us/windows/win32/console/getstdhandle

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use crate::sys::ChildStdio;

/// The three, in the order of the system's numbers.
const NUMBERS: [STD_HANDLE; 3] = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];

/// Inheritable duplicates. Another thread's `CreateProcessW` without a list of handles inherits
/// them as well, if it comes while they are there; this cannot be prevented from here.
pub(super) struct Inheritable([Option<OwnedHandle>; 3]);

impl Inheritable {
    pub(super) fn new(stdio: [ChildStdio; 3]) -> io::Result<Self> {
        let [stdin, stdout, stderr] = stdio;
        Ok(Self([
            duplicate_of(stdin, NUMBERS[0])?,
            duplicate_of(stdout, NUMBERS[1])?,
            duplicate_of(stderr, NUMBERS[2])?,
        ]))
    }

    /// The handles for the child; null where this process has none.
    pub(super) fn raw(&self) -> [HANDLE; 3] {
        self.0.each_ref().map(|handle| handle.as_ref().map_or(ptr::null_mut(), AsRawHandle::as_raw_handle))
    }
}

fn duplicate_of(stdio: ChildStdio, number: STD_HANDLE) -> io::Result<Option<OwnedHandle>> {
    match stdio {
        ChildStdio::Inherit => {
            // SAFETY: takes a number.
            let own = unsafe { GetStdHandle(number) };
            if own.is_null() || own == INVALID_HANDLE_VALUE {
                return Ok(None);
            }
            // What is no handle any more is as good as none, as for std.
            Ok(inheritable(own).ok())
        }
        ChildStdio::Null => {
            let is_input = number == STD_INPUT_HANDLE;
            let null = File::options().read(is_input).write(!is_input).open(r"\\.\NUL")?;
            inheritable(null.as_raw_handle()).map(Some)
        }
        ChildStdio::Handle(handle) => inheritable(handle.as_raw_handle()).map(Some),
    }
}

fn inheritable(handle: HANDLE) -> io::Result<OwnedHandle> {
    let mut duplicate = ptr::null_mut();
    // SAFETY: always this process's own; not a handle that has to be closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: a handle that is open, or is refused; the result lives on this stack.
    let done = unsafe {
        DuplicateHandle(
            process,
            handle,
            process,
            &raw mut duplicate,
            0,
            /* bInheritHandle */ 1,
            DUPLICATE_SAME_ACCESS,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: new, and ours.
    Ok(unsafe { OwnedHandle::from_raw_handle(duplicate) })
}
