//! What the tests ask of the system itself, past the library.

#![allow(unsafe_code, reason = "the system is asked directly")]

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod raw;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use {raw::*, windows::*};
