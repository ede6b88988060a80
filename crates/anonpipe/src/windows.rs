//! What there is on Windows only: how a pair is made, security descriptors, and three functions
//! that return plain handles.

use std::io;
use std::os::windows::io::OwnedHandle;

use crate::PipeOptions;
use crate::contract::{Action, DEFAULT_CAPACITY, Direction, EndSpec, Failure, IoMode};
use crate::sys::{self, Plan};

pub use crate::sys::Creation;

/// What [`PipeOptions`] can do on Windows only.
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
    /// Default: the one of the token for an unnamed pair, the current user alone for a named one.
    /// The client end is checked against it when it is opened, in the name of the calling thread; a
    /// descriptor that does not admit the caller makes the creation fail with
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied). One that is not valid SDDL makes it
    /// fail with [`InvalidInput`](io::ErrorKind::InvalidInput).
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
    /// [`InvalidInput`](io::ErrorKind::InvalidInput), with what the system says of it.
    pub fn parse(sddl: &str) -> io::Result<Self> {
        sys::SecurityDescriptor::from_sddl(sddl)
            .map(Self)
            .map_err(|failure| failure.into_io(Action::MakeDescriptor, None))
    }

    /// Copies a descriptor of the system's own form: a `PSECURITY_DESCRIPTOR`, self-relative or
    /// absolute.
    ///
    /// # Errors
    ///
    /// The system's code for an invalid descriptor (1338), also for a null pointer.
    ///
    /// # Safety
    ///
    /// The pointer must be null, or to memory that can be read as far as the descriptor goes, its
    /// parts included, and that is not changed meanwhile.
    #[allow(unsafe_code, reason = "it takes a pointer of the system's, and passes it on")]
    pub unsafe fn from_raw(descriptor: *mut std::ffi::c_void) -> io::Result<Self> {
        // SAFETY: readable, says the caller; null is refused there.
        unsafe { sys::SecurityDescriptor::copied_from(descriptor) }
            .map(Self)
            .map_err(|failure| failure.into_io(Action::CopyDescriptor, None))
    }
}

/// The question's pair, without a name: a server end that is overlapped and private, and a client
/// end that is synchronous and inheritable; both read and write. Returned in this order.
///
/// The handles are plain and bound to no completion port: good for every way of waiting that
/// Windows has. Each direction holds 65,536 bytes. [`PipeOptions`] makes the same pair with ends
/// that can do more.
///
/// # Errors
///
/// What the system said; also where it knows no unnamed pipes. Nothing stays open on failure.
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

/// The question's pair: without a name, or with one where that is not to be had.
///
/// As [`create_pipe_anonymous_pair7`] otherwise. The name is as [`Creation::Named`] says.
///
/// # Errors
///
/// What the system said. Nothing stays open on failure.
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
/// There may be more modes one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HandleMode {
    /// The mode 0: reads and writes block.
    #[default]
    Synchronous,
    /// The mode `FILE_FLAG_OVERLAPPED`.
    Overlapped,
}

/// `FILE_FLAG_OVERLAPPED`, the one flag that a mode can have.
const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;

impl TryFrom<u32> for HandleMode {
    type Error = io::Error;

    /// From the flags that the function takes in C: 0 or `FILE_FLAG_OVERLAPPED`.
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

/// What `SECURITY_ATTRIBUTES` says, for both ends of [`create_pipe_ex`]. Default: private, and the
/// token's own descriptor.
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

    /// Whether children inherit both ends.
    #[must_use]
    pub fn inheritable(mut self, inheritable: bool) -> Self {
        self.inheritable = inheritable;
        self
    }

    /// Who may open the pipe.
    #[must_use]
    pub fn security_descriptor(mut self, descriptor: SecurityDescriptor) -> Self {
        self.descriptor = Some(descriptor);
        self
    }
}

/// `CreatePipe` with a mode for each end, as Dave Hart's `MyCreatePipeEx` of 1997: the read handle
/// first.
///
/// One-way; the read end is the server. `size` is the capacity in bytes; 0 means 4096, as it does
/// for `CreatePipe`. The default timeout is 120 seconds. The handles are plain and bound to no
/// completion port. Unlike the original, whose pipes had a name made of the process's id and a
/// counter, these have none (or, on a system that knows no unnamed pipes, one that cannot be
/// guessed).
///
/// # Errors
///
/// What the system said. Nothing stays open on failure.
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

/// A match on what will grow needs an arm for what is not there yet.
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
