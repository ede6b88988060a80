//! Threads and processes that have another token than this process.

use std::ffi::c_void;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    CreateRestrictedToken, CreateWellKnownSid, DISABLE_MAX_PRIVILEGE, DuplicateToken, FreeSid,
    GetSecurityDescriptorDacl, GetSidSubAuthority, GetTokenInformation, ImpersonateAnonymousToken, PSID,
    SECURITY_CAPABILITIES, SECURITY_MAX_SID_SIZE, SID_AND_ATTRIBUTES, SecurityImpersonation, SetTokenInformation,
    TOKEN_ADJUST_DEFAULT, TOKEN_ASSIGN_PRIMARY, TOKEN_DEFAULT_DACL, TOKEN_DUPLICATE, TOKEN_INFORMATION_CLASS,
    TOKEN_MANDATORY_LABEL, TOKEN_QUERY, TokenDefaultDacl, TokenIntegrityLevel, TokenIsAppContainer,
    WELL_KNOWN_SID_TYPE, WinLowLabelSid, WinRestrictedCodeSid,
};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows_sys::Win32::System::Pipes::CreatePipe;
use windows_sys::Win32::System::Threading::{
    CreateProcessAsUserW, CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    GetCurrentProcess, GetCurrentThread, GetExitCodeProcess, INFINITE, InitializeProcThreadAttributeList,
    OpenProcessToken, PROC_THREAD_ATTRIBUTE_SECURITY_CAPABILITIES, PROCESS_INFORMATION, STARTF_USESTDHANDLES,
    STARTUPINFOEXW, SetThreadToken, UpdateProcThreadAttribute, WaitForSingleObject,
};

use super::raw::{InAnotherName, checked, wide};

/// A SID that every system knows.
struct KnownSid([u64; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)]);

impl KnownSid {
    fn new(which: WELL_KNOWN_SID_TYPE) -> Self {
        let mut sid = Self([0; _]);
        let mut length = SECURITY_MAX_SID_SIZE;
        // SAFETY: room for any SID.
        checked(unsafe { CreateWellKnownSid(which, ptr::null_mut(), sid.as_psid(), &raw mut length) }).expect("a SID");
        sid
    }

    fn as_psid(&mut self) -> PSID {
        (&raw mut self.0).cast()
    }
}

fn token_of_this_process(access: u32) -> OwnedHandle {
    // SAFETY: takes nothing, and cannot fail.
    let process = unsafe { GetCurrentProcess() };
    let mut token = ptr::null_mut();
    // SAFETY: this process, and somewhere to put the handle.
    checked(unsafe { OpenProcessToken(process, access, &raw mut token) }).expect("our token");
    // SAFETY: the call succeeded, so the handle is new and ours.
    unsafe { OwnedHandle::from_raw_handle(token) }
}

/// A copy of this process's token, without privileges, and restricted to `only`.
fn lesser_token(only: Option<WELL_KNOWN_SID_TYPE>) -> OwnedHandle {
    let token = token_of_this_process(TOKEN_DUPLICATE | TOKEN_QUERY | TOKEN_ASSIGN_PRIMARY | TOKEN_ADJUST_DEFAULT);
    let mut sid = only.map(KnownSid::new);
    let only = sid.as_mut().map(|sid| SID_AND_ATTRIBUTES { Sid: sid.as_psid(), Attributes: 0 });
    let mut made = ptr::null_mut();
    // SAFETY: an open token, at most one SID, which lives on this stack, and somewhere to put the
    // handle.
    checked(unsafe {
        CreateRestrictedToken(
            token.as_raw_handle(),
            DISABLE_MAX_PRIVILEGE,
            0,
            ptr::null(),
            0,
            ptr::null(),
            u32::from(only.is_some()),
            only.as_ref().map_or(ptr::null(), ptr::from_ref),
            &raw mut made,
        )
    })
    .expect("CreateRestrictedToken");
    // SAFETY: the call succeeded, so the handle is new and ours.
    unsafe { OwnedHandle::from_raw_handle(made) }
}

/// Calls `f` on this thread with a copy of that token.
fn with_token<T>(token: &OwnedHandle, f: impl FnOnce() -> T) -> T {
    let mut for_thread = ptr::null_mut();
    // SAFETY: an open token, and somewhere to put the handle.
    checked(unsafe { DuplicateToken(token.as_raw_handle(), SecurityImpersonation, &raw mut for_thread) })
        .expect("DuplicateToken");
    // SAFETY: the call succeeded, so the handle is new and ours.
    let for_thread = unsafe { OwnedHandle::from_raw_handle(for_thread) };
    // SAFETY: null means this thread; an open token.
    checked(unsafe { SetThreadToken(ptr::null(), for_thread.as_raw_handle()) }).expect("SetThreadToken");
    let _until_then = InAnotherName;
    f()
}

/// Calls `f` on this thread with a token that is restricted: what it may open must also be open to
/// "restricted code" (`RC`).
pub(crate) fn restricted<T>(f: impl FnOnce() -> T) -> T {
    with_token(&lesser_token(Some(WinRestrictedCodeSid)), f)
}

/// Calls `f` on this thread with a token that gives what it makes this list.
pub(crate) fn with_default_list<T>(sddl: &str, f: impl FnOnce() -> T) -> T {
    let token = lesser_token(None);
    let sddl = wide(sddl);
    let (mut descriptor, mut present, mut defaulted) = (ptr::null_mut(), 0, 0);
    // SAFETY: a string that ends with a zero, and somewhere to put the descriptor.
    checked(unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            sddl.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            ptr::null_mut(),
        )
    })
    .expect("valid SDDL");
    let mut list = TOKEN_DEFAULT_DACL { DefaultDacl: ptr::null_mut() };
    // SAFETY: the descriptor that the system has just made, and three variables on this stack.
    checked(unsafe {
        GetSecurityDescriptorDacl(descriptor, &raw mut present, &raw mut list.DefaultDacl, &raw mut defaulted)
    })
    .expect("its list");
    // SAFETY: the struct of this class; the list is alive.
    unsafe { set(&token, TokenDefaultDacl, &list) }.expect("TokenDefaultDacl");
    // SAFETY: made by the system for us to free; the token has a copy of the list.
    unsafe { LocalFree(descriptor) };
    with_token(&token, f)
}

/// # Safety
///
/// `T` must be the struct of `class`, and its pointers valid.
unsafe fn set<T>(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS, value: &T) -> io::Result<()> {
    let size = u32::try_from(size_of::<T>()).expect("a small struct");
    // SAFETY: an open token, and the struct of the class, says the caller.
    checked(unsafe { SetTokenInformation(token.as_raw_handle(), class, ptr::from_ref(value).cast(), size) })
}

/// Calls `f` on this thread, which acts for the anonymous user meanwhile.
pub(crate) fn anonymous<T>(f: impl FnOnce() -> T) -> io::Result<T> {
    // SAFETY: takes nothing, and cannot fail.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: this thread.
    checked(unsafe { ImpersonateAnonymousToken(thread) })?;
    let _until_then = InAnotherName;
    Ok(f())
}

/// The system's own unnamed pipe: the end for reading.
pub(crate) fn systems_pipe() -> io::Result<OwnedHandle> {
    let (mut read, mut write) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: two writable handles, no attributes.
    checked(unsafe { CreatePipe(&raw mut read, &raw mut write, ptr::null(), 0) })?;
    // SAFETY: the call succeeded, so the handle is new and ours.
    drop(unsafe { OwnedHandle::from_raw_handle(write) });
    // SAFETY: as above.
    Ok(unsafe { OwnedHandle::from_raw_handle(read) })
}

/// How much this process is trusted: 0x1000 is little, 0x2000 is usual.
pub(crate) fn integrity() -> u32 {
    let token = token_of_this_process(TOKEN_QUERY);
    let mut answer = [0_u64; 16];
    ask(&token, TokenIntegrityLevel, &mut answer);
    // SAFETY: the call filled the buffer, which is suitably aligned, with that struct.
    let label = unsafe { (&raw const answer).cast::<TOKEN_MANDATORY_LABEL>().read() };
    // SAFETY: the SID is inside `answer`, and has one number.
    let level = unsafe { GetSidSubAuthority(label.Label.Sid, 0) };
    // SAFETY: as above.
    unsafe { *level }
}

/// Whether this process is in an AppContainer.
pub(crate) fn is_in_app_container() -> bool {
    let mut answer = [0_u64; 1];
    ask(&token_of_this_process(TOKEN_QUERY), TokenIsAppContainer, &mut answer);
    answer[0] != 0
}

fn ask(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS, answer: &mut [u64]) {
    let mut length = 0;
    let size = u32::try_from(size_of_val(answer)).expect("few bytes");
    // This one has 4 bytes, and no others.
    let size = if class == TokenIsAppContainer { 4 } else { size };
    // SAFETY: an open token, and a buffer of at least that size.
    checked(unsafe {
        GetTokenInformation(token.as_raw_handle(), class, answer.as_mut_ptr().cast(), size, &raw mut length)
    })
    .expect("GetTokenInformation");
}

/// A process that runs this program with other rights.
pub(crate) struct Child(OwnedHandle);

impl Child {
    /// With a token without privileges that is trusted little, as that of a browser's page. Its
    /// three streams are `stdio`, which must be inheritable.
    pub(crate) fn with_few_rights(arguments: &str, stdio: &impl AsHandle) -> io::Result<Self> {
        let token = lesser_token(None);
        let mut low = KnownSid::new(WinLowLabelSid);
        const SE_GROUP_INTEGRITY: u32 = 0x20;
        let label =
            TOKEN_MANDATORY_LABEL { Label: SID_AND_ATTRIBUTES { Sid: low.as_psid(), Attributes: SE_GROUP_INTEGRITY } };
        // SAFETY: the struct of this class, whose SID is on this stack.
        unsafe { set(&token, TokenIntegrityLevel, &label) }?;
        start(arguments, stdio, Some(&token), None)
    }

    /// Waits for its end; returns its exit code.
    pub(crate) fn wait(self) -> u32 {
        let mut code = 0;
        // SAFETY: an open handle to a process.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), INFINITE) };
        // SAFETY: as above, and somewhere to put the code.
        checked(unsafe { GetExitCodeProcess(self.0.as_raw_handle(), &raw mut code) }).expect("GetExitCodeProcess");
        code
    }
}

fn start(
    arguments: &str,
    stdio: &impl AsHandle,
    token: Option<&OwnedHandle>,
    container: Option<&SECURITY_CAPABILITIES>,
) -> io::Result<Child> {
    let program = std::env::current_exe()?;
    let application: Vec<u16> = program.as_os_str().encode_wide().chain([0]).collect();
    let mut line = wide(&format!("\"{}\" {arguments}", program.display()));
    // A folder that is open to everything.
    let folder = wide(&std::env::var("SystemRoot").map_err(io::Error::other)?);
    let mut attributes = vec![0_u64; 64];
    let mut information = STARTUPINFOEXW::default();
    let mut size = size_of_val(&*attributes);
    if let Some(container) = container {
        information.lpAttributeList = attributes.as_mut_ptr().cast();
        // SAFETY: room for more than one attribute, and its size.
        checked(unsafe { InitializeProcThreadAttributeList(information.lpAttributeList, 1, 0, &raw mut size) })?;
        // SAFETY: a list that was made, and a struct that lives until the process was started.
        checked(unsafe {
            UpdateProcThreadAttribute(
                information.lpAttributeList,
                0,
                PROC_THREAD_ATTRIBUTE_SECURITY_CAPABILITIES as usize,
                ptr::from_ref(container).cast(),
                size_of_val(container),
                ptr::null_mut(),
                ptr::null(),
            )
        })?;
    }
    let handle = stdio.as_handle().as_raw_handle();
    let (flags, size) = match container {
        Some(_) => (EXTENDED_STARTUPINFO_PRESENT, size_of::<STARTUPINFOEXW>()),
        None => (0, size_of_val(&information.StartupInfo)),
    };
    information.StartupInfo.cb = u32::try_from(size).expect("a small struct");
    information.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    information.StartupInfo.hStdInput = handle;
    information.StartupInfo.hStdOutput = handle;
    information.StartupInfo.hStdError = handle;
    let (application, line, folder) = (application.as_ptr(), line.as_mut_ptr(), folder.as_ptr());
    let information = (&raw const information).cast();
    let mut made = PROCESS_INFORMATION::default();
    let (none, no_environment) = (ptr::null(), ptr::null());
    let done = match token {
        Some(token) => {
            let token = token.as_raw_handle();
            // SAFETY: strings that end with a zero, and structs on this stack.
            unsafe {
                CreateProcessAsUserW(
                    token,
                    application,
                    line,
                    none,
                    none,
                    1,
                    flags,
                    no_environment,
                    folder,
                    information,
                    &raw mut made,
                )
            }
        }
        // SAFETY: as above.
        None => unsafe {
            CreateProcessW(application, line, none, none, 1, flags, no_environment, folder, information, &raw mut made)
        },
    };
    let started = checked(done);
    if container.is_some() {
        // SAFETY: the list that was made above.
        unsafe { DeleteProcThreadAttributeList(attributes.as_mut_ptr().cast()) };
    }
    started?;
    // SAFETY: the call succeeded, so the handles are new and ours.
    drop(unsafe { OwnedHandle::from_raw_handle(made.hThread) });
    // SAFETY: as above.
    Ok(Child(unsafe { OwnedHandle::from_raw_handle(made.hProcess) }))
}

type CreateProfile =
    unsafe extern "system" fn(*const u16, *const u16, *const u16, *const SID_AND_ATTRIBUTES, u32, *mut PSID) -> i32;
type DeleteProfile = unsafe extern "system" fn(*const u16) -> i32;

/// An AppContainer, installed for as long as this lives.
pub(crate) struct AppContainer {
    name: Vec<u16>,
    sid: PSID,
    delete: DeleteProfile,
}

impl AppContainer {
    /// `None`: the system has none. (Wine does not even have the functions.)
    pub(crate) fn install() -> Option<Self> {
        const EXISTS: i32 = 0x8007_00b7_u32.cast_signed();
        let create = function(c"CreateAppContainerProfile")?;
        // SAFETY: documented so.
        let create: CreateProfile = unsafe { std::mem::transmute(create) };
        let delete = function(c"DeleteAppContainerProfile")?;
        // SAFETY: documented so.
        let delete: DeleteProfile = unsafe { std::mem::transmute(delete) };
        let name = wide(&format!("anonpipe.test.{}", std::process::id()));
        let mut sid = ptr::null_mut();
        let text = name.as_ptr();
        // SAFETY: strings that end with a zero, no capabilities, and somewhere to put the SID.
        let result = unsafe { create(text, text, text, ptr::null(), 0, &raw mut sid) };
        assert!(result >= 0 && result != EXISTS, "CreateAppContainerProfile: {result:#x}");
        Some(Self { name, sid, delete })
    }

    /// Runs this program in it; see [`Child::with_few_rights`].
    pub(crate) fn start(&self, arguments: &str, stdio: &impl AsHandle) -> io::Result<Child> {
        let program = std::env::current_exe()?;
        // "ALL APPLICATION PACKAGES", which a folder of ours does not let in.
        let let_in = std::process::Command::new("icacls").arg(program).args(["/grant", "*S-1-15-2-1:(RX)"]).output()?;
        assert!(let_in.status.success(), "icacls: {}", String::from_utf8_lossy(&let_in.stdout));
        let container = SECURITY_CAPABILITIES { AppContainerSid: self.sid, ..SECURITY_CAPABILITIES::default() };
        start(arguments, stdio, None, Some(&container))
    }
}

impl Drop for AppContainer {
    fn drop(&mut self) {
        // SAFETY: made by the system for us to free.
        unsafe { FreeSid(self.sid) };
        // SAFETY: a string that ends with a zero.
        unsafe { (self.delete)(self.name.as_ptr()) };
    }
}

/// A function that not every system has.
fn function(name: &std::ffi::CStr) -> Option<unsafe extern "system" fn() -> isize> {
    let library = wide("userenv.dll");
    // SAFETY: a string that ends with a zero. It stays loaded.
    let library: *mut c_void = unsafe { LoadLibraryW(library.as_ptr()) };
    // SAFETY: a library that is loaded, or null, and a string that ends with a zero.
    unsafe { GetProcAddress(library, name.as_ptr().cast()) }
}

/// Tells the processes that this one starts what they are for.
pub(crate) fn set_role(variable: &str, role: &str) {
    // SAFETY: Windows has a lock for them.
    unsafe { std::env::set_var(variable, role) };
}
