//! Windows only: how a pair is made, security descriptors, and three functions that return plain
//! handles.

use std::io;
use std::os::windows::io::OwnedHandle;

use crate::PipeOptions;
use crate::contract::{Action, DEFAULT_CAPACITY, Direction, EndSpec, Failure, IoMode};
use crate::sys::{self, Plan};

pub use crate::sys::Creation;

/// The methods of [`PipeOptions`] that exist on Windows only.
///
/// # Examples
///
/// ```
/// use anonpipe::PipeOptions;
/// use anonpipe::windows::{Creation, PipeOptionsExt};
///
/// let (reader, _writer) = PipeOptions::new().creation(Creation::Named).inbound()?;
/// assert!(reader.info()?.name.is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait PipeOptionsExt: Sized + sealed::Sealed {
    /// Sets how the pair is made; default: [`Creation::Auto`].
    #[must_use]
    fn creation(self, creation: Creation) -> Self;

    /// Sets the security descriptor of the pipe, as SDDL; for example `D:P(A;;GA;;;OW)`.
    ///
    /// Default: the token's own for an unnamed pair, the current user alone for a named one.
    /// Opening the client end is checked against the descriptor, in the name of the calling thread;
    /// if the descriptor does not admit the caller, creation fails with
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied). Invalid SDDL makes it fail with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    ///
    /// # References
    ///
    /// - [Security Descriptor String Format]
    /// - [Named Pipe Security and Access Rights]
    ///
    /// [Security Descriptor String Format]: https://learn.microsoft.com/en-us/windows/win32/secauthz/security-descriptor-string-format
    /// [Named Pipe Security and Access Rights]: https://learn.microsoft.com/en-us/windows/win32/ipc/named-pipe-security-and-access-rights
    #[must_use]
    fn security_descriptor(self, sddl: impl Into<String>) -> Self;
}

impl<S, C> PipeOptionsExt for PipeOptions<S, C> {
    fn creation(mut self, creation: Creation) -> Self {
        self.platform.creation = creation;
        self
    }

    fn security_descriptor(mut self, sddl: impl Into<String>) -> Self {
        self.platform.sddl = Some(sddl.into());
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl<S, C> Sealed for crate::PipeOptions<S, C> {}
}

/// Who may open a pipe, and how.
#[derive(Debug)]
pub struct SecurityDescriptor(sys::SecurityDescriptor);

impl SecurityDescriptor {
    /// Parses the textual form, SDDL; for example `D:P(A;;GA;;;OW)`, which admits the owner alone.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput), with what the system says of the text.
    ///
    /// # References
    ///
    /// - [Security Descriptor String Format]
    /// - [`ConvertStringSecurityDescriptorToSecurityDescriptorW`]
    ///
    /// [Security Descriptor String Format]: https://learn.microsoft.com/en-us/windows/win32/secauthz/security-descriptor-string-format
    /// [`ConvertStringSecurityDescriptorToSecurityDescriptorW`]: https://learn.microsoft.com/en-us/windows/win32/api/sddl/nf-sddl-convertstringsecuritydescriptortosecuritydescriptorw
    pub fn parse(sddl: &str) -> io::Result<Self> {
        sys::SecurityDescriptor::from_sddl(sddl)
            .map(Self)
            .map_err(|failure| failure.into_io(Action::MakeDescriptor, None))
    }

    /// Copies a descriptor in the system's own form: a `PSECURITY_DESCRIPTOR`, self-relative or
    /// absolute.
    ///
    /// # Errors
    ///
    /// The system's code for an invalid descriptor (1338), also for a null pointer.
    ///
    /// # Safety
    ///
    /// The pointer must be null, or point to a descriptor whose memory, including its parts, can be
    /// read and does not change during the call.
    #[allow(unsafe_code, reason = "it takes a pointer of the system's, and passes it on")]
    pub unsafe fn from_raw(descriptor: *mut std::ffi::c_void) -> io::Result<Self> {
        // SAFETY: the memory is readable, says the caller; a null pointer is refused there.
        unsafe { sys::SecurityDescriptor::copied_from(descriptor) }
            .map(Self)
            .map_err(|failure| failure.into_io(Action::CopyDescriptor, None))
    }
}

/// Makes a duplex pair without a name. Returns the server end, overlapped and private, then the
/// client end, synchronous and inheritable.
///
/// The handles are plain and bound to no completion port, so every way of waiting that Windows has
/// works on them. Each direction holds 65,536 bytes. [`PipeOptions`] makes the same pair with ends
/// that can do more.
///
/// # Errors
///
/// The system's error, also on a system without unnamed pipes. Nothing stays open on failure.
///
/// # References
///
/// - [`NtCreateNamedPipeFile`]
///
/// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
///
/// # Examples
///
/// ```
/// let (server, client) = anonpipe::create_pipe_anonymous_pair7()?;
/// // The server end is for this process, the client end for a child.
/// # drop((server, client));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn create_pipe_anonymous_pair7() -> io::Result<(OwnedHandle, OwnedHandle)> {
    questions_pair(Creation::Unnamed)
}

/// Makes a duplex pair without a name, or with one where the system has no unnamed pipes.
///
/// Otherwise as [`create_pipe_anonymous_pair7`]. The name is as [`Creation::Named`] says.
///
/// # Errors
///
/// The system's error. Nothing stays open on failure.
pub fn create_pipe_anonymous_pair() -> io::Result<(OwnedHandle, OwnedHandle)> {
    questions_pair(Creation::Auto)
}

fn questions_pair(creation: Creation) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let plan = Plan {
        direction: Direction::Duplex,
        server: EndSpec { mode: IoMode::Overlapped, inheritable: false },
        client: EndSpec { mode: IoMode::Blocking, inheritable: true },
        quota: DEFAULT_CAPACITY,
        descriptor: None,
    };
    sys::create_as(&plan, creation).map_err(|failure| failure.into_io(Action::Create, None))
}

/// Whether a handle is opened for overlapped I/O: the last two parameters of [`create_pipe_ex`].
/// More modes may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HandleMode {
    /// Mode 0: reads and writes block.
    #[default]
    Synchronous,
    /// Mode `FILE_FLAG_OVERLAPPED`.
    Overlapped,
}

/// `FILE_FLAG_OVERLAPPED`, the one flag that a mode can have.
const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;

impl TryFrom<u32> for HandleMode {
    type Error = io::Error;

    /// Converts the flags that the C function takes: 0 or `FILE_FLAG_OVERLAPPED`.
    fn try_from(flags: u32) -> io::Result<Self> {
        match flags {
            0 => Ok(Self::Synchronous),
            FILE_FLAG_OVERLAPPED => Ok(Self::Overlapped),
            _ => {
                let why = format!("the mode {flags:#x} is neither 0 nor FILE_FLAG_OVERLAPPED");
                Err(Failure::refused(io::ErrorKind::InvalidInput, why).into_io(Action::Create, None))
            }
        }
    }
}

impl From<HandleMode> for IoMode {
    fn from(mode: HandleMode) -> Self {
        match mode {
            HandleMode::Synchronous => Self::Blocking,
            HandleMode::Overlapped => Self::Overlapped,
        }
    }
}

/// The content of `SECURITY_ATTRIBUTES`, for both ends of [`create_pipe_ex`]. Default: private, and
/// the token's own descriptor.
#[derive(Debug, Default)]
pub struct SecurityAttributes {
    inheritable: bool,
    descriptor: Option<SecurityDescriptor>,
}

impl SecurityAttributes {
    /// Private ends, and the token's own descriptor: what a null pointer means in C.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether children inherit both ends.
    #[must_use]
    pub fn inheritable(mut self, inheritable: bool) -> Self {
        self.inheritable = inheritable;
        self
    }

    /// Sets who may open the pipe.
    #[must_use]
    pub fn security_descriptor(mut self, descriptor: SecurityDescriptor) -> Self {
        self.descriptor = Some(descriptor);
        self
    }
}

/// `CreatePipe` with a mode for each end, as Dave Hart's `MyCreatePipeEx` of 1997. Returns the read
/// handle first.
///
/// The pipe is one-way; the read end is the server. `size` is the capacity in bytes; 0 means 4096,
/// as for `CreatePipe`. The default timeout is 120 seconds. The handles are plain and bound to no
/// completion port. The original's pipes had a name made of the process's id and a counter. These
/// have none, or, on a system without unnamed pipes, one that cannot be guessed.
///
/// # Errors
///
/// The system's error. Nothing stays open on failure.
///
/// # References
///
/// - [`CreatePipe`]
/// - [`NtCreateNamedPipeFile`]
///
/// [`CreatePipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createpipe
/// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
///
/// # Examples
///
/// ```
/// use anonpipe::create_pipe_ex;
/// use anonpipe::windows::{HandleMode, SecurityAttributes};
///
/// let attributes = SecurityAttributes::new().inheritable(true);
/// let (ours, theirs) = (HandleMode::Overlapped, HandleMode::Synchronous);
/// let (read, write) = create_pipe_ex(&attributes, 0, ours, theirs)?;
/// # drop((read, write));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn create_pipe_ex(
    attributes: &SecurityAttributes,
    size: u32,
    read: HandleMode,
    write: HandleMode,
) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let plan = Plan {
        direction: Direction::Inbound,
        server: EndSpec { mode: read.into(), inheritable: attributes.inheritable },
        client: EndSpec { mode: write.into(), inheritable: attributes.inheritable },
        quota: if size == 0 { 4096 } else { size },
        descriptor: attributes.descriptor.as_ref().map(|descriptor| &descriptor.0),
    };
    sys::create_as(&plan, Creation::Auto).map_err(|failure| failure.into_io(Action::Create, None))
}

/// A match on an enum that may grow needs an arm for future variants.
///
/// ```compile_fail,E0004
/// use anonpipe::windows::Creation;
/// match Creation::Auto {
///     Creation::Auto | Creation::Unnamed | Creation::Named => {}
/// }
/// ```
///
/// ```compile_fail,E0004
/// use anonpipe::windows::HandleMode;
/// match HandleMode::Overlapped {
///     HandleMode::Overlapped | HandleMode::Synchronous => {}
/// }
/// ```
#[cfg(doctest)]
struct EnumsGrow;
