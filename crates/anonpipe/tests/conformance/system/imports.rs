//! Calls to the system that are refused one by one: in the table through which this program calls
//! what it imports, they are replaced by functions that refuse, or go on.
//!
//! # References
//!
//! - [PE Format](https://learn.microsoft.com/en-us/windows/win32/debug/pe-format): the import
//!   directory

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::{
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, STATUS_INSUFFICIENT_RESOURCES, SetLastError,
};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, VirtualProtect};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

use crate::steps::Refusing;

/// The thread whose calls count.
static THREAD: AtomicUsize = AtomicUsize::new(0);
/// How many calls until one is refused, which is the first when this is 1. Zero: none is.
static UNTIL: AtomicUsize = AtomicUsize::new(0);
/// The only call that counts; [`ANY`] for all but [`TRANSFERS`].
static ONLY: AtomicUsize = AtomicUsize::new(ANY);
const ANY: usize = usize::MAX;
/// These are refused by name only.
const TRANSFERS: [&str; 2] = ["ReadFile", "WriteFile"];
/// The place of what was refused, counted from 1.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

fn is_refused(place: usize) -> bool {
    // SAFETY: takes nothing, and cannot fail.
    let thread = unsafe { GetCurrentThreadId() } as usize;
    let only = ONLY.load(Ordering::Relaxed);
    // The peers are on this thread, too.
    let counts = if only == ANY { !TRANSFERS.contains(&NAMES[place]) } else { only == place };
    if thread != THREAD.load(Ordering::Relaxed) || !counts {
        return false;
    }
    match UNTIL.load(Ordering::Relaxed) {
        0 => false,
        1 => {
            UNTIL.store(0, Ordering::Relaxed);
            REFUSED.store(place + 1, Ordering::Relaxed);
            true
        }
        more => {
            UNTIL.store(more - 1, Ordering::Relaxed);
            false
        }
    }
}

/// Every argument and result of these calls has the size of a pointer, or is passed as if it had.
macro_rules! refusable {
    ($($name:ident($($argument:ident),*) = $refusal:expr, $code:ident;)+) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];
        const CODES: &[u32] = &[$($code),+];

        #[allow(non_snake_case, reason = "the system's names")]
        mod replacements {
            use super::*;

            $(pub(super) mod $name {
                use super::*;

                pub(super) static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

                pub(super) unsafe extern "system" fn call($($argument: usize),*) -> usize {
                    let place = NAMES.iter().position(|name| *name == stringify!($name)).expect("one of them");
                    if is_refused(place) {
                        // SAFETY: a number.
                        unsafe { SetLastError($code) };
                        return $refusal;
                    }
                    type Call = unsafe extern "system" fn($(refusable!(@usize $argument)),*) -> usize;
                    // SAFETY: what the table had for this name.
                    let original: Call = unsafe { std::mem::transmute(ORIGINAL.load(Ordering::Relaxed)) };
                    // SAFETY: as the caller of this one promises.
                    unsafe { original($($argument),*) }
                }
            })+

            pub(super) fn all() -> Vec<(&'static AtomicUsize, usize)> {
                vec![$((&$name::ORIGINAL, $name::call as *const () as usize)),+]
            }
        }
    };
    (@usize $argument:ident) => { usize };
}

refusable! {
    NtCreateNamedPipeFile(a, b, c, d, e, f, g, h, i, j, k, l, m, n) =
        STATUS_INSUFFICIENT_RESOURCES.cast_unsigned() as usize, ERROR_NO_SYSTEM_RESOURCES;
    NtOpenFile(a, b, c, d, e, f) = STATUS_INSUFFICIENT_RESOURCES.cast_unsigned() as usize, ERROR_NO_SYSTEM_RESOURCES;
    CreateIoCompletionPort(a, b, c, d) = 0, ERROR_NOT_ENOUGH_MEMORY;
    SetFileCompletionNotificationModes(a, b) = 0, ERROR_NOT_ENOUGH_MEMORY;
    CreateEventW(a, b, c, d) = 0, ERROR_NOT_ENOUGH_MEMORY;
    RegisterWaitForSingleObject(a, b, c, d, e, f) = 0, ERROR_NOT_ENOUGH_MEMORY;
    CreateThread(a, b, c, d, e, f) = 0, ERROR_NOT_ENOUGH_MEMORY;
    PostQueuedCompletionStatus(a, b, c, d) = 0, ERROR_NOT_ENOUGH_MEMORY;
    DuplicateHandle(a, b, c, d, e, f, g) = 0, ERROR_NOT_ENOUGH_MEMORY;
    ReadFile(a, b, c, d, e) = 0, ERROR_NO_SYSTEM_RESOURCES;
    WriteFile(a, b, c, d, e) = 0, ERROR_NO_SYSTEM_RESOURCES;
}

/// Refuses one of the calls of the thread that made it.
pub(crate) struct Refused {
    only: usize,
    place: usize,
}

impl Refused {
    /// Puts the replacements into the table. They stay there.
    pub(crate) fn hook() -> Self {
        // SAFETY: takes nothing, and cannot fail.
        THREAD.store(unsafe { GetCurrentThreadId() } as usize, Ordering::Relaxed);
        let replacements = replacements::all();
        let mut found = vec![false; NAMES.len()];
        each_import(|name, slot| {
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                let (original, replacement) = replacements[place];
                let mut old = 0;
                // SAFETY: the slot belongs to this program's table.
                let done = unsafe { VirtualProtect(slot.cast(), size_of::<usize>(), PAGE_READWRITE, &raw mut old) };
                assert_ne!(done, 0, "VirtualProtect");
                // SAFETY: the slot belongs to this program's table.
                original.store(unsafe { slot.read() }, Ordering::Relaxed);
                // SAFETY: writable now. Calls of that name may read it meanwhile: an aligned word.
                unsafe { slot.write_volatile(replacement) };
                found[place] = true;
            }
        });
        let missing: Vec<_> = NAMES.iter().zip(found).filter(|(_, found)| !found).collect();
        assert!(missing.is_empty(), "this program does not import {missing:?}");
        Self { only: ANY, place: 0 }
    }

    /// From the next [`begin`](Refusing::begin) on, the first call of that name.
    pub(crate) fn the_first(&mut self, name: &str) {
        self.only = NAMES.iter().position(|known| *known == name).expect("a name of the list");
        self.place = 1;
    }

    /// From the next [`begin`](Refusing::begin) on, the call in that place, counted from 1.
    pub(crate) fn the_nth(&mut self, place: usize) {
        self.only = ANY;
        self.place = place;
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let call = REFUSED.load(Ordering::Relaxed).checked_sub(1).map_or("no", |place| NAMES[place]);
            eprintln!("call {} was refused: {call}", self.place);
        }
    }
}

impl Refusing for Refused {
    fn begin(&mut self) {
        ONLY.store(self.only, Ordering::Relaxed);
        REFUSED.store(0, Ordering::Relaxed);
        UNTIL.store(self.place, Ordering::Relaxed);
    }

    fn end(&mut self) -> Option<i32> {
        UNTIL.store(0, Ordering::Relaxed);
        let place = REFUSED.load(Ordering::Relaxed).checked_sub(1)?;
        Some(CODES[place].cast_signed())
    }
}

/// Calls `found` with each name that this program imports, and its slot in the table.
fn each_import(mut found: impl FnMut(&str, *mut usize)) {
    // SAFETY: this program's own module, which stays.
    let base = unsafe { GetModuleHandleW(std::ptr::null()) }.cast::<u8>();
    let at = |offset: usize| base.wrapping_add(offset);
    // SAFETY: the loader has checked the headers; every offset is one that they name.
    let number = |offset: usize| unsafe { at(offset).cast::<u32>().read_unaligned() } as usize;
    let optional_header = number(0x3c) + 24;
    let directories = optional_header + if cfg!(target_pointer_width = "64") { 112 } else { 96 };
    let mut descriptor = number(directories + 8);
    while number(descriptor) != 0 {
        let (mut name, mut slot) = (number(descriptor), number(descriptor + 16));
        loop {
            // SAFETY: as above.
            let entry = unsafe { at(name).cast::<usize>().read_unaligned() };
            if entry == 0 {
                break;
            }
            // With the highest bit set it is a number, not a name.
            if entry.cast_signed() > 0 {
                // SAFETY: as above. The name ends with a zero, and is after two bytes of a hint.
                let text = unsafe { CStr::from_ptr(at(entry + 2).cast()) };
                found(text.to_str().unwrap_or_default(), at(slot).cast());
            }
            (name, slot) = (name + size_of::<usize>(), slot + size_of::<usize>());
        }
        descriptor += 20;
    }
}
