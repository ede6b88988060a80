//! Makes new pairs. npfs has one kind of pipe; the same two calls make it, with or without a name.
//!
//! # References
//!
//! - [`NtCreateNamedPipeFile`]
//! - [`NtOpenFile`]
//! - [`CreatePipe`]
//! - [`CreateNamedPipeW`]
//! - [Synchronization Object Security and Access Rights]
//! - [Impersonation Levels]
//! - [`SECURITY_QUALITY_OF_SERVICE`]
//!
//! [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
//! [`NtOpenFile`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntopenfile
//! [`CreatePipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createpipe
//! [`CreateNamedPipeW`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
//! [Synchronization Object Security and Access Rights]: https://learn.microsoft.com/en-us/windows/win32/sync/synchronization-object-security-and-access-rights
//! [Impersonation Levels]: https://learn.microsoft.com/en-us/windows/win32/secauthz/impersonation-levels
//! [`SECURITY_QUALITY_OF_SERVICE`]: https://learn.microsoft.com/en-us/windows/win32/api/winnt/ns-winnt-security_quality_of_service

mod auto;
mod named;
mod unnamed;

use std::os::windows::io::{BorrowedHandle, OwnedHandle};
use std::sync::atomic::AtomicBool;

use windows_sys::Wdk::Storage::FileSystem::{FILE_NON_DIRECTORY_FILE, FILE_SYNCHRONOUS_IO_NONALERT};
use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Security::{SECURITY_QUALITY_OF_SERVICE, SECURITY_STATIC_TRACKING, SecurityAnonymous};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_READ_ATTRIBUTES, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES, SYNCHRONIZE,
};

use super::PlatformOptions;
use super::nt::{self, Object, ServerParameters, Status};
use super::security::SecurityDescriptor;
use crate::contract::{DEFAULT_CAPACITY, Direction, EndSpec, Failure, IoMode, Spec};

/// 120 seconds, as `CreatePipe` and its imitations set. No client waits for an instance of these
/// pipes.
const DEFAULT_TIMEOUT: i64 = -120 * 10_000_000; // in units of 100 ns, negative because relative

/// How a pair is made. More ways may follow.
///
/// # References
///
/// - [`NtCreateNamedPipeFile`]
/// - [`CreateNamedPipeW`]
/// - [Anonymous Pipes](https://learn.microsoft.com/en-us/windows/win32/ipc/anonymous-pipes)
///
/// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
/// [`CreateNamedPipeW`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Creation {
    /// Without a name if the system can make such a pair, else with one. This is found out by
    /// trying: an answer that means "never" is remembered, an answer that may concern this pair
    /// alone is not. Other errors, such as "access denied", "no memory" or "too many open files",
    /// are reported, and are no reason for a name.
    #[default]
    Auto,
    /// Without a name: nothing to guess, and nothing to open.
    Unnamed,
    /// With a name: 128 random bits from the system, the first and only instance, open to the
    /// current user alone, and closed to other machines (not under Wine, which would make it a pipe
    /// for messages). The client is opened relative to the server's handle where the system can do
    /// so, and both ends check that their peer is this process. For systems without unnamed pipes.
    Named,
}

/// A pair to make.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) direction: Direction,
    pub(crate) server: EndSpec,
    pub(crate) client: EndSpec,
    pub(crate) quota: u32,
    pub(crate) descriptor: Option<&'a SecurityDescriptor>,
}

/// Makes the pair that `spec` describes; the server end comes first.
pub(crate) fn create(spec: &Spec, platform: &PlatformOptions) -> Result<(OwnedHandle, OwnedHandle), Failure> {
    let descriptor = platform.sddl.as_deref().map(SecurityDescriptor::from_sddl).transpose()?;
    let plan = Plan {
        direction: spec.direction,
        server: spec.server,
        client: spec.client,
        quota: spec.capacity.unwrap_or(DEFAULT_CAPACITY),
        descriptor: descriptor.as_ref(),
    };
    create_as(&plan, platform.creation)
}

/// Makes a pair in the given way.
pub(crate) fn create_as(plan: &Plan<'_>, creation: Creation) -> Result<(OwnedHandle, OwnedHandle), Failure> {
    match creation {
        Creation::Unnamed => unnamed::create(plan).map_err(Failure::from),
        Creation::Named => named::create(plan),
        Creation::Auto => {
            static REFUSED: AtomicBool = AtomicBool::new(false);
            auto::create(&REFUSED, || unnamed::create(plan), || named::create(plan))
        }
    }
}

/// Opens the client end, which is `name` relative to `root`. The server learns nothing of who opens
/// it.
fn open_client(plan: &Plan<'_>, root: Option<BorrowedHandle<'_>>, name: &[u16]) -> Result<OwnedHandle, Status> {
    let quality = anonymous();
    let object = client_object(plan, root, name, &quality);
    let (reads, writes) = match plan.direction {
        Direction::Inbound => (false, true),
        Direction::Outbound => (true, false),
        Direction::Duplex => (true, true),
    };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    nt::open(&object, access(reads, writes), share, mode_options(plan.client.mode) | FILE_NON_DIRECTORY_FILE)
}

fn client_object<'a>(
    plan: &Plan<'_>,
    root: Option<BorrowedHandle<'a>>,
    name: &'a [u16],
    quality: &'a SECURITY_QUALITY_OF_SERVICE,
) -> Object<'a> {
    Object { root, name, inheritable: plan.client.inheritable, descriptor: None, quality: Some(quality) }
}

/// Lets the server learn nothing of the client.
///
/// Otherwise the holder of the server end may act in the name of the process that opened the client
/// end, or of one that writes to it later (*documented*, Impersonation Levels and
/// `SECURITY_QUALITY_OF_SERVICE`). That holder may be a child that is to have fewer rights.
fn anonymous() -> SECURITY_QUALITY_OF_SERVICE {
    SECURITY_QUALITY_OF_SERVICE {
        Length: u32::try_from(size_of::<SECURITY_QUALITY_OF_SERVICE>()).unwrap_or(0),
        ImpersonationLevel: SecurityAnonymous,
        ContextTrackingMode: u8::from(SECURITY_STATIC_TRACKING),
        EffectiveOnly: true,
    }
}

fn server_parameters(plan: &Plan<'_>, pipe_type: u32) -> ServerParameters {
    // The share mode of the server end says what the client may do, and so the direction.
    let (reads, writes, share) = match plan.direction {
        Direction::Inbound => (true, false, FILE_SHARE_WRITE),
        Direction::Outbound => (false, true, FILE_SHARE_READ),
        Direction::Duplex => (true, true, FILE_SHARE_READ | FILE_SHARE_WRITE),
    };
    ServerParameters {
        access: access(reads, writes),
        share,
        options: mode_options(plan.server.mode),
        pipe_type,
        quota: plan.quota,
        default_timeout: DEFAULT_TIMEOUT,
    }
}

/// The access that `CreatePipe` gives: in every direction both kinds of attributes, so that either
/// end answers queries about the pipe (FILE_READ_ATTRIBUTES) and takes changes of its mode
/// (FILE_WRITE_ATTRIBUTES), and SYNCHRONIZE, so that it can be waited on.
fn access(reads: bool, writes: bool) -> u32 {
    SYNCHRONIZE
        | FILE_READ_ATTRIBUTES
        | FILE_WRITE_ATTRIBUTES
        | if reads { GENERIC_READ } else { 0 }
        | if writes { GENERIC_WRITE } else { 0 }
}

fn mode_options(mode: IoMode) -> u32 {
    match mode {
        IoMode::Overlapped => 0,
        IoMode::Blocking => FILE_SYNCHRONOUS_IO_NONALERT,
    }
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::{AsHandle, FromRawHandle};
    use std::ptr;

    use windows_sys::Win32::System::Pipes::CreatePipe;

    use super::*;
    use crate::sys::windows::probe::granted_access;

    /// What the call is given, with a name and without. It cannot be queried afterwards.
    #[test]
    fn a_client_is_opened_anonymously() {
        let end = EndSpec { mode: IoMode::Overlapped, inheritable: false };
        let plan = Plan { direction: Direction::Duplex, server: end, client: end, quota: 4096, descriptor: None };
        let quality = anonymous();
        let given = client_object(&plan, None, &[], &quality).quality.expect("the default lets the server act for us");
        assert_eq!((given.Length, given.ImpersonationLevel), (12, 0), "SecurityAnonymous");
        assert_eq!(given.ContextTrackingMode, 0, "SECURITY_STATIC_TRACKING: later writers are not asked either");
        assert!(given.EffectiveOnly);
    }

    /// Each end gets at least what `CreatePipe` gives its own ends, and both kinds of attributes in
    /// either direction.
    #[test]
    fn the_access_is_that_of_create_pipe() {
        let (mut read, mut write) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: two writable handles, no attributes.
        assert_ne!(unsafe { CreatePipe(&raw mut read, &raw mut write, ptr::null(), 0) }, 0);
        // SAFETY: new, and ours.
        let theirs = [read, write].map(|handle| unsafe { OwnedHandle::from_raw_handle(handle) });
        let end = EndSpec { mode: IoMode::Overlapped, inheritable: false };
        let plan = Plan { direction: Direction::Inbound, server: end, client: end, quota: 4096, descriptor: None };
        let attributes = SYNCHRONIZE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES;
        for creation in [Creation::Unnamed, Creation::Named] {
            let (server, client) = create_as(&plan, creation).unwrap();
            for (ours, theirs) in [server, client].iter().zip(&theirs) {
                let ours = granted_access(ours.as_handle()).unwrap();
                let theirs = granted_access(theirs.as_handle()).unwrap();
                assert_eq!(ours & theirs, theirs, "{ours:#x} lacks some of {theirs:#x}");
                assert_eq!(ours & attributes, attributes, "{ours:#x}");
            }
        }
    }
}
