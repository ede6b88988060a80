//! The NT calls below kernel32, and their status codes as `io::Error`.
//!
//! # References
//!
//! - [`NtCreateNamedPipeFile`]
//! - [`NtOpenFile`]
//! - [`NtQueryInformationFile`]
//! - [rust-lang/rust#143078](https://github.com/rust-lang/rust/issues/143078)
//! - [microsoft/go-winio#280](https://github.com/microsoft/go-winio/issues/280)
//!
//! [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
//! [`NtOpenFile`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntopenfile
//! [`NtQueryInformationFile`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/nf-ntifs-ntqueryinformationfile

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_INFORMATION_CLASS, NtOpenFile, NtQueryInformationFile};
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, OBJ_CASE_INSENSITIVE, OBJ_INHERIT, UNICODE_STRING};
use windows_sys::Win32::Security::SECURITY_QUALITY_OF_SERVICE;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::answers;
use super::security::SecurityDescriptor;
use crate::contract::Failure;

// Not in windows-sys. Documented since Windows 11's headers (ntioapi.h); exported by ntdll since NT
// 3.1. Undecorated: on 32-bit x86 rustc would otherwise ask for `NtCreateNamedPipeFile@56`, which
// ntdll does not export.
#[cfg_attr(
    target_arch = "x86",
    link(name = "ntdll.dll", kind = "raw-dylib", modifiers = "+verbatim", import_name_type = "undecorated")
)]
#[cfg_attr(not(target_arch = "x86"), link(name = "ntdll.dll", kind = "raw-dylib", modifiers = "+verbatim"))]
unsafe extern "system" {
    fn NtCreateNamedPipeFile(
        handle: *mut HANDLE,
        desired_access: u32,
        object_attributes: *const OBJECT_ATTRIBUTES,
        io_status_block: *mut IO_STATUS_BLOCK,
        share_access: u32,
        create_disposition: u32,
        create_options: u32,
        named_pipe_type: u32,
        read_mode: u32,
        completion_mode: u32,
        maximum_instances: u32,
        inbound_quota: u32,
        outbound_quota: u32,
        default_timeout: *const i64,
    ) -> NTSTATUS;
}

/// An error status of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status(pub(super) NTSTATUS);

impl Status {
    fn check(status: NTSTATUS) -> Result<(), Self> {
        if status >= 0 { Ok(()) } else { Err(Self(status)) }
    }
}

impl From<Status> for io::Error {
    fn from(status: Status) -> Self {
        Self::from_raw_os_error(answers::code_of(status.0).cast_signed())
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        answers::failure(answers::code_of(status.0), Some(0))
    }
}

/// The name of an object to open or create, and the properties of its handle.
pub(super) struct Object<'a> {
    /// Where `name` begins; `None`: it is a full path.
    pub(super) root: Option<BorrowedHandle<'a>>,
    /// UTF-16, without a terminator.
    pub(super) name: &'a [u16],
    pub(super) inheritable: bool,
    pub(super) descriptor: Option<&'a SecurityDescriptor>,
    pub(super) quality: Option<&'a SECURITY_QUALITY_OF_SERVICE>,
}

impl Object<'_> {
    /// Calls `open` with this object's attributes and room for the handle. Owns the handle on
    /// success.
    fn with<F>(&self, open: F) -> Result<OwnedHandle, Status>
    where
        F: FnOnce(*mut HANDLE, *const OBJECT_ATTRIBUTES, *mut IO_STATUS_BLOCK) -> NTSTATUS,
    {
        // Names here are at most some sixty characters long.
        let length = u16::try_from(size_of_val(self.name)).unwrap_or(u16::MAX);
        let name = UNICODE_STRING {
            Length: length,
            MaximumLength: length,
            // DLLs that hook these calls have been seen to read one character of an empty name,
            // unless its buffer is null.
            Buffer: if length == 0 { ptr::null_mut() } else { self.name.as_ptr().cast_mut() },
        };
        let attributes = OBJECT_ATTRIBUTES {
            Length: u32::try_from(size_of::<OBJECT_ATTRIBUTES>()).unwrap_or(0),
            RootDirectory: self.root.map_or(ptr::null_mut(), |root| root.as_raw_handle()),
            ObjectName: &raw const name,
            Attributes: OBJ_CASE_INSENSITIVE | if self.inheritable { OBJ_INHERIT } else { 0 },
            SecurityDescriptor: self.descriptor.map_or(ptr::null(), SecurityDescriptor::as_ptr).cast(),
            SecurityQualityOfService: self.quality.map_or(ptr::null(), ptr::from_ref).cast(),
        };
        let mut handle = ptr::null_mut();
        let mut block = IO_STATUS_BLOCK::default();
        Status::check(open(&raw mut handle, &raw const attributes, &raw mut block))?;
        // SAFETY: the call succeeded, so `handle` is new, valid, and has no other owner.
        Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
    }
}

/// The parameters of `NtCreateNamedPipeFile` that vary.
pub(super) struct ServerParameters {
    pub(super) access: u32,
    pub(super) share: u32,
    pub(super) options: u32,
    pub(super) pipe_type: u32,
    pub(super) quota: u32,
    /// In units of 100 nanoseconds; negative, as all relative times are.
    pub(super) default_timeout: i64,
}

const FILE_CREATE: u32 = 2;
const FILE_PIPE_BYTE_STREAM_MODE: u32 = 0;
const FILE_PIPE_QUEUE_OPERATION: u32 = 0;

/// Makes the server end of a pipe of one instance.
pub(super) fn create_server(object: &Object<'_>, parameters: &ServerParameters) -> Result<OwnedHandle, Status> {
    object.with(|handle, attributes, block| {
        // SAFETY: `with` passes pointers to its own variables. What `attributes` points to (the
        // name, the root handle, the descriptor) is borrowed by `object` for longer than the call.
        // The timeout outlives the call, too.
        unsafe {
            NtCreateNamedPipeFile(
                handle,
                parameters.access,
                attributes,
                block,
                parameters.share,
                FILE_CREATE,
                parameters.options,
                parameters.pipe_type,
                FILE_PIPE_BYTE_STREAM_MODE,
                FILE_PIPE_QUEUE_OPERATION,
                /* maximum_instances */ 1,
                /* inbound_quota */ parameters.quota,
                /* outbound_quota */ parameters.quota,
                &raw const parameters.default_timeout,
            )
        }
    })
}

/// Opens what `object` names.
pub(super) fn open(object: &Object<'_>, access: u32, share: u32, options: u32) -> Result<OwnedHandle, Status> {
    object.with(|handle, attributes, block| {
        // SAFETY: as in `create_server`.
        unsafe { NtOpenFile(handle, access, attributes, block, share, options) }
    })
}

/// Queries a file object. `T` must be the plain-data struct that belongs to `class`.
///
/// # Safety
///
/// Every bit pattern that the system may write for `class` must be a valid `T`.
pub(super) unsafe fn query<T>(handle: BorrowedHandle<'_>, class: FILE_INFORMATION_CLASS) -> io::Result<T> {
    let mut block = IO_STATUS_BLOCK::default();
    let mut information = MaybeUninit::<T>::zeroed();
    let size = u32::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: both outputs live on this stack, and the length is that of `information`. Such
    // queries never pend.
    let status = unsafe {
        NtQueryInformationFile(handle.as_raw_handle(), &raw mut block, information.as_mut_ptr().cast(), size, class)
    };
    Status::check(status)?;
    // SAFETY: zeroed, and then filled by the system; the caller promises that such contents are a
    // valid `T`.
    Ok(unsafe { information.assume_init() })
}
