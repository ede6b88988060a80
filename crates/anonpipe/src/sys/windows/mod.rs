//! Windows: npfs, with and without names, and one completion port.

mod binding;
mod channel;
mod driver;
mod event;
mod foreign;
mod named;
pub(crate) mod npfs;
mod nt;
mod probe;
mod security;
mod slot;
mod transfer;
mod wine;

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use crate::error::Failure;
use crate::windows::Creation;

pub(crate) use channel::Channel;
pub(crate) use driver::{Driver, with_signals_left_to_the_program};
pub(crate) use npfs::create;
pub(crate) use probe::probe;
pub(crate) use security::SecurityDescriptor;
pub(crate) use slot::Slot;
pub(crate) use transfer::{read, write};

pub(crate) type OwnedPipe = OwnedHandle;
pub(crate) type BorrowedPipe<'a> = BorrowedHandle<'a>;

/// What one call transfers at most: lengths have 32 bits, and std's slices panic beyond.
pub(crate) const MOST_AT_ONCE: usize = u32::MAX as usize;

/// What only Windows lets one choose about a pair.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlatformOptions {
    pub(crate) creation: Creation,
    pub(crate) sddl: Option<String>,
}

/// The process that made something. There is one: Windows does not fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process;

impl Process {
    pub(crate) fn current() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "on other systems it may be another one")]
    pub(crate) fn is_current(self) -> bool {
        true
    }
}

pub(crate) fn borrow(pipe: &OwnedPipe) -> BorrowedPipe<'_> {
    pipe.as_handle()
}

pub(crate) fn bytes_available(pipe: BorrowedPipe<'_>) -> io::Result<usize> {
    let mut available = 0;
    // SAFETY: an open handle; no data is asked for, and `available` is writable.
    let done = unsafe {
        PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, ptr::null_mut(), &raw mut available, ptr::null_mut())
    };
    if done != 0 {
        return Ok(available as usize);
    }
    let error = io::Error::last_os_error();
    // The end of file.
    if error.raw_os_error() == Some(ERROR_BROKEN_PIPE.cast_signed()) { Ok(0) } else { Err(error) }
}

pub(crate) fn shutdown_write(_: BorrowedPipe<'_>) -> Result<(), Failure> {
    Err(Failure::refused(
        io::ErrorKind::Unsupported,
        "the pipes of Windows have no half-close: close the whole end, or agree on an end of message with the peer",
    ))
}

/// A write to a pipe whose peer is gone fails with 232 if it is issued afterwards, with 109 if it was pending, and with 233
/// if the server disconnected.
pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    const BROKEN: [i32; 3] =
        [ERROR_BROKEN_PIPE.cast_signed(), ERROR_NO_DATA.cast_signed(), ERROR_PIPE_NOT_CONNECTED.cast_signed()];
    error.raw_os_error().is_some_and(|code| BROKEN.contains(&code))
}

/// A call that was cancelled: `CancelIoEx`, or `CancelSynchronousIo` on the thread that blocked in
/// it.
pub(crate) fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_OPERATION_ABORTED.cast_signed())
}
