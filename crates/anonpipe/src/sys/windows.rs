//! Windows: npfs pipes, with and without names, and a completion port.
//!
//! # References
//!
//! - [`CreatePipe`]
//! - [`PeekNamedPipe`]
//!
//! [`CreatePipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createpipe
//! [`PeekNamedPipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-peeknamedpipe

mod answers;
mod event;
mod event_wait;
mod issuer;
mod npfs;
mod nt;
mod port;
mod probe;
pub(crate) mod process;
mod security;
mod slot;
mod transfer;
mod wine;

use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::{io, ptr};

use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use crate::contract::Failure;

pub(crate) use issuer::Issuer;
pub use npfs::Creation;
pub(crate) use npfs::{Plan, create, create_as};
pub(crate) use port::Port as Poller;
pub(crate) use probe::probe;
pub(crate) use security::SecurityDescriptor;
pub(crate) use slot::Slot;
use transfer::clamp;
pub(crate) use transfer::{read, write};
#[cfg(test)]
pub(crate) use wine::is_wine;

pub(crate) type OwnedPipe = OwnedHandle;
pub(crate) type BorrowedPipe<'a> = BorrowedHandle<'a>;

/// The most bytes that one call transfers: lengths have 32 bits, and std's slices panic beyond
/// that.
pub(crate) const MAX_TRANSFER: usize = u32::MAX as usize;

/// The most bytes that one read asks for. The system looks at every page of a read's buffer
/// (*documented*, ProbeForWrite), so a buffer of gigabytes would take as much memory, for the few
/// bytes that are in a pipe.
const MAX_READ: usize = 64 << 20;

/// The most bytes of a write that go at once: npfs copies them to non-paged pool, of which there
/// may be too little (*documented*, KB Q105531).
const MAX_PIECE: usize = 1 << 20;

/// The fewest bytes to which a piece of a write is halved when the pool is short: a page.
const MIN_PIECE: usize = 4096;

/// The options of a pair that only Windows has.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlatformOptions {
    pub(crate) creation: Creation,
    pub(crate) sddl: Option<String>,
}

/// The process that made something. There is only one: Windows does not fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process;

impl crate::contract::Process for Process {
    fn current() -> Self {
        Self
    }

    fn is_current(self) -> bool {
        true
    }
}

/// There are no signals on Windows.
pub(crate) fn with_signals_left_to_the_program<T>(spawn: impl FnOnce() -> T) -> T {
    spawn()
}

pub(crate) fn borrow(pipe: &OwnedPipe) -> BorrowedPipe<'_> {
    pipe.as_handle()
}

pub(crate) fn bytes_available(pipe: BorrowedPipe<'_>) -> Result<usize, Failure> {
    let mut available = 0;
    // SAFETY: an open handle; no data is asked for, and `available` is writable.
    let done = unsafe {
        PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, ptr::null_mut(), &raw mut available, ptr::null_mut())
    };
    if done != 0 {
        return Ok(available as usize);
    }
    answers::available(answers::last_code())
}

pub(crate) fn shutdown_write(_: BorrowedPipe<'_>) -> Result<(), Failure> {
    Err(Failure::refused(
        io::ErrorKind::Unsupported,
        "the pipes of Windows have no half-close: close the whole end, or agree on an end of message with the peer",
    ))
}
