//! Handles and threads of this process.

use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle};

use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectTypeInformation};
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_MODE_INFORMATION, FILE_SYNCHRONOUS_IO_NONALERT, FileModeInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, UNICODE_STRING,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

use super::Thing;

/// The system's handle to an end.
pub(crate) type Handle = OwnedHandle;

/// What refusing a read or write in the wrong direction looks like.
pub(crate) const WRONG_DIRECTION: i32 = ERROR_ACCESS_DENIED.cast_signed();

/// Something that has a handle.
pub(crate) trait HasHandle: AsHandle {
    fn number(&self) -> usize {
        self.as_handle().as_raw_handle().addr()
    }

    /// Whether a child inherits it, as the system says.
    fn is_inherited(&self) -> bool {
        let mut flags = 0;
        // SAFETY: the handle is borrowed, so it is open, and `flags` is writable.
        let done = unsafe { GetHandleInformation(self.as_handle().as_raw_handle(), &raw mut flags) };
        assert_ne!(done, 0, "GetHandleInformation: {}", std::io::Error::last_os_error());
        flags & HANDLE_FLAG_INHERIT != 0
    }

    /// Whether its operations do not block, as the system says.
    fn is_overlapped(&self) -> bool {
        mode(self.as_handle()) & FILE_SYNCHRONOUS_IO_NONALERT == 0
    }
}

impl<T: AsHandle> HasHandle for T {}

/// Takes the handle out as a raw one, which must be `number`, and owns it again.
#[track_caller]
pub(crate) fn taken_out_raw(end: impl IntoRawHandle, number: usize) -> Handle {
    let raw = end.into_raw_handle();
    assert_eq!(raw.addr(), number, "another handle came out");
    // SAFETY: it was given to us, to close.
    unsafe { Handle::from_raw_handle(raw) }
}

fn mode(handle: BorrowedHandle<'_>) -> u32 {
    let mut information = FILE_MODE_INFORMATION::default();
    let mut block = IO_STATUS_BLOCK::default();
    let size = u32::try_from(size_of_val(&information)).expect("a small struct");
    // SAFETY: the struct of this class, on this stack, with its size.
    let status = unsafe {
        NtQueryInformationFile(
            handle.as_raw_handle(),
            &raw mut block,
            (&raw mut information).cast(),
            size,
            FileModeInformation,
        )
    };
    assert!(status >= 0, "NtQueryInformationFile: {status:#x}");
    information.Mode
}

/// Whether this is Wine, which answers some questions differently from Windows.
pub(crate) fn is_wine() -> bool {
    let name: Vec<u16> = "ntdll.dll\0".encode_utf16().collect();
    // SAFETY: a string that ends with a zero.
    let ntdll = unsafe { GetModuleHandleW(name.as_ptr()) };
    // SAFETY: ntdll is always loaded; a string that ends with a zero.
    unsafe { GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()) }.is_some()
}

/// How many handles this process has.
pub(crate) fn handles() -> usize {
    if is_wine() {
        return handles_by_trying();
    }
    let mut count = 0;
    // SAFETY: takes nothing, and cannot fail.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: this process, and somewhere to put the number.
    let done = unsafe { GetProcessHandleCount(process, &raw mut count) };
    assert_ne!(done, 0, "GetProcessHandleCount: {}", std::io::Error::last_os_error());
    count as usize
}

/// How many handles this process may have. The limit is far away.
pub(crate) fn room_for_handles(wanted: usize) -> usize {
    wanted
}

/// For Wine 8, where the count is always 0.
fn handles_by_trying() -> usize {
    let mut count = 0;
    each_handle(|_, _| count += 1);
    count
}

/// The numbers of the handles that a child inherits.
pub(crate) fn inherited() -> Vec<usize> {
    let mut all = Vec::new();
    each_handle(|handle, flags| {
        if flags & HANDLE_FLAG_INHERIT != 0 {
            all.push(handle.addr());
        }
    });
    all
}

/// Handles, and their flags. They are multiples of four, and the lowest free one is given out
/// first.
fn each_handle(mut found: impl FnMut(HANDLE, u32)) {
    let mut gap = 0;
    for value in (4..).step_by(4) {
        let (mut flags, handle) = (0, std::ptr::without_provenance_mut(value));
        // SAFETY: the call refuses a number that is no handle; `flags` is writable.
        if unsafe { GetHandleInformation(handle, &raw mut flags) } != 0 {
            gap = 0;
            found(handle, flags);
        } else {
            gap += 1;
        }
        if gap == 1000 {
            break;
        }
    }
}

/// The handles of this process, and what kind of object each is a handle to.
pub(crate) fn open_handles() -> Vec<Thing> {
    let mut all = Vec::new();
    each_handle(|handle, _| all.push(Thing { number: handle.addr(), is: kind_of(handle) }));
    all
}

fn kind_of(handle: HANDLE) -> String {
    /// `OBJECT_TYPE_INFORMATION` begins with the name of the type, whose text follows the struct.
    #[repr(C)]
    struct Answer {
        name: UNICODE_STRING,
        rest: [u64; 64],
    }
    let mut answer = Answer { name: UNICODE_STRING::default(), rest: [0; 64] };
    let size = u32::try_from(size_of_val(&answer)).expect("a small struct");
    // SAFETY: a number that may be a handle, and room for the answer.
    let status =
        unsafe { NtQueryObject(handle, ObjectTypeInformation, (&raw mut answer).cast(), size, std::ptr::null_mut()) };
    if status < 0 || answer.name.Buffer.is_null() {
        return String::new();
    }
    let _ = answer.rest;
    // SAFETY: the text is in `rest`, says the system.
    let text = unsafe { std::slice::from_raw_parts(answer.name.Buffer, usize::from(answer.name.Length) / 2) };
    String::from_utf16_lossy(text)
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    running_threads().len()
}

/// The threads of this process.
pub(crate) fn running_threads() -> Vec<Thing> {
    // SAFETY: asks for the threads of all processes.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    assert_ne!(snapshot, INVALID_HANDLE_VALUE, "CreateToolhelp32Snapshot: {}", std::io::Error::last_os_error());
    // SAFETY: the call succeeded, so the handle is new and ours.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let size = u32::try_from(size_of::<THREADENTRY32>()).expect("a small struct");
    let mut entry = THREADENTRY32 { dwSize: size, ..THREADENTRY32::default() };
    let mut all = Vec::new();
    // SAFETY: an open snapshot, and an entry that says its size.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == std::process::id() {
            all.push(Thing { number: entry.th32ThreadID as usize, is: String::new() });
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    all
}
