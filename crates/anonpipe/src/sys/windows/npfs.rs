//! New pairs. npfs has one kind of pipe; with and without a name it is made by the same two calls.

use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Storage::FileSystem::{FILE_NON_DIRECTORY_FILE, FILE_SYNCHRONOUS_IO_NONALERT};
use windows_sys::Win32::Foundation::{
    GENERIC_READ, GENERIC_WRITE, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_INVALID,
    STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_TYPE_MISMATCH,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_READ_ATTRIBUTES, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES, SYNCHRONIZE,
};

use super::PlatformOptions;
use super::named;
use super::nt::{self, Object, ServerParameters, Status};
use super::security::SecurityDescriptor;
use crate::contract::{DEFAULT_CAPACITY, Direction, EndSpec, Failure, IoMode, Spec};

/// 120 seconds: what `CreatePipe` and its imitations set. No client waits for an instance of these pipes.
const DEFAULT_TIMEOUT: i64 = -120 * 10_000_000; // in units of 100 ns, negative because relative

/// How a pair is made. There may be more ways one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Creation {
    /// Without a name if the system can do that, else with one. Whether it can is found by trying:
    /// an answer that means "never" is remembered, one that may be about this pair alone is not.
    /// Other errors, such as "access denied", "no memory" or "too many open files", are reported
    /// and no reason for a name.
    #[default]
    Auto,
    /// Without a name: nothing to guess, and nobody can open it.
    Unnamed,
    /// With a name: 128 random bits from the system, the first and only instance, open to the
    /// current user alone, and closed to other machines (not under Wine, which would make a pipe
    /// for messages of it). The client is opened relative to the server's handle where the system
    /// can do that, and both ends check that their peer is this process. For systems that know no
    /// unnamed pipes.
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
        Creation::Unnamed => unnamed(plan).map_err(Failure::from),
        Creation::Named => named::create(plan),
        Creation::Auto => {
            static REFUSED: AtomicBool = AtomicBool::new(false);
            auto(&REFUSED, || unnamed(plan), || named::create(plan))
        }
    }
}

/// Unnamed if the system can do that, which is found by trying, and tried until it says that it
/// never can.
fn auto<T>(
    refused: &AtomicBool,
    unnamed: impl FnOnce() -> Result<T, Status>,
    named: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if refused.load(Ordering::Relaxed) {
        return named();
    }
    unnamed().or_else(|status| match refusal(status) {
        Refusal::ForGood => {
            refused.store(true, Ordering::Relaxed);
            named()
        }
        Refusal::ThisTime => named(),
        Refusal::Other => Err(status.into()),
    })
}

/// What the refusal of a pair without a name means for one with a name.
enum Refusal {
    /// The system knows no pipes without a name, and will not learn of them while this process
    /// runs.
    ForGood,
    /// It could not make this one. Something between us and npfs (a filter, a hook) may have said
    /// so, and may be gone the next time.
    ThisTime,
    /// It would be no better with a name: no memory, no handles, no access, and what we do not
    /// know.
    Other,
}

fn refusal(status: Status) -> Refusal {
    match status.0 {
        STATUS_NOT_IMPLEMENTED | STATUS_NOT_SUPPORTED | STATUS_OBJECT_NAME_INVALID => Refusal::ForGood,
        STATUS_INVALID_DEVICE_REQUEST
        | STATUS_INVALID_PARAMETER
        | STATUS_OBJECT_NAME_NOT_FOUND
        | STATUS_OBJECT_PATH_INVALID
        | STATUS_OBJECT_PATH_NOT_FOUND
        | STATUS_OBJECT_PATH_SYNTAX_BAD
        | STATUS_OBJECT_TYPE_MISMATCH => Refusal::ThisTime,
        _ => Refusal::Other,
    }
}

/// Whether a status means that the system cannot do what was asked, rather than that the process
/// may not, or lacks something for it.
pub(super) fn is_refusal(status: Status) -> bool {
    !matches!(refusal(status), Refusal::Other)
}

/// A pair without a name: nobody can open it, guess it or get in between.
fn unnamed(plan: &Plan<'_>) -> Result<(OwnedHandle, OwnedHandle), Status> {
    // STEP 1: the server end, without a name, relative to the root of npfs.
    let server = nt::create_server(
        &Object {
            root: Some(root()?),
            name: &[],
            inheritable: plan.server.inheritable,
            descriptor: plan.descriptor,
            quality: None,
        },
        &server_parameters(plan, /* pipe_type */ 0),
    )?;
    // STEP 2: the client end, relative to the server end. There is one instance, so a second client is impossible.
    let client = open_client(plan, Some(server.as_handle()), &[], None)?;
    Ok((server, client))
}

/// Opens the client end: what `name` means relative to `root`.
pub(super) fn open_client(
    plan: &Plan<'_>,
    root: Option<BorrowedHandle<'_>>,
    name: &[u16],
    quality: Option<&windows_sys::Win32::Security::SECURITY_QUALITY_OF_SERVICE>,
) -> Result<OwnedHandle, Status> {
    let object = Object { root, name, inheritable: plan.client.inheritable, descriptor: None, quality };
    let (reads, writes) = match plan.direction {
        Direction::Inbound => (false, true),
        Direction::Outbound => (true, false),
        Direction::Duplex => (true, true),
    };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    nt::open(&object, access(reads, writes), share, mode_options(plan.client.mode) | FILE_NON_DIRECTORY_FILE)
}

pub(super) fn server_parameters(plan: &Plan<'_>, pipe_type: u32) -> ServerParameters {
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

/// The access that `CreatePipe` gives: both kinds of attributes, whatever the direction, so that either end answers queries
/// about the pipe (FILE_READ_ATTRIBUTES) and changes of its mode (FILE_WRITE_ATTRIBUTES), and can be waited on.
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

/// The root of npfs, opened once a process. The trailing backslash makes it the file system and not its device.
fn root() -> Result<BorrowedHandle<'static>, Status> {
    static ROOT: OnceLock<OwnedHandle> = OnceLock::new();
    if let Some(root) = ROOT.get() {
        return Ok(root.as_handle());
    }
    let name: Vec<u16> = r"\Device\NamedPipe\".encode_utf16().collect();
    let object = Object { root: None, name: &name, inheritable: false, descriptor: None, quality: None };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    let root = nt::open(&object, GENERIC_READ | SYNCHRONIZE, share, FILE_SYNCHRONOUS_IO_NONALERT)?;
    // Of two threads that come here first, one closes what it opened.
    Ok(ROOT.get_or_init(|| root).as_handle())
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::FromRawHandle;
    use std::ptr;

    use windows_sys::Win32::Foundation::{
        NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY, STATUS_TOO_MANY_OPENED_FILES,
    };
    use windows_sys::Win32::System::Pipes::CreatePipe;

    use super::*;
    use crate::sys::windows::probe::granted_access;

    fn refusing(status: NTSTATUS) -> (Result<&'static str, Failure>, bool) {
        let refused = AtomicBool::new(false);
        let result = auto(&refused, || Err(Status(status)), || Ok("named"));
        (result, refused.into_inner())
    }

    #[test]
    fn auto_falls_back_where_unnamed_pipes_are_not_known() {
        for status in [STATUS_NOT_SUPPORTED, STATUS_NOT_IMPLEMENTED, STATUS_OBJECT_NAME_INVALID] {
            let (result, refused) = refusing(status);
            assert_eq!(result.unwrap(), "named");
            assert!(refused, "the refusal is remembered");
        }
    }

    /// One odd answer does not decide for all the pairs to come.
    #[test]
    fn auto_falls_back_for_one_pair_where_that_one_cannot_be_made() {
        for status in [
            STATUS_INVALID_DEVICE_REQUEST,
            STATUS_INVALID_PARAMETER,
            STATUS_OBJECT_NAME_NOT_FOUND,
            STATUS_OBJECT_PATH_INVALID,
            STATUS_OBJECT_PATH_NOT_FOUND,
            STATUS_OBJECT_PATH_SYNTAX_BAD,
            STATUS_OBJECT_TYPE_MISMATCH,
        ] {
            let (result, refused) = refusing(status);
            assert_eq!(result.unwrap(), "named", "{status:#x}");
            assert!(!refused, "{status:#x} is remembered");
        }
    }

    #[test]
    fn auto_remembers_the_refusal() {
        let refused = AtomicBool::new(true);
        let result = auto(&refused, || panic!("not tried again"), || Ok("named"));
        assert_eq!(result.unwrap(), "named");
    }

    #[test]
    fn auto_reports_other_errors() {
        for (status, code) in [
            (STATUS_ACCESS_DENIED, 5),
            (STATUS_TOO_MANY_OPENED_FILES, 4),
            (STATUS_INSUFFICIENT_RESOURCES, 1450),
            (STATUS_NO_MEMORY, 8),
        ] {
            let (result, refused) = refusing(status);
            let error = result.unwrap_err().into_io(crate::contract::Action::Create, None);
            assert_eq!(crate::Error::of(&error).unwrap().raw_os_error(), Some(code));
            assert!(!refused);
        }
    }

    #[test]
    fn auto_prefers_unnamed() {
        let refused = AtomicBool::new(false);
        let result = auto(&refused, || Ok("unnamed"), || panic!("a name where none is needed"));
        assert_eq!(result.unwrap(), "unnamed");
        assert!(!refused.load(Ordering::Relaxed));
    }

    /// Each end gets at least what `CreatePipe` gives its own, and both kinds of attributes in either direction.
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
