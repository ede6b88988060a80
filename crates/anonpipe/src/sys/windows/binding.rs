//! Which completion port a handle is bound to: none, ours, or somebody else's.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::sync::Arc;

use windows_sys::Wdk::Storage::FileSystem::{FileReplaceCompletionInformation, NtSetInformationFile};
use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
use windows_sys::Win32::Storage::FileSystem::SetFileCompletionNotificationModes;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::WindowsProgramming::{
    FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE,
};

use super::channel::Channel;
use super::driver::{Registration, bind};
use crate::driver::Lease;
use crate::error::Failure;

/// How the completions of submitted operations arrive.
#[derive(Default)]
pub(super) enum Binding {
    /// Nothing was submitted yet.
    #[default]
    None,
    /// Through our port.
    Ours {
        #[expect(dead_code, reason = "held for its drop, which takes the channel out of the driver's table")]
        registration: Registration,
        /// An operation that succeeds at once sends no packet.
        skips: bool,
    },
    /// Through an event for each operation: the handle was adopted, and is bound to a port that we know nothing of.
    Foreign,
}

/// What submitting an operation needs to know of the binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Port { skips: bool },
    Event,
}

impl Binding {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The route of an operation; binds the handle if nothing was submitted on it before.
    pub(super) fn route(
        &mut self,
        source: impl FnOnce() -> io::Result<Lease>,
        channel: &Arc<Channel>,
        handle: BorrowedHandle<'_>,
    ) -> io::Result<Route> {
        if let Self::None = self {
            *self = Self::bind(source()?, channel, handle)?;
        }
        Ok(match self {
            Self::Ours { skips, .. } => Route::Port { skips: *skips },
            Self::None | Self::Foreign => Route::Event,
        })
    }

    fn bind(lease: Lease, channel: &Arc<Channel>, handle: BorrowedHandle<'_>) -> io::Result<Self> {
        let registration = match bind(lease, channel, handle) {
            Ok(registration) => registration,
            // The answer for a file object that has a port already.
            Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed()) => {
                return Ok(Self::Foreign);
            }
            Err(error) => return Err(error),
        };
        // The constants fit: they are 1 and 2.
        let modes = u8::try_from(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE).unwrap_or(0);
        // SAFETY: an open handle is all it needs.
        let skips = unsafe { SetFileCompletionNotificationModes(handle.as_raw_handle(), modes) } != 0;
        Ok(Self::Ours { registration, skips })
    }

    /// Unbinds the handle, so that its next owner can use it with a port of his own.
    pub(super) fn release(&mut self, handle: BorrowedHandle<'_>) -> Result<(), Failure> {
        if let Self::Ours { .. } = self {
            replace_with_none(handle).map_err(|error| {
                let why = format!(
                    "it is bound to this process's completion port since its first submitted operation, and this system \
                     cannot undo that ({error}); convert an end before its first submission"
                );
                Failure::refused(io::ErrorKind::Unsupported, why)
            })?;
        }
        *self = Self::None;
        Ok(())
    }
}

/// `FILE_COMPLETION_INFORMATION`. Zeros unbind (Windows 8.1 and later; *documented*, ntifs.h).
#[repr(C)]
struct Completion {
    port: *mut std::ffi::c_void,
    key: *mut std::ffi::c_void,
}

fn replace_with_none(handle: BorrowedHandle<'_>) -> io::Result<()> {
    let none = Completion { port: ptr::null_mut(), key: ptr::null_mut() };
    let mut block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of_val(&none)).unwrap_or(0);
    // SAFETY: the struct of this class, on this stack, with its size; the call is synchronous.
    let status = unsafe {
        NtSetInformationFile(
            handle.as_raw_handle(),
            &raw mut block,
            ptr::from_ref(&none).cast(),
            size,
            FileReplaceCompletionInformation,
        )
    };
    if status < 0 { Err(super::nt::Status(status).into()) } else { Ok(()) }
}
