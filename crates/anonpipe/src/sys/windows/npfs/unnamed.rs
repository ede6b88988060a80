//! A pair without a name.
//!
//! # References
//!
//! - [`NtCreateNamedPipeFile`]
//! - [`NtOpenFile`]
//!
//! [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
//! [`NtOpenFile`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntopenfile

use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Wdk::Storage::FileSystem::FILE_SYNCHRONOUS_IO_NONALERT;
use windows_sys::Win32::Foundation::GENERIC_READ;
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE};

use super::nt::{self, Object, Status};
use super::{Plan, open_client, server_parameters};

/// Makes a pair without a name: there is nothing to open or to guess, and no way to get in between.
pub(super) fn create(plan: &Plan<'_>) -> Result<(OwnedHandle, OwnedHandle), Status> {
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
    // STEP 2: the client end, relative to the server end. There is one instance, so a second client
    // is impossible.
    let client = open_client(plan, Some(server.as_handle()), &[])?;
    Ok((server, client))
}

/// The root of npfs, opened once per process. The trailing backslash names the file system, not its
/// device.
fn root() -> Result<BorrowedHandle<'static>, Status> {
    static ROOT: OnceLock<OwnedHandle> = OnceLock::new();
    if let Some(root) = ROOT.get() {
        return Ok(root.as_handle());
    }
    let name: Vec<u16> = r"\Device\NamedPipe\".encode_utf16().collect();
    let object = Object { root: None, name: &name, inheritable: false, descriptor: None, quality: None };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    let root = nt::open(&object, GENERIC_READ | SYNCHRONIZE, share, FILE_SYNCHRONOUS_IO_NONALERT)?;
    // If two threads come here first, one of them closes its handle.
    Ok(ROOT.get_or_init(|| root).as_handle())
}
