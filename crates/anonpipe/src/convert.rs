//! Conversions between ends and the system's handles, and into a child's [`Stdio`].
//!
//! Blocking ends convert freely. Overlapped ends convert with `TryFrom`: they refuse while
//! operations are in flight or clones are alive, and on Windows once they are bound to a port. They
//! do not convert into `Stdio` by accident, because most programs cannot use an overlapped handle.

use std::io;
use std::process::Stdio;

use crate::contract::{Action, ConversionError, Failure, IoMode};
use crate::end::{Access, EndImpl, adopt};
use crate::sys::OwnedPipe;
use crate::{Blocking, Duplex, Overlapped, Reader, Writer};

/// An end that was made elsewhere, in the mode that it turned out to have.
///
/// On Windows the mode is a property of the handle that cannot be changed. On Unix it is
/// `O_NONBLOCK`, which belongs to the open file description, and so to every process that shares
/// it. So adopting an end never changes its mode.
///
/// # References
///
/// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
/// - [`FILE_MODE_INFORMATION`]
///
/// [`FILE_MODE_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_mode_information
#[derive(Debug)]
pub enum Adopted<O, B> {
    /// Opened for overlapped I/O; non-blocking on Unix.
    Overlapped(O),
    /// Synchronous; blocking on Unix.
    Blocking(B),
}

const WRONG_MODE_FOR_OVERLAPPED: &str =
    "it is synchronous, which cannot be changed: adopt it as a blocking end (on Unix, set O_NONBLOCK first)";
const WRONG_MODE_FOR_BLOCKING: &str = "it is overlapped (on Unix: O_NONBLOCK is set): adopt it as an overlapped end";

fn wrong_mode(pipe: OwnedPipe, why: &str) -> ConversionError<OwnedPipe> {
    let error = Failure::refused(io::ErrorKind::InvalidInput, why).into_io(Action::Adopt, None);
    ConversionError::new(error, pipe)
}

macro_rules! conversions {
    ($end:ident, $access:expr) => {
        impl $end<Overlapped> {
            /// Wraps a handle that was made elsewhere and may have other owners; says which mode it
            /// has.
            ///
            /// The handle must be an end of a connected byte pipe (Windows), or a pipe, FIFO or
            /// Unix stream socket (Unix), and allow what this type does. Adopting changes nothing
            /// that the other owners would notice. On Windows, a handle without other owners is
            /// faster with [`adopt_exclusive`](Self::adopt_exclusive).
            ///
            /// A pipe that was made for messages is read as bytes. Empty messages are skipped; of
            /// several reads in flight, the one that meets an empty message goes to the back of the
            /// queue.
            ///
            /// # Blocking
            ///
            /// On Windows, asking a synchronous handle for its mode waits while another owner is
            /// blocked in a read or write of the same handle.
            ///
            /// # Platform notes
            ///
            /// On Windows a completion port and the modes of notification belong to the file
            /// object, which all handles to this end share, in other processes too. So the handle
            /// is not bound to a port of this crate, and may be bound to another. Each submitted
            /// operation has an event; this crate's own thread, which never ends, issues the
            /// operation, and the system's thread pool waits for it. Blocking reads and writes, and
            /// those with a timeout, are as fast as ever.
            ///
            /// # Errors
            ///
            /// The handle comes back, with the reason why it cannot be adopted.
            ///
            /// # References
            ///
            /// - [`CreateIoCompletionPort`]
            /// - [`SetFileCompletionNotificationModes`]
            /// - [Named Pipe Type, Read, and Wait Modes]
            /// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
            ///
            /// [`CreateIoCompletionPort`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-createiocompletionport
            /// [`SetFileCompletionNotificationModes`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-setfilecompletionnotificationmodes
            /// [Named Pipe Type, Read, and Wait Modes]: https://learn.microsoft.com/en-us/windows/win32/ipc/named-pipe-type-read-and-wait-modes
            pub fn adopt(pipe: OwnedPipe) -> Result<Adopted<Self, $end<Blocking>>, ConversionError<OwnedPipe>> {
                Self::adopt_as(pipe, /* exclusive */ false)
            }

            /// As [`adopt`](Self::adopt), for a handle that is the caller's alone: no other handle
            /// to this end of the pipe is open, in this process or another, nor will be.
            ///
            /// # Platform notes
            ///
            /// On Windows the first operation that is submitted or polled binds the handle to a
            /// completion port, as with an end that was made here. From then on, the end does not
            /// convert back into a handle. If the handle is already bound to another port, it is
            /// used as `adopt` does. On Unix this is the same as `adopt`.
            ///
            /// # Errors
            ///
            /// As for `adopt`.
            ///
            /// # References
            ///
            /// - [`CreateIoCompletionPort`]
            ///
            /// [`CreateIoCompletionPort`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-createiocompletionport
            pub fn adopt_exclusive(
                pipe: OwnedPipe,
            ) -> Result<Adopted<Self, $end<Blocking>>, ConversionError<OwnedPipe>> {
                Self::adopt_as(pipe, /* exclusive */ true)
            }

            fn adopt_as(
                pipe: OwnedPipe,
                exclusive: bool,
            ) -> Result<Adopted<Self, $end<Blocking>>, ConversionError<OwnedPipe>> {
                adopt(pipe, $access, exclusive, |pipe, origin, mode| match mode {
                    IoMode::Overlapped => Adopted::Overlapped(Self::new(EndImpl::new(pipe, origin, $access))),
                    IoMode::Blocking => Adopted::Blocking($end::new(EndImpl::new(pipe, origin, $access))),
                })
            }

            /// Takes the handle out of an end that is bound to this crate's completion port. **The
            /// binding stays with the handle** where the system cannot undo it. Windows only.
            ///
            /// An end that was made here or adopted as exclusive is bound by its first operation
            /// that is submitted or polled. For ends that are not bound, `OwnedHandle::try_from` is
            /// the better way. The binding and the mode `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`
            /// belong to the file object, so every later owner of this handle or of a duplicate has
            /// them: here, in a child, or after the next conversion.
            ///
            /// - *Windows 8.1 and later* can unbind a handle, and this does it. The mode stays, and
            ///   cannot be taken back (*documented*, SetFileCompletionNotificationModes): an owner
            ///   who binds the handle to a port gets no packet for an operation that succeeds at
            ///   once.
            /// - *Elsewhere* (Windows before 8.1; Wine 8.0, *observed*) the binding stays, too. The
            ///   handle cannot be bound to another port, and the packets of overlapped operations
            ///   on it, in any process, come to this process's port, which ignores them. An
            ///   operation that is awaited through an event whose handle has its low bit set sends
            ///   no packet.
            ///
            /// Blocking reads and writes, with an event of their own or without an `OVERLAPPED`,
            /// are not affected. If the handle is adopted again, the new end works through events.
            ///
            /// # Errors
            ///
            /// As for the conversion, except that a bound end is not refused; the end comes back.
            ///
            /// # References
            ///
            /// - [`CreateIoCompletionPort`]
            /// - [`SetFileCompletionNotificationModes`]
            /// - [`GetQueuedCompletionStatus`]
            ///
            /// [`CreateIoCompletionPort`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-createiocompletionport
            /// [`SetFileCompletionNotificationModes`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-setfilecompletionnotificationmodes
            /// [`GetQueuedCompletionStatus`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-getqueuedcompletionstatus
            #[cfg(windows)]
            pub fn into_handle_still_bound(self) -> Result<OwnedPipe, ConversionError<Self>> {
                self.end.into_pipe_still_bound().map_err(|failed| {
                    let (error, end) = failed.into_parts();
                    ConversionError::new(error, Self::new(end))
                })
            }

            /// Makes this end a child's standard handle although it is overlapped, which **most
            /// programs cannot use**.
            ///
            /// On Windows the C runtime, .NET Framework and Node read and write their standard
            /// handles as synchronous ones, and lose data or fail on an overlapped one. On Unix
            /// most programs take `EAGAIN` for an error. This is for a child that is known to
            /// expect such a handle, for example because its event loop opens its standard handles
            /// itself.
            ///
            /// # Errors
            ///
            /// As for the conversion into a handle; the end comes back.
            ///
            /// # References
            ///
            /// - [read(2)](https://man7.org/linux/man-pages/man2/read.2.html)
            /// - [rust-lang/rust#38811](https://github.com/rust-lang/rust/issues/38811)
            /// - [neovim/neovim#11819](https://github.com/neovim/neovim/issues/11819)
            /// - [haskell/process#245](https://github.com/haskell/process/issues/245)
            pub fn into_stdio_despite_overlapped(self) -> Result<Stdio, ConversionError<Self>> {
                OwnedPipe::try_from(self).map(Stdio::from)
            }
        }

        /// Takes the handle out.
        ///
        /// # Platform notes
        ///
        /// On Windows an end that was made here, or adopted as exclusive, is bound to this crate's
        /// completion port by its first operation that is submitted or polled (blocking reads and
        /// writes, and those with a timeout, do not bind). The handle's next owner would share that
        /// port, so a bound end is refused. Convert it before its first operation, or with
        /// `into_handle_still_bound`, which says what stays with the handle.
        ///
        /// # Errors
        ///
        /// [`ResourceBusy`](std::io::ErrorKind::ResourceBusy) while operations are in flight or
        /// clones are alive; [`Unsupported`](std::io::ErrorKind::Unsupported) for a bound end; and
        /// the error of a task's write that was accepted and has failed since. The end comes back.
        ///
        /// # References
        ///
        /// - [`CreateIoCompletionPort`]
        ///
        /// [`CreateIoCompletionPort`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-createiocompletionport
        impl TryFrom<$end<Overlapped>> for OwnedPipe {
            type Error = ConversionError<$end<Overlapped>>;

            fn try_from(end: $end<Overlapped>) -> Result<Self, Self::Error> {
                end.end.into_pipe().map_err(|failed| {
                    let (error, end) = failed.into_parts();
                    ConversionError::new(error, $end::new(end))
                })
            }
        }

        impl From<$end<Blocking>> for OwnedPipe {
            fn from(end: $end<Blocking>) -> Self {
                end.end.into_pipe()
            }
        }

        /// Hands the end to one child. The handle need not be inheritable for this.
        impl From<$end<Blocking>> for Stdio {
            fn from(end: $end<Blocking>) -> Self {
                Self::from(end.end.into_pipe())
            }
        }

        /// Wraps a handle that must be overlapped, and that may have other owners; see `adopt`.
        ///
        /// # Errors
        ///
        /// As for `adopt`, and if the handle is synchronous; the handle comes back.
        impl TryFrom<OwnedPipe> for $end<Overlapped> {
            type Error = ConversionError<OwnedPipe>;

            fn try_from(pipe: OwnedPipe) -> Result<Self, Self::Error> {
                match Self::adopt(pipe)? {
                    Adopted::Overlapped(end) => Ok(end),
                    Adopted::Blocking(end) => Err(wrong_mode(end.into(), WRONG_MODE_FOR_OVERLAPPED)),
                }
            }
        }

        /// Wraps a handle that must be synchronous; see `adopt`.
        ///
        /// # Errors
        ///
        /// As for `adopt`, and if the handle is overlapped; the handle comes back.
        impl TryFrom<OwnedPipe> for $end<Blocking> {
            type Error = ConversionError<OwnedPipe>;

            fn try_from(pipe: OwnedPipe) -> Result<Self, Self::Error> {
                let mode = adopt(pipe, $access, /* exclusive */ false, |pipe, origin, mode| (pipe, origin, mode))?;
                match mode {
                    (pipe, origin, IoMode::Blocking) => Ok(Self::new(EndImpl::new(pipe, origin, $access))),
                    (pipe, _, IoMode::Overlapped) => Err(wrong_mode(pipe, WRONG_MODE_FOR_BLOCKING)),
                }
            }
        }

        #[cfg(unix)]
        impl<M: crate::Mode> std::os::fd::AsFd for $end<M> {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.end.pipe()
            }
        }

        #[cfg(unix)]
        impl<M: crate::Mode> std::os::fd::AsRawFd for $end<M> {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.end.pipe())
            }
        }

        /// The caller has to close the descriptor.
        #[cfg(unix)]
        impl std::os::fd::IntoRawFd for $end<Blocking> {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                self.end.into_pipe().into_raw_fd()
            }
        }

        #[cfg(windows)]
        impl<M: crate::Mode> std::os::windows::io::AsHandle for $end<M> {
            fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
                self.end.pipe()
            }
        }

        #[cfg(windows)]
        impl<M: crate::Mode> std::os::windows::io::AsRawHandle for $end<M> {
            fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
                std::os::windows::io::AsRawHandle::as_raw_handle(&self.end.pipe())
            }
        }

        /// The caller has to close the handle.
        #[cfg(windows)]
        impl std::os::windows::io::IntoRawHandle for $end<Blocking> {
            fn into_raw_handle(self) -> std::os::windows::io::RawHandle {
                self.end.into_pipe().into_raw_handle()
            }
        }
    };
}

conversions!(Reader, Access::Read);
conversions!(Writer, Access::Write);
conversions!(Duplex, Access::Both);
