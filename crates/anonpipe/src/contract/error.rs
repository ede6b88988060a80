//! What went wrong: the action, the end, the cause, and what to do about it.

use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::EndName;

mod action;
mod advice;

pub(crate) use action::Action;

/// The error inside every [`io::Error`] that this crate makes for an end or an operation.
///
/// The [`io::ErrorKind`] of the outer error is enough for most programs. This type adds what the
/// kind cannot say: whether the operation was cancelled, how many bytes had gone by then, and the
/// system's own error code.
///
/// ```
/// use std::time::Duration;
///
/// let (reader, _writer) = anonpipe::pipe()?;
/// let soon = Duration::from_millis(1);
/// let failed = reader.read_timeout(&mut [0; 16], soon).unwrap_err();
/// assert_eq!(failed.kind(), std::io::ErrorKind::TimedOut);
/// let error = anonpipe::Error::of(&failed).expect("made by this crate");
/// assert_eq!(error.transferred(), Some(0));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # The system's error
///
/// An [`io::Error`] has a code or a text, not both. The errors of this crate have a text, so their
/// [`io::Error::raw_os_error`] is `None`. The code is in this type, and the system's own
/// [`io::Error`] is the [source](std::error::Error::source) of both:
///
/// ```
/// use std::error::Error as _;
/// use std::io;
///
/// /// The code of any error: `EMFILE` if there are too many open files, say.
/// fn code(error: &io::Error) -> Option<i32> {
///     let ours = anonpipe::Error::of(error);
///     ours.map_or(error.raw_os_error(), anonpipe::Error::raw_os_error)
/// }
///
/// let (reader, writer) = anonpipe::pipe()?;
/// drop(reader);
/// let failed = writer.submit_write("too late").wait().0.unwrap_err();
/// let broken = if cfg!(windows) { 232 } else { 32 }; // ERROR_NO_DATA, EPIPE
/// assert_eq!(code(&failed), Some(broken));
/// assert_eq!(failed.raw_os_error(), None);
///
/// let source = failed.source().expect("the system said so");
/// let source: &io::Error = source.downcast_ref().expect("the system's");
/// assert_eq!(source.raw_os_error(), Some(broken));
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug)]
pub struct Error {
    action: Action,
    end: Option<EndName>,
    cause: Failure,
}

/// What the layers below report. It becomes an [`Error`] where the end's name is known.
#[derive(Debug)]
pub enum Failure {
    /// The system refused. `kind` is what its answer means for a pipe; `transferred` is what had
    /// gone before, where known.
    Os { error: io::Error, kind: io::ErrorKind, transferred: Option<usize> },
    /// The operation was cancelled.
    Cancelled { transferred: Option<usize> },
    /// The time was up.
    TimedOut { transferred: Option<usize> },
    /// This crate refused, before it asked the system.
    Refused { kind: io::ErrorKind, why: String },
}

/// `io::Error` is neither, but our ends keep failures and would be both without them. A failure is
/// only read, so a panic leaves nothing half-changed here.
impl UnwindSafe for Failure {}
impl RefUnwindSafe for Failure {}

impl Failure {
    pub(crate) fn refused(kind: io::ErrorKind, why: impl Into<String>) -> Self {
        Self::Refused { kind, why: why.into() }
    }

    /// The answer to a write after our own half-close.
    pub(crate) fn shut_down() -> Self {
        Self::refused(io::ErrorKind::BrokenPipe, "its writing side was shut down here")
    }

    /// A failure with std's kind for `error`; `transferred` bytes had gone before.
    pub(crate) fn os(error: io::Error, transferred: Option<usize>) -> Self {
        let kind = match error.kind() {
            // `EAGAIN`: a thread was refused. A call that would have to wait is no failure, and
            // callers of the async traits would take this kind for one.
            io::ErrorKind::WouldBlock => io::ErrorKind::QuotaExceeded,
            kind => kind,
        };
        Self::Os { error, kind, transferred }
    }

    /// The same failure, where `count` bytes are known to have gone before.
    pub(crate) fn after(mut self, count: usize) -> Self {
        match &mut self {
            Self::Os { transferred, .. } | Self::Cancelled { transferred } | Self::TimedOut { transferred } => {
                *transferred = Some(count);
            }
            Self::Refused { .. } => {}
        }
        self
    }

    /// The same failure of a part of an operation, where the parts before it have transferred
    /// `count` bytes.
    pub(crate) fn in_part_behind(self, count: usize) -> Self {
        match self.transferred() {
            Some(own) => self.after(count.saturating_add(own)),
            None => self,
        }
    }

    /// How many bytes had gone before, where known.
    pub(crate) fn transferred(&self) -> Option<usize> {
        match self {
            Self::Os { transferred, .. } | Self::Cancelled { transferred } | Self::TimedOut { transferred } => {
                *transferred
            }
            Self::Refused { .. } => Some(0),
        }
    }

    pub(crate) fn into_io(self, action: Action, end: impl Into<Option<EndName>>) -> io::Error {
        Error { action, end: end.into(), cause: self }.into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::os(error, Some(0))
    }
}

impl Error {
    /// The error of this crate inside `error`, if there is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    /// Whether the operation ended because it was cancelled, or because its end was dropped.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.cause, Failure::Cancelled { .. })
    }

    /// How many bytes are known to have gone before the operation failed; `None` where that is
    /// unknown.
    ///
    /// A failed read took nothing, so the answer is `Some(0)`, except where Wine has lost what the
    /// read took. On Unix a write that was cancelled or timed out says how far it got. Windows does
    /// not tell: such a write may have been taken in part, and what the peer had not read is gone.
    /// Only if it was ended before Windows had it, or between two
    /// [pieces](crate::Writer::submit_write), is the number known.
    ///
    /// # References
    ///
    /// - [`CancelIoEx`]
    ///
    /// [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
    #[must_use]
    pub fn transferred(&self) -> Option<usize> {
        self.cause.transferred()
    }

    /// The system's error code (`errno`, or a Win32 error), if the system reported this error.
    ///
    /// # References
    ///
    /// - [errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)
    /// - [System Error Codes]
    ///
    /// [System Error Codes]: https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.cause {
            Failure::Os { error, .. } => error.raw_os_error(),
            _ => None,
        }
    }

    /// The kind of the [`io::Error`] around this error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match &self.cause {
            Failure::Os { kind, .. } | Failure::Refused { kind, .. } => *kind,
            // Not `Interrupted`: `write_all` and its like would try again.
            Failure::Cancelled { .. } => io::ErrorKind::Other,
            Failure::TimedOut { .. } => io::ErrorKind::TimedOut,
        }
    }

    fn advice(&self) -> Option<&'static str> {
        if matches!(self.cause, Failure::Refused { .. }) {
            // The reason of a refusal says it all.
            return None;
        }
        match (self.kind(), self.action) {
            // The time is up that the owner of a blocking socket has set.
            (io::ErrorKind::WouldBlock, _) => None,
            (io::ErrorKind::BrokenPipe, Action::Write) => Some("the peer does not read any more: stop writing"),
            (io::ErrorKind::PermissionDenied, Action::Write) => Some("was the end opened for reading only?"),
            (io::ErrorKind::PermissionDenied, Action::Read) => Some("was the end opened for writing only?"),
            _ => self.raw_os_error().and_then(advice::for_want_of),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.action.write_cannot(self.end.as_ref(), f)?;
        match &self.cause {
            Failure::Os { error, transferred, .. } => {
                write!(f, ": {error}")?;
                if let Some(count @ 1..) = *transferred {
                    write!(f, "; {count} {} had gone before", bytes(count))?;
                }
            }
            Failure::Cancelled { transferred } => {
                f.write_str(": it was cancelled")?;
                write_transferred(f, *transferred)?;
            }
            Failure::TimedOut { transferred } => {
                f.write_str(": the time was up")?;
                write_transferred(f, *transferred)?;
            }
            Failure::Refused { why, .. } => write!(f, ": {why}")?,
        }
        match self.advice() {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

fn bytes(count: usize) -> &'static str {
    if count == 1 { "byte" } else { "bytes" }
}

fn write_transferred(f: &mut fmt::Formatter<'_>, transferred: Option<usize>) -> fmt::Result {
    match transferred {
        Some(0) => f.write_str(", nothing had gone"),
        Some(count) => write!(f, ", {count} {} had gone", bytes(count)),
        None => f.write_str(", and the system does not tell how much had gone"),
    }
}

/// The source is the system's own error, an [`io::Error`], if the system reported this error. The
/// text already contains it: printing the sources as well prints it twice.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Failure::Os { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

/// A conversion that failed. It returns the value that was to be converted: nothing is closed or
/// lost.
pub struct ConversionError<T> {
    error: io::Error,
    value: T,
}

impl<T> ConversionError<T> {
    pub(crate) fn new(error: io::Error, value: T) -> Self {
        Self { error, value }
    }

    /// Why the conversion failed.
    pub fn error(&self) -> &io::Error {
        &self.error
    }

    /// Takes back the value that was to be converted.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Takes back both: the error, and the value that was to be converted.
    pub fn into_parts(self) -> (io::Error, T) {
        (self.error, self.value)
    }
}

impl<T> fmt::Debug for ConversionError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversionError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for ConversionError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The text and the source are those of [`error`](Self::error).
impl<T> std::error::Error for ConversionError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Drops the value that was to be converted, and keeps the error.
impl<T> From<ConversionError<T>> for io::Error {
    fn from(failed: ConversionError<T>) -> Self {
        failed.error
    }
}
