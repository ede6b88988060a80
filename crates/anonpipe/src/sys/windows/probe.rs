//! Finds out what a handle is.
//!
//! # References
//!
//! - [`GetFileType`]
//! - [`FILE_PIPE_LOCAL_INFORMATION`]
//! - [`FILE_PIPE_INFORMATION`]
//! - [`FILE_MODE_INFORMATION`]
//! - [`NtQueryObject`]
//!
//! [`GetFileType`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-getfiletype
//! [`FILE_PIPE_LOCAL_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_pipe_local_information
//! [`FILE_PIPE_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_pipe_information
//! [`FILE_MODE_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_mode_information
//! [`NtQueryObject`]: https://learn.microsoft.com/en-us/windows/win32/api/winternl/nf-winternl-ntqueryobject

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;

use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectBasicInformation};
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_MODE_INFORMATION, FILE_PIPE_INFORMATION, FILE_PIPE_LOCAL_INFORMATION, FILE_PIPE_MESSAGE_TYPE,
    FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT, FileModeInformation, FilePipeInformation,
    FilePipeLocalInformation,
};
use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE_FLAG_INHERIT};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_READ_DATA, FILE_TYPE_PIPE, FILE_WRITE_DATA, FileNameInfo, GetFileInformationByHandleEx, GetFileType,
};
use windows_sys::Win32::System::WindowsProgramming::PUBLIC_OBJECT_BASIC_INFORMATION;

use super::{answers, nt};
use crate::contract::{Direction, Failure, IoMode, Probe, Role};

// The values of FILE_PIPE_LOCAL_INFORMATION and FILE_PIPE_INFORMATION, as in ntifs.h.
const INBOUND: u32 = 0;
const OUTBOUND: u32 = 1;
const SERVER_END: u32 = 1;
const DISCONNECTED: u32 = 1;
const LISTENING: u32 = 2;
const CONNECTED: u32 = 3;
const MESSAGE_MODE: u32 = 1;
const COMPLETE_OPERATION: u32 = 1;

/// Whether there is something to read, or the end of file. No, if that is unknown.
pub(super) fn is_readable(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the struct of this class, integers only.
    let local = unsafe { nt::query::<FILE_PIPE_LOCAL_INFORMATION>(handle, FilePipeLocalInformation) };
    local.is_ok_and(|local| local.ReadDataAvailable > 0 || local.NamedPipeState != CONNECTED)
}

/// How a write would fail at once, because the peer is gone. `None`: it would not fail, or that is
/// unknown.
pub(super) fn refusal_of_writes(handle: BorrowedHandle<'_>) -> Option<Failure> {
    // SAFETY: the struct of this class, integers only.
    let local = unsafe { nt::query::<FILE_PIPE_LOCAL_INFORMATION>(handle, FilePipeLocalInformation) }.ok()?;
    answers::refusal_in_state(local.NamedPipeState)
}

/// Whether a pipe keeps written bytes as messages.
pub(super) fn is_for_messages(handle: BorrowedHandle<'_>) -> io::Result<bool> {
    // SAFETY: the struct of this class, integers only.
    let local = unsafe { nt::query::<FILE_PIPE_LOCAL_INFORMATION>(handle, FilePipeLocalInformation) }?;
    Ok(local.NamedPipeType & FILE_PIPE_MESSAGE_TYPE != 0)
}

pub(crate) fn probe(handle: BorrowedHandle<'_>) -> Result<Probe, Failure> {
    probe_raw(handle).map_err(answers::failure_of)
}

fn probe_raw(handle: BorrowedHandle<'_>) -> io::Result<Probe> {
    let no_pipe = |why| Probe {
        mode: IoMode::Blocking,
        readable: false,
        writable: false,
        role: None,
        direction: None,
        inheritable: false,
        name: None,
        capacity: None,
        unfit: Some(why),
    };
    // SAFETY: the call needs only an open handle.
    if unsafe { GetFileType(handle.as_raw_handle()) } != FILE_TYPE_PIPE {
        return Ok(no_pipe("it is no pipe"));
    }
    // SAFETY: the struct of this class, integers only.
    let Ok(local) = (unsafe { nt::query::<FILE_PIPE_LOCAL_INFORMATION>(handle, FilePipeLocalInformation) }) else {
        // Sockets have the same file type. A pipe without FILE_READ_ATTRIBUTES looks the same.
        return Ok(no_pipe("it is a socket, or a pipe that may not be asked about (no FILE_READ_ATTRIBUTES)"));
    };
    // SAFETY: as above.
    let modes = unsafe { nt::query::<FILE_PIPE_INFORMATION>(handle, FilePipeInformation) }?;
    // SAFETY: as above.
    let mode = unsafe { nt::query::<FILE_MODE_INFORMATION>(handle, FileModeInformation) }?.Mode;
    let synchronous = mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) != 0;
    let access = granted_access(handle)?;
    let server = local.NamedPipeEnd == SERVER_END;
    let direction = match local.NamedPipeConfiguration {
        INBOUND => Direction::Inbound,
        OUTBOUND => Direction::Outbound,
        _ => Direction::Duplex,
    };
    Ok(Probe {
        mode: if synchronous { IoMode::Blocking } else { IoMode::Overlapped },
        readable: access & FILE_READ_DATA != 0,
        writable: access & FILE_WRITE_DATA != 0,
        role: Some(if server { Role::Server } else { Role::Client }),
        direction: Some(direction),
        inheritable: is_inheritable(handle)?,
        name: name(handle),
        capacity: Some(match direction {
            Direction::Outbound => local.OutboundQuota,
            Direction::Inbound | Direction::Duplex => local.InboundQuota,
        } as usize),
        unfit: match (local.NamedPipeState, modes.ReadMode, modes.CompletionMode) {
            (DISCONNECTED | LISTENING, ..) => Some("it is not connected"),
            (_, MESSAGE_MODE, _) => Some("it reads messages; set its read mode to bytes first"),
            (.., COMPLETE_OPERATION) => Some("it is in the mode PIPE_NOWAIT, which loses bytes; set PIPE_WAIT first"),
            _ => None,
        },
    })
}

pub(super) fn granted_access(handle: BorrowedHandle<'_>) -> io::Result<u32> {
    let mut basic = PUBLIC_OBJECT_BASIC_INFORMATION::default();
    let size = u32::try_from(size_of_val(&basic)).unwrap_or(0);
    // SAFETY: the struct of this class, on this stack, with its size.
    let status = unsafe {
        NtQueryObject(
            handle.as_raw_handle(),
            ObjectBasicInformation,
            ptr::from_mut(&mut basic).cast(),
            size,
            ptr::null_mut(),
        )
    };
    if status < 0 { Err(nt::Status(status).into()) } else { Ok(basic.GrantedAccess) }
}

pub(super) fn is_inheritable(handle: BorrowedHandle<'_>) -> io::Result<bool> {
    let mut flags = 0;
    // SAFETY: an open handle, and room for the flags.
    if unsafe { GetHandleInformation(handle.as_raw_handle(), &raw mut flags) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(flags & HANDLE_FLAG_INHERIT != 0)
}

/// `FILE_NAME_INFO` with room for the longest name of a pipe, 256 characters.
#[repr(C)]
struct NameBuffer {
    /// In bytes.
    length: u32,
    name: [u16; 260],
}

/// The name below `\\.\pipe`, with a leading backslash; `None` for an unnamed pipe.
fn name(handle: BorrowedHandle<'_>) -> Option<String> {
    let mut buffer = NameBuffer { length: 0, name: [0; 260] };
    let size = u32::try_from(size_of_val(&buffer)).unwrap_or(0);
    // SAFETY: a buffer of the layout of FILE_NAME_INFO, on this stack, with its size.
    let done = unsafe {
        GetFileInformationByHandleEx(handle.as_raw_handle(), FileNameInfo, ptr::from_mut(&mut buffer).cast(), size)
    };
    let units = buffer.length as usize / 2;
    let name = buffer.name.get(..units)?;
    // An unnamed pipe answers with an error, with nothing, or with the bare root.
    (done != 0 && units > 1).then(|| String::from_utf16_lossy(name))
}
