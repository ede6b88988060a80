//! Wine, where it does what Windows does not.

use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

/// Whether this is Wine, by the function that its ntdll has for this question.
pub(super) fn is_wine() -> bool {
    static IS_WINE: OnceLock<bool> = OnceLock::new();
    *IS_WINE.get_or_init(|| {
        // SAFETY: a string that ends with a zero.
        let ntdll = unsafe { GetModuleHandleW(windows_sys::w!("ntdll.dll")) };
        // SAFETY: ntdll stays loaded as long as the process; a string that ends with a zero.
        !ntdll.is_null() && unsafe { GetProcAddress(ntdll, windows_sys::s!("wine_get_version")) }.is_some()
    })
}
