//! Which completion port a handle is bound to: ours, or none that we know of.
//!
//! The binding, and the modes that go with it, belong to the *file object*, which all owners of a
//! handle to it share. So only an end that is ours alone is bound, and it is not handed on
//! afterwards unless the caller insists.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::sync::Arc;

use windows_sys::Wdk::Storage::FileSystem::{FileReplaceCompletionInformation, NtSetInformationFile};
use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
use windows_sys::Win32::Storage::FileSystem::SetFileCompletionNotificationModes;
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, OVERLAPPED};
use windows_sys::Win32::System::WindowsProgramming::FILE_SKIP_COMPLETION_PORT_ON_SUCCESS;

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
    Port {
        registration: Registration,
        /// An operation that succeeds at once sends no packet.
        skips: bool,
    },
    /// Through an event for each operation: others may have the handle, or it is bound to a port
    /// that we know nothing of.
    Events,
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

    /// The route of an operation; if nothing was submitted before, that is decided now.
    pub(super) fn route(
        &mut self,
        exclusive: bool,
        source: impl FnOnce() -> io::Result<Lease>,
        channel: &Arc<Channel>,
        handle: BorrowedHandle<'_>,
    ) -> io::Result<Route> {
        if let Self::None = self {
            *self = if exclusive { Self::bind(source()?, channel, handle)? } else { Self::Events };
        }
        Ok(self.settled())
    }

    /// The route of operations, once one was submitted.
    pub(super) fn settled(&self) -> Route {
        match self {
            Self::Port { skips, .. } => Route::Port { skips: *skips },
            Self::None | Self::Events => Route::Event,
        }
    }

    /// Has the driver look at an operation, as if it were complete.
    pub(super) fn post(&self, overlapped: *mut OVERLAPPED) -> io::Result<()> {
        match self {
            Self::Port { registration, .. } => registration.post(overlapped),
            Self::None | Self::Events => Ok(()),
        }
    }

    fn bind(lease: Lease, channel: &Arc<Channel>, handle: BorrowedHandle<'_>) -> io::Result<Self> {
        let registration = match bind(lease, channel, handle) {
            Ok(registration) => registration,
            // The answer for a file object that has a port already.
            Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed()) => {
                return Ok(Self::Events);
            }
            Err(error) => return Err(error),
        };
        // Never FILE_SKIP_SET_EVENT_ON_HANDLE: it cannot be taken back, and another owner of the
        // handle who waits for the file object, as ReadFile and WriteFile do without an OVERLAPPED,
        // would wait for ever (golang/go#80979).
        let modes = u8::try_from(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS).unwrap_or(0);
        // SAFETY: an open handle is all it needs.
        let skips = unsafe { SetFileCompletionNotificationModes(handle.as_raw_handle(), modes) } != 0;
        Ok(Self::Port { registration, skips })
    }

    /// Whether the handle may go to another owner as it is.
    pub(super) fn check_unbound(&self) -> Result<(), Failure> {
        match self {
            Self::None | Self::Events => Ok(()),
            Self::Port { .. } => Err(Failure::refused(
                io::ErrorKind::Unsupported,
                "since the first operation that was submitted or polled, it is bound to a completion port of this process, \
                 which the handle's next owner would share: convert an end before that, or with into_handle_still_bound",
            )),
        }
    }

    /// Lets go of the handle's packets. Unbinds it where the system can do that.
    pub(super) fn let_go(&mut self, handle: BorrowedHandle<'_>) {
        if let Self::Port { .. } = self {
            replace_with_none(handle);
        }
        *self = Self::None;
    }
}

/// `FILE_COMPLETION_INFORMATION`. Zeros unbind (Windows 8.1 and later; *documented*, ntifs.h).
#[repr(C)]
struct Completion {
    port: *mut std::ffi::c_void,
    key: *mut std::ffi::c_void,
}

/// A system that cannot leaves things as they are: Wine 8.0 says that this is not implemented
/// (*observed*).
fn replace_with_none(handle: BorrowedHandle<'_>) {
    let none = Completion { port: ptr::null_mut(), key: ptr::null_mut() };
    let mut block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of_val(&none)).unwrap_or(0);
    // SAFETY: the struct of this class, on this stack, with its size; the call is synchronous.
    unsafe {
        NtSetInformationFile(
            handle.as_raw_handle(),
            &raw mut block,
            ptr::from_ref(&none).cast(),
            size,
            FileReplaceCompletionInformation,
        )
    };
}
