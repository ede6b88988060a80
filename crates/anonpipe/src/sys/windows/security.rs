//! Security descriptors, and the identity of the current user.
//!
//! # References
//!
//! - [Security Descriptor String Format]
//! - [Named Pipe Security and Access Rights]
//! - [`IsValidSecurityDescriptor`]
//! - [`MakeSelfRelativeSD`]
//!
//! [Security Descriptor String Format]: https://learn.microsoft.com/en-us/windows/win32/secauthz/security-descriptor-string-format
//! [Named Pipe Security and Access Rights]: https://learn.microsoft.com/en-us/windows/win32/ipc/named-pipe-security-and-access-rights
//! [`IsValidSecurityDescriptor`]: https://learn.microsoft.com/en-us/windows/win32/api/securitybaseapi/nf-securitybaseapi-isvalidsecuritydescriptor
//! [`MakeSelfRelativeSD`]: https://learn.microsoft.com/en-us/windows/win32/api/securitybaseapi/nf-securitybaseapi-makeselfrelativesd

use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_INVALID_SECURITY_DESCR, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetSecurityDescriptorControl, GetSecurityDescriptorLength, GetTokenInformation, IsValidSecurityDescriptor,
    MakeSelfRelativeSD, PSECURITY_DESCRIPTOR, PSID, SE_SELF_RELATIVE, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER,
    TokenAppContainerSid, TokenIsAppContainer, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken};

use super::answers;
use crate::contract::Failure;

/// Memory that the system allocated for us with `LocalAlloc`.
#[derive(Debug)]
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a call that hands over such memory, and this is its only
        // owner.
        unsafe { LocalFree(self.0) };
    }
}

/// A security descriptor: who may open the pipe, and how.
#[derive(Debug)]
pub(crate) struct SecurityDescriptor {
    memory: Memory,
}

/// The memory of a descriptor. In both cases it is self-relative: one block without pointers.
#[derive(Debug)]
enum Memory {
    /// Allocated by the system.
    System(Local),
    /// A copy of our own, in units with the alignment that a descriptor needs.
    Own(Box<[u64]>),
}

// SAFETY: plain memory that does not change after it was made; any thread may read and free it.
unsafe impl Send for SecurityDescriptor {}
// SAFETY: as for `Send`.
unsafe impl Sync for SecurityDescriptor {}

impl SecurityDescriptor {
    /// Parses `sddl`, the security descriptor definition language; for example `D:P(A;;GA;;;OW)`.
    pub(crate) fn from_sddl(sddl: &str) -> Result<Self, Failure> {
        let refuse = |why: &str| {
            let why = format!("the security descriptor {sddl:?} is not valid SDDL: {why}");
            Err(Failure::refused(io::ErrorKind::InvalidInput, why))
        };
        if sddl.contains('\0') {
            // The system would ignore everything behind it.
            return refuse("it has a null character");
        }
        let wide: Vec<u16> = sddl.encode_utf16().chain([0]).collect();
        let mut descriptor = ptr::null_mut();
        // SAFETY: `wide` is terminated. The system stores a pointer to new memory in `descriptor`;
        // its size is not asked for.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                wide.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return refuse(&io::Error::last_os_error().to_string());
        }
        Ok(Self { memory: Memory::System(Local(descriptor)) })
    }

    /// Copies a descriptor of another owner, in either form: self-relative, or absolute with
    /// pointers to its parts.
    ///
    /// # Safety
    ///
    /// `descriptor` must point to memory that can be read as far as a descriptor extends; its
    /// contents may be invalid.
    pub(crate) unsafe fn copied_from(descriptor: PSECURITY_DESCRIPTOR) -> Result<Self, Failure> {
        let invalid = || io::Error::from_raw_os_error(ERROR_INVALID_SECURITY_DESCR.cast_signed());
        // SAFETY: readable, says the caller; this call finds out whether it is a descriptor.
        if descriptor.is_null() || unsafe { IsValidSecurityDescriptor(descriptor) } == 0 {
            return Err(invalid().into());
        }
        let (mut control, mut revision) = (0, 0);
        // SAFETY: a valid descriptor, as the call above said, and two variables on this stack.
        if unsafe { GetSecurityDescriptorControl(descriptor, &raw mut control, &raw mut revision) } == 0 {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: a valid descriptor. The length is that of its self-relative form, whichever form
        // it has.
        let mut length = unsafe { GetSecurityDescriptorLength(descriptor) };
        let mut copy = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())].into_boxed_slice();
        if control & SE_SELF_RELATIVE != 0 {
            // SAFETY: a self-relative descriptor is one block of that length, and the new memory
            // has room for it.
            unsafe { ptr::copy_nonoverlapping(descriptor.cast::<u8>(), copy.as_mut_ptr().cast(), length as usize) };
        } else {
            // SAFETY: a valid absolute descriptor, and new memory of the length that is passed.
            if unsafe { MakeSelfRelativeSD(descriptor, copy.as_mut_ptr().cast(), &raw mut length) } == 0 {
                return Err(io::Error::last_os_error().into());
            }
        }
        Ok(Self { memory: Memory::Own(copy) })
    }

    /// A descriptor that admits the user on whose behalf the calling thread acts, and no other.
    pub(super) fn current_user_only() -> Result<Self, Failure> {
        let token = effective_token()?;
        let user = sid(&token, TokenUser)?;
        // In an AppContainer, access is granted to both the user and the package, or not at all.
        let package = match in_app_container()? {
            true => format!("(A;;GA;;;{})", sid(&token, TokenAppContainerSid)?),
            false => String::new(),
        };
        Self::from_sddl(&format!("D:P(A;;GA;;;{user}){package}"))
    }

    pub(super) fn as_ptr(&self) -> *const c_void {
        match &self.memory {
            Memory::System(local) => local.0,
            Memory::Own(copy) => copy.as_ptr().cast(),
        }
    }
}

/// The token that access checks use: the thread's, if it impersonates a user, else the process's.
fn effective_token() -> io::Result<OwnedHandle> {
    let mut token = ptr::null_mut();
    // SAFETY: takes nothing, and cannot fail: it returns a constant.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: pseudo handles are always valid, and `token` is writable.
    let opened = unsafe {
        OpenThreadToken(thread, TOKEN_QUERY, /* OpenAsSelf */ 1, &raw mut token)
    };
    if opened == 0 {
        let error = io::Error::last_os_error();
        if !answers::has_no_token(&error) {
            return Err(error);
        }
        // SAFETY: takes nothing, and cannot fail: it returns a constant.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: pseudo handles are always valid, and `token` is writable.
        if unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) } == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: one of the calls succeeded, so the handle is new and ours.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Whether the process runs in an AppContainer, where a pipe's name must begin with `LOCAL\`.
pub(super) fn in_app_container() -> io::Result<bool> {
    let mut answer = 0_u32;
    token_information(&effective_token()?, TokenIsAppContainer, ptr::from_mut(&mut answer).cast(), 4)?;
    Ok(answer != 0)
}

/// Room for the largest answer: a struct that begins with a pointer to a SID, and a SID of 15
/// subauthorities.
#[repr(C, align(8))]
struct SidBuffer([u8; size_of::<TOKEN_USER>() + 68]);

/// The SID that `TokenUser` or `TokenAppContainerSid` points to, as text.
fn sid(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS) -> io::Result<String> {
    let mut buffer = MaybeUninit::<SidBuffer>::zeroed();
    let size = u32::try_from(size_of::<SidBuffer>()).unwrap_or(0);
    token_information(token, class, buffer.as_mut_ptr().cast(), size)?;
    // SAFETY: the call filled the buffer, which is suitably aligned, with a struct whose first
    // field is a pointer to a SID: TOKEN_USER or TOKEN_APPCONTAINER_INFORMATION.
    let sid = unsafe { buffer.as_ptr().cast::<PSID>().read() };
    let mut text = ptr::null_mut();
    // SAFETY: the SID is inside `buffer`, which is alive; the system stores a pointer to new memory
    // in `text`.
    if unsafe { ConvertSidToStringSidW(sid, &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let _free = Local(text.cast());
    let mut wide = Vec::new();
    for index in 0.. {
        // SAFETY: `text` is a terminated string, and the loop ends at its terminator, so the
        // pointer stays inside.
        let unit = unsafe { text.add(index) };
        // SAFETY: as above.
        match unsafe { *unit } {
            0 => break,
            unit => wide.push(unit),
        }
    }
    Ok(String::from_utf16_lossy(&wide))
}

fn token_information(
    token: &OwnedHandle,
    class: TOKEN_INFORMATION_CLASS,
    buffer: *mut c_void,
    size: u32,
) -> io::Result<()> {
    let mut needed = 0;
    // SAFETY: both callers pass a buffer of `size` bytes on their stack.
    if unsafe { GetTokenInformation(token.as_raw_handle(), class, buffer, size, &raw mut needed) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
