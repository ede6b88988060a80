//! What the tests ask of the system itself, past the library.

#![allow(unsafe_code, reason = "the system is asked directly")]

mod heap;
pub(crate) use heap::heap_in_use;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod refusals;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) use refusals::NthRefused;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod imports;
#[cfg(windows)]
mod raw;
#[cfg(windows)]
mod tokens;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use {imports::Refused, raw::*, tokens::*, windows::*};

/// Something that this process has: its number, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) number: usize,
    pub(crate) is: String,
}
