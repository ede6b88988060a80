//! What a child's standard handles are to be.

use std::fs::File;
use std::io;
use std::process;

use crate::contract::{Action, Failure};
use crate::sys::{self, ChildStdio, OwnedPipe};
use crate::{Blocking, Duplex, Reader, Writer};

/// What one of a child's standard handles is to be; for [`Command::stdin`](super::Command::stdin)
/// and its like.
///
/// As in std: [`piped`](Self::piped), [`inherit`](Self::inherit), [`null`](Self::null), or a handle
/// that exists, by [`From`]. A file is kept, and each further child that the command starts gets
/// it, too. The end of a pipe, or a socket, goes to the first child: if the command kept it, the
/// other side would wait for the end of file for ever.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use anonpipe::process::{Command, Stdio};
///
/// let mut command = Command::new("cat");
/// command.stdin(Stdio::null()).stdout(Stdio::piped());
/// let output = command.spawn()?.wait_with_output().wait()?;
/// assert!(output.status.success() && output.stdout.is_empty());
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    OverlappedPipe,
    /// This process's own standard output or error.
    Own(OwnStream),
    Handle(OwnedPipe),
    /// An end of a pipe that a child has got.
    GivenAway,
}

#[derive(Debug, Clone, Copy)]
enum OwnStream {
    Stdout,
    Stderr,
}

/// What a spawn makes of it.
pub(super) enum Prepared {
    /// A new pipe is needed.
    Piped,
    /// A new pipe is needed, whose ends are both overlapped.
    OverlappedPipe,
    Ready(ChildStdio),
}

impl Prepared {
    /// Of what needs no pipe.
    pub(super) fn into_ready(self) -> ChildStdio {
        match self {
            Self::Ready(stdio) => stdio,
            Self::Piped | Self::OverlappedPipe => ChildStdio::Null,
        }
    }
}

impl Stdio {
    /// A new pipe, whose other end will be in the [`Child`](super::Child).
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// As [`piped`](Self::piped), but the child's end is overlapped, too, which **most programs
    /// cannot use**.
    ///
    /// On Windows the C runtime, .NET Framework and Node read and write their standard handles as
    /// synchronous ones, and lose data or fail on an overlapped one. On Unix the child's end is
    /// non-blocking, and most programs take `EAGAIN` for an error. This is for a child that is
    /// known to expect such a handle, for example because its event loop opens its standard handles
    /// itself.
    ///
    /// # References
    ///
    /// - [rust-lang/rust#38811](https://github.com/rust-lang/rust/issues/38811)
    /// - [neovim/neovim#11819](https://github.com/neovim/neovim/issues/11819)
    #[must_use]
    pub fn overlapped() -> Self {
        Self(Kind::OverlappedPipe)
    }

    /// The same as this program's own.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// Nothing: reads are at the end of file, and what is written is discarded.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    pub(super) fn prepare(&self) -> io::Result<Prepared> {
        Ok(Prepared::Ready(match &self.0 {
            Kind::Piped => return Ok(Prepared::Piped),
            Kind::OverlappedPipe => return Ok(Prepared::OverlappedPipe),
            Kind::Inherit => ChildStdio::Inherit,
            Kind::Null => ChildStdio::Null,
            Kind::Own(stream) => ChildStdio::Handle(stream.duplicate()?),
            Kind::Handle(handle) => ChildStdio::Handle(handle.try_clone()?),
            Kind::GivenAway => {
                let why = "an earlier child has got the end of the pipe that this command was given: give it another";
                return Err(Failure::refused(io::ErrorKind::InvalidInput, why).into_io(Action::Spawn, None));
            }
        }))
    }

    /// A child has got its handle.
    pub(super) fn give_away(&mut self) {
        if let Kind::Handle(handle) = &self.0
            && sys::process::is_an_end(handle)
        {
            self.0 = Kind::GivenAway;
        }
    }
}

impl OwnStream {
    #[cfg(unix)]
    fn duplicate(self) -> io::Result<OwnedPipe> {
        use std::os::fd::AsFd;

        match self {
            Self::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Self::Stderr => io::stderr().as_fd().try_clone_to_owned(),
        }
    }

    #[cfg(windows)]
    fn duplicate(self) -> io::Result<OwnedPipe> {
        use std::os::windows::io::AsHandle;

        match self {
            Self::Stdout => io::stdout().as_handle().try_clone_to_owned(),
            Self::Stderr => io::stderr().as_handle().try_clone_to_owned(),
        }
    }
}

/// A file, a pipe, a socket, or anything else that a program can have as a standard handle. It must
/// not be overlapped (on Unix: non-blocking), which most programs cannot use.
impl From<OwnedPipe> for Stdio {
    fn from(handle: OwnedPipe) -> Self {
        Self(Kind::Handle(handle))
    }
}

macro_rules! from_handles {
    ($($(#[$attribute:meta])* $type:ty),+ $(,)?) => {$(
        $(#[$attribute])*
        impl From<$type> for Stdio {
            fn from(handle: $type) -> Self {
                Self(Kind::Handle(handle.into()))
            }
        }
    )+};
}

from_handles! {
    File,
    io::PipeReader,
    io::PipeWriter,
    process::ChildStdin,
    process::ChildStdout,
    process::ChildStderr,
    Reader<Blocking>,
    Writer<Blocking>,
    /// For a child whose standard input and output are one pipe, give it a
    /// [clone](Duplex::try_clone) for the other.
    Duplex<Blocking>,
}

/// This program's own standard output.
impl From<io::Stdout> for Stdio {
    fn from(_: io::Stdout) -> Self {
        Self(Kind::Own(OwnStream::Stdout))
    }
}

/// This program's own standard error.
impl From<io::Stderr> for Stdio {
    fn from(_: io::Stderr) -> Self {
        Self(Kind::Own(OwnStream::Stderr))
    }
}
