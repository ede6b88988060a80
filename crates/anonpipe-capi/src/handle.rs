//! The system's handles.

#[cfg(unix)]
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
#[cfg(windows)]
use std::os::windows::io::{FromRawHandle, IntoRawHandle, OwnedHandle};

#[cfg(windows)]
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;

use crate::result::Failed;

/// The system's own handle to an end of a pipe: a HANDLE. It is yours: close it with CloseHandle.
#[cfg(windows)]
pub type anonpipe_handle = *mut std::ffi::c_void;

/// The system's own handle to an end of a pipe: a descriptor. It is yours: close it with close.
#[cfg(not(windows))]
pub type anonpipe_handle = std::ffi::c_int;

#[cfg(windows)]
pub(crate) type OwnedPipe = OwnedHandle;
#[cfg(not(windows))]
pub(crate) type OwnedPipe = OwnedFd;

/// Takes an owned handle apart: C closes it.
pub(crate) fn into_raw(pipe: OwnedPipe) -> anonpipe_handle {
    #[cfg(windows)]
    return pipe.into_raw_handle();
    #[cfg(not(windows))]
    pipe.into_raw_fd()
}

/// Refuses what cannot be a handle.
pub(crate) fn check(handle: anonpipe_handle) -> Result<(), Failed> {
    #[cfg(windows)]
    let possible = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
    #[cfg(not(windows))]
    let possible = handle >= 0;
    if possible { Ok(()) } else { Err(Failed::invalid("this is no handle")) }
}

/// Takes a handle over from C.
///
/// # Safety
///
/// It passed `check`, and belongs to the caller, who gives it away.
pub(crate) unsafe fn from_raw(handle: anonpipe_handle) -> OwnedPipe {
    #[cfg(windows)]
    // SAFETY: the caller gives it away.
    return unsafe { OwnedPipe::from_raw_handle(handle) };
    #[cfg(not(windows))]
    // SAFETY: the caller gives it away; it is not -1, says the check.
    unsafe {
        OwnedPipe::from_raw_fd(handle)
    }
}

/// Keeps the library in the process when it is unloaded: a thread of ours may be running in it.
/// Elsewhere than on Windows that was said when it was linked.
pub(crate) fn stay_loaded() {
    #[cfg(windows)]
    {
        use std::sync::Once;

        use windows_sys::Win32::System::LibraryLoader::{
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
        };

        static PINNED: Once = Once::new();
        PINNED.call_once(|| {
            let mut module = std::ptr::null_mut();
            let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
            // SAFETY: an address inside this library, and a place for the answer. A refusal leaves
            // things as they are.
            unsafe { GetModuleHandleExW(flags, (&raw const PINNED).cast(), &raw mut module) };
        });
    }
}
