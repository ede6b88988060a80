//! How an end does its I/O, as a type.

use crate::contract::IoMode;
use crate::end::{BlockingEnd, OverlappedEnd};

/// The mode for ends that this program keeps: many operations may be in flight at once, and none
/// blocks a thread.
///
/// On Windows the handle is opened for overlapped I/O (no `FILE_SYNCHRONOUS_IO_*` option); on Unix
/// the descriptor is non-blocking. A type without values: it only appears as a parameter, as in
/// [`Reader<Overlapped>`](crate::Reader).
///
/// # References
///
/// - [open(2)](https://man7.org/linux/man-pages/man2/open.2.html)
/// - [Synchronous and Asynchronous I/O]
/// - [`NtCreateFile`]
///
/// [Synchronous and Asynchronous I/O]: https://learn.microsoft.com/en-us/windows/win32/fileio/synchronous-and-asynchronous-i-o
/// [`NtCreateFile`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntcreatefile
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlapped {}

/// The mode for ends that other programs get: what they expect of their standard handles.
///
/// On Windows the handle is opened with `FILE_SYNCHRONOUS_IO_NONALERT`; on Unix the descriptor
/// blocks. A type without values: it only appears as a parameter, as in
/// [`Writer<Blocking>`](crate::Writer).
///
/// # References
///
/// - [open(2)](https://man7.org/linux/man-pages/man2/open.2.html)
/// - [Synchronous and Asynchronous I/O]
/// - [`NtCreateFile`]
///
/// [Synchronous and Asynchronous I/O]: https://learn.microsoft.com/en-us/windows/win32/fileio/synchronous-and-asynchronous-i-o
/// [`NtCreateFile`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntcreatefile
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocking {}

/// The two modes an end can have: [`Overlapped`] and [`Blocking`]. Sealed.
pub trait Mode: sealed::Mode {}

impl Mode for Overlapped {}
impl Mode for Blocking {}

impl sealed::Mode for Overlapped {
    const MODE: IoMode = IoMode::Overlapped;
    type End = OverlappedEnd;
}

impl sealed::Mode for Blocking {
    const MODE: IoMode = IoMode::Blocking;
    type End = BlockingEnd;
}

pub(crate) mod sealed {
    pub trait Mode: Sized + 'static {
        const MODE: crate::contract::IoMode;
        type End: crate::end::EndImpl;
    }
}
