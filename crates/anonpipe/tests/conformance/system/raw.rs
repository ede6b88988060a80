//! Calls on raw handles, as code without the library makes them.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_INFORMATION_CLASS, FILE_PIPE_LOCAL_INFORMATION, FileIoCompletionNotificationInformation,
    FilePipeLocalInformation, NtOpenFile, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, GENERIC_READ, INVALID_HANDLE_VALUE, LocalFree, NTSTATUS, UNICODE_STRING, WAIT_FAILED,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, RevertToSelf, TOKEN_QUERY, TokenImpersonationLevel,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE, PIPE_ACCESS_DUPLEX,
    ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{
    CancelSynchronousIo, CreateIoCompletionPort, GetQueuedCompletionStatus, IO_STATUS_BLOCK, OVERLAPPED,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, DisconnectNamedPipe, ImpersonateNamedPipeClient, PIPE_READMODE_MESSAGE, PIPE_TYPE_BYTE,
    PIPE_TYPE_MESSAGE,
};
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken, WaitForSingleObject};

pub(super) fn checked(done: i32) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Asks about a file object.
///
/// # Safety
///
/// `T` must be the struct of `class`, made of integers.
unsafe fn query<T: Default>(handle: &impl AsHandle, class: FILE_INFORMATION_CLASS) -> T {
    let mut information = T::default();
    let mut block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of::<T>()).expect("a small struct");
    // SAFETY: everything lives on this stack, and the length is that of the struct.
    let status = unsafe {
        NtQueryInformationFile(
            handle.as_handle().as_raw_handle(),
            &raw mut block,
            (&raw mut information).cast(),
            size,
            class,
        )
    };
    assert!(status >= 0, "NtQueryInformationFile({class}): {status:#x}");
    information
}

/// How many bytes each direction of a pipe holds: inbound, outbound.
pub(crate) fn quotas(end: &impl AsHandle) -> (u32, u32) {
    // SAFETY: the struct of this class.
    let local: FILE_PIPE_LOCAL_INFORMATION = unsafe { query(end, FilePipeLocalInformation) };
    (local.InboundQuota, local.OutboundQuota)
}

/// Whether a pipe keeps what is written to it as messages.
pub(crate) fn is_for_messages(end: &impl AsHandle) -> bool {
    // SAFETY: the struct of this class.
    let local: FILE_PIPE_LOCAL_INFORMATION = unsafe { query(end, FilePipeLocalInformation) };
    local.NamedPipeType & 1 != 0
}

/// Which notifications the completions on a file object leave out.
pub(crate) fn notification_modes(end: &impl AsHandle) -> u32 {
    // SAFETY: its struct is one ULONG.
    unsafe { query(end, FileIoCompletionNotificationInformation) }
}

/// Writes as a program does that does not know that the handle is overlapped: the system waits for
/// the file object.
pub(crate) fn write_on_the_file_object(handle: &impl AsHandle, bytes: &[u8]) -> io::Result<u32> {
    let (mut count, length) = (0, u32::try_from(bytes.len()).expect("few bytes"));
    // SAFETY: an open handle, and the call returns when the system is done with the bytes.
    let done = unsafe {
        WriteFile(handle.as_handle().as_raw_handle(), bytes.as_ptr(), length, &raw mut count, ptr::null_mut())
    };
    checked(done).map(|()| count)
}

/// Reads in the same way.
pub(crate) fn read_on_the_file_object(handle: &impl AsHandle, limit: u32) -> io::Result<Vec<u8>> {
    let (mut count, mut buffer) = (0, vec![0; limit as usize]);
    // SAFETY: an open handle, and the call returns when the system is done with the buffer.
    let done = unsafe {
        ReadFile(handle.as_handle().as_raw_handle(), buffer.as_mut_ptr(), limit, &raw mut count, ptr::null_mut())
    };
    checked(done)?;
    buffer.truncate(count as usize);
    Ok(buffer)
}

/// A completion port of the tests' own.
pub(crate) struct Port(OwnedHandle);

/// Binds a handle to a new port, which fails if it has one.
pub(crate) fn bind_to_new_port(handle: &impl AsHandle) -> io::Result<Port> {
    let handle = handle.as_handle().as_raw_handle();
    // SAFETY: makes a new port, bound to nothing.
    let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 0) };
    assert!(!port.is_null(), "CreateIoCompletionPort");
    // SAFETY: the call succeeded, so the handle is new and ours.
    let port = unsafe { OwnedHandle::from_raw_handle(port) };
    // SAFETY: two open handles.
    let bound = unsafe { CreateIoCompletionPort(handle, port.as_raw_handle(), 1, 0) };
    if bound.is_null() { Err(io::Error::last_os_error()) } else { Ok(Port(port)) }
}

impl Port {
    /// Whether a packet is there.
    pub(crate) fn has_packet(&self) -> bool {
        let (mut count, mut key, mut overlapped) = (0, 0, ptr::null_mut());
        // SAFETY: an open port, and somewhere to put the answers. It does not wait.
        let done = unsafe {
            GetQueuedCompletionStatus(self.0.as_raw_handle(), &raw mut count, &raw mut key, &raw mut overlapped, 0)
        };
        done != 0 || !overlapped.is_null()
    }
}

/// Waits for a handle for no time at all: an error if that is not allowed.
pub(crate) fn wait_for(handle: &impl AsHandle) -> io::Result<()> {
    // SAFETY: an open handle.
    let answer = unsafe { WaitForSingleObject(handle.as_handle().as_raw_handle(), 0) };
    if answer == WAIT_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What a server can do to its client.
pub(crate) fn disconnect(server: &impl AsHandle) {
    // SAFETY: an open handle.
    checked(unsafe { DisconnectNamedPipe(server.as_handle().as_raw_handle()) }).expect("DisconnectNamedPipe");
}

/// Ends the call that a thread blocks in, once it does.
pub(crate) fn cancel_blocked_call<T>(thread: &std::thread::JoinHandle<T>) {
    crate::harness::soon("a call that can be cancelled", || {
        // SAFETY: an open handle to a thread.
        unsafe { CancelSynchronousIo(thread.as_raw_handle()) != 0 }
    });
}

/// A read that the library knows nothing of. Never freed, since it may never end.
pub(crate) struct ForeignRead {
    overlapped: *mut OVERLAPPED,
    buffer: *mut [u8; 8],
}

impl ForeignRead {
    pub(crate) fn start(handle: &impl AsHandle) -> Self {
        let overlapped = Box::into_raw(Box::new(OVERLAPPED::default()));
        let buffer = Box::into_raw(Box::new([0; 8]));
        // SAFETY: neither the buffer nor the OVERLAPPED is ever freed.
        let done =
            unsafe { ReadFile(handle.as_handle().as_raw_handle(), buffer.cast(), 8, ptr::null_mut(), overlapped) };
        let error = io::Error::last_os_error();
        assert!(done == 0 && error.raw_os_error() == Some(ERROR_IO_PENDING.cast_signed()), "{done} {error}");
        Self { overlapped, buffer }
    }

    /// What it has read, when it is complete.
    pub(crate) fn finished(&self) -> Option<Vec<u8>> {
        // SAFETY: valid for ever.
        let status = unsafe { &raw mut (*self.overlapped).Internal };
        // The count is there once the status is.
        // SAFETY: as above; only the kernel writes it.
        if unsafe { AtomicUsize::from_ptr(status) }.load(Ordering::Acquire) != 0 {
            return None;
        }
        // SAFETY: as above.
        let count = unsafe { (*self.overlapped).InternalHigh };
        // SAFETY: complete, so the kernel is done with it.
        Some(unsafe { &*self.buffer }[..count].to_vec())
    }
}

/// The server end of a pipe with a name, with no client yet.
pub(crate) fn named_server(name: &str, messages: bool, first: bool) -> io::Result<OwnedHandle> {
    let path = wide(&format!(r"\\.\pipe\{name}"));
    let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | if first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    let mode = if messages { PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE } else { PIPE_TYPE_BYTE };
    // SAFETY: a string that ends with a zero; no security attributes.
    let server = unsafe { CreateNamedPipeW(path.as_ptr(), open, mode, 1, 4096, 4096, 0, ptr::null()) };
    if server == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is new and ours.
    Ok(unsafe { OwnedHandle::from_raw_handle(server) })
}

/// Tries to open another client of an unnamed pipe; returns the system's answer.
pub(crate) fn open_unnamed_client(server: &impl AsHandle) -> NTSTATUS {
    let name = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: u32::try_from(size_of::<OBJECT_ATTRIBUTES>()).expect("a small struct"),
        RootDirectory: server.as_handle().as_raw_handle(),
        ObjectName: &raw const name,
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut block = IO_STATUS_BLOCK::default();
    let mut handle = ptr::null_mut();
    // SAFETY: everything lives on this stack; the call is synchronous.
    let status = unsafe {
        NtOpenFile(
            &raw mut handle,
            GENERIC_READ,
            &raw const attributes,
            &raw mut block,
            FILE_SHARE_READ | FILE_SHARE_WRITE,
            0,
        )
    };
    if status >= 0 {
        // SAFETY: the call succeeded, so the handle is new and ours.
        drop(unsafe { OwnedHandle::from_raw_handle(handle) });
    }
    status
}

/// The list of who may do what with a handle's object, as SDDL.
pub(crate) fn access_list(handle: &impl AsHandle) -> String {
    let mut descriptor = ptr::null_mut();
    // SAFETY: an open handle, and somewhere to put the descriptor; the parts are not asked for.
    let error = unsafe {
        GetSecurityInfo(
            handle.as_handle().as_raw_handle(),
            SE_KERNEL_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    assert_eq!(error, 0, "GetSecurityInfo");
    let (mut text, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the descriptor that the system has just made.
    let done = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            &raw mut length,
        )
    };
    checked(done).expect("ConvertSecurityDescriptorToStringSecurityDescriptorW");
    // SAFETY: the system says how long its string is.
    let units = unsafe { std::slice::from_raw_parts(text, length as usize) };
    let sddl = String::from_utf16_lossy(units).trim_end_matches('\0').to_owned();
    // SAFETY: made by the system for us to free.
    unsafe { LocalFree(text.cast()) };
    // SAFETY: as above.
    unsafe { LocalFree(descriptor) };
    sddl
}

/// While it lives, this thread acts in another name. Dropping it ends that.
pub(super) struct InAnotherName;

impl Drop for InAnotherName {
    fn drop(&mut self) {
        // SAFETY: takes nothing.
        checked(unsafe { RevertToSelf() }).expect("RevertToSelf");
    }
}

/// Acts in the name of a pipe's client, as the holder of the server end may try to; returns how far
/// that goes: 1 to learn who it is, 2 to do what it may do.
pub(crate) fn act_for_the_client(server: &impl AsHandle) -> io::Result<i32> {
    // SAFETY: an open handle.
    checked(unsafe { ImpersonateNamedPipeClient(server.as_handle().as_raw_handle()) })?;
    let _until_then = InAnotherName;
    let mut token = ptr::null_mut();
    // SAFETY: takes nothing, and cannot fail.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: this thread, and somewhere to put the handle.
    checked(unsafe {
        OpenThreadToken(thread, TOKEN_QUERY, /* OpenAsSelf */ 1, &raw mut token)
    })?;
    // SAFETY: the call succeeded, so the handle is new and ours.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let (mut level, mut length) = (0_i32, 0);
    // SAFETY: an open token, and room for its level, which has four bytes.
    checked(unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenImpersonationLevel, (&raw mut level).cast(), 4, &raw mut length)
    })?;
    Ok(level)
}
