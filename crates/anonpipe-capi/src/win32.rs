//! The question's functions, under their own names and with their own ways of failing.

use std::ffi::{c_int, c_ulong};
use std::io;
use std::os::windows::io::{IntoRawHandle, OwnedHandle};

use pipes::windows::{HandleMode, SecurityAttributes, SecurityDescriptor};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_GEN_FAILURE, ERROR_INVALID_PARAMETER, ERROR_SUCCESS, SetLastError,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;

use crate::handle::anonpipe_handle;
use crate::result::{catch, raw};

/// ULONG CreatePipeAnonymousPair7(PHANDLE phServerPipe, PHANDLE phClientPipe)
///
/// Makes an unnamed pair: the server end overlapped and not inheritable, the client end synchronous
/// and inheritable, both read and write. Each direction holds 65536 bytes.
///
/// The handles are plain, bound to no completion port, and yours to close. Every way of waiting
/// works on them: events, completion ports, completion routines, thread pool I/O. Give the client
/// end to a child, and close your handle when the child has it.
///
/// Returns 0, or the Win32 error code of the call that failed. ERROR_INVALID_PARAMETER: a null
/// pointer, or the same one twice. On failure nothing is written, and nothing stays open. Windows
/// only.
///
/// Requires: the outputs, if not null, can be written.
#[cfg(windows)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn CreatePipeAnonymousPair7(
    phServerPipe: *mut anonpipe_handle,
    phClientPipe: *mut anonpipe_handle,
) -> c_ulong {
    // SAFETY: what the caller promises is what this asks for.
    unsafe { store(phServerPipe, phClientPipe, pipes::create_pipe_anonymous_pair7) }
}

/// ULONG CreatePipeAnonymousPair(PHANDLE phServerPipe, PHANDLE phClientPipe)
///
/// As CreatePipeAnonymousPair7, but it also works on systems without unnamed pipes. There the pair
/// has a name of 128 random bits. It admits this user alone, and one client, which is already
/// connected.
///
/// Requires: the outputs, if not null, can be written.
#[cfg(windows)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn CreatePipeAnonymousPair(
    phServerPipe: *mut anonpipe_handle,
    phClientPipe: *mut anonpipe_handle,
) -> c_ulong {
    // SAFETY: what the caller promises is what this asks for.
    unsafe { store(phServerPipe, phClientPipe, pipes::create_pipe_anonymous_pair) }
}

/// `CreatePipe` with a mode for each end. cbindgen knows no calling conventions, so its declaration
/// for C, and what it promises, is in `cbindgen.toml`.
#[cfg(windows)]
#[unsafe(no_mangle)]
pub unsafe extern "system" fn MyCreatePipeEx(
    lpReadPipe: *mut anonpipe_handle,
    lpWritePipe: *mut anonpipe_handle,
    lpPipeAttributes: *mut SECURITY_ATTRIBUTES,
    nSize: c_ulong,
    dwReadMode: c_ulong,
    dwWriteMode: c_ulong,
) -> c_int {
    let make = || {
        let read = HandleMode::try_from(dwReadMode)?;
        let write = HandleMode::try_from(dwWriteMode)?;
        // SAFETY: null or readable, says the caller.
        let attributes = unsafe { attributes(lpPipeAttributes) }?;
        pipes::create_pipe_ex(&attributes, nSize, read, write)
    };
    // SAFETY: what the caller promises is what this asks for.
    let code = unsafe { store(lpReadPipe, lpWritePipe, make) };
    if code != ERROR_SUCCESS {
        // After everything else, so that nothing changes it again.
        // SAFETY: takes any number.
        unsafe { SetLastError(code) };
    }
    c_int::from(code == ERROR_SUCCESS)
}

/// Makes a pair and writes its handles where the caller wants them; returns a Win32 error code.
///
/// # Safety
///
/// The outputs, if not null, can be written.
unsafe fn store(
    first: *mut anonpipe_handle,
    second: *mut anonpipe_handle,
    make: impl FnOnce() -> io::Result<(OwnedHandle, OwnedHandle)>,
) -> u32 {
    if first.is_null() || second.is_null() || first == second {
        return ERROR_INVALID_PARAMETER;
    }
    let (ours, theirs) = match catch(make) {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => return code(&error),
        Err(_) => return ERROR_GEN_FAILURE,
    };
    // SAFETY: not null, and the caller's to be written. It may be unaligned for all we know.
    unsafe { first.write_unaligned(ours.into_raw_handle()) };
    // SAFETY: as above.
    unsafe { second.write_unaligned(theirs.into_raw_handle()) };
    ERROR_SUCCESS
}

/// What `SECURITY_ATTRIBUTES` says.
///
/// # Safety
///
/// Null or readable, and so is the descriptor.
unsafe fn attributes(given: *const SECURITY_ATTRIBUTES) -> io::Result<SecurityAttributes> {
    if given.is_null() {
        return Ok(SecurityAttributes::new());
    }
    // SAFETY: not null, so readable; the length comes first.
    let length = unsafe { given.cast::<u32>().read_unaligned() };
    // CreatePipe does not look at it (*observed*, Wine 8, and tests/c/question.c asks the system
    // that it runs on), nor did the function of 1997, so there are programs that leave it 0.
    // Another number is no length of this struct.
    if length != 0 && length as usize != size_of::<SECURITY_ATTRIBUTES>() {
        return Err(io::Error::from_raw_os_error(ERROR_INVALID_PARAMETER.cast_signed()));
    }
    // SAFETY: readable, says the caller.
    let given = unsafe { given.read_unaligned() };
    let attributes = SecurityAttributes::new().inheritable(given.bInheritHandle != 0);
    if given.lpSecurityDescriptor.is_null() {
        return Ok(attributes);
    }
    // SAFETY: readable, says the caller.
    let descriptor = unsafe { SecurityDescriptor::from_raw(given.lpSecurityDescriptor) }?;
    Ok(attributes.security_descriptor(descriptor))
}

/// The Win32 code of an error: the system's own, or what comes next to what we refused for.
fn code(error: &io::Error) -> u32 {
    match (raw(error), error.kind()) {
        (Some(code), _) => code.cast_unsigned(),
        (None, io::ErrorKind::InvalidInput) => ERROR_INVALID_PARAMETER,
        (None, io::ErrorKind::PermissionDenied) => ERROR_ACCESS_DENIED,
        (None, _) => ERROR_GEN_FAILURE,
    }
}
