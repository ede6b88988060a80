//! Children: started by `CreateProcessW` with an exact list of handles.

mod attributes;
mod batch;
mod builder;
mod child;
mod command_line;
mod environment;
mod job;
mod search;
mod stdio;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType};

pub(crate) use builder::Builder;
pub(crate) use child::Child;

/// Whether a handle is an end of a pipe (or a socket, which Windows takes for one), which one child
/// should have for itself.
pub(crate) fn is_an_end(handle: &OwnedHandle) -> bool {
    // SAFETY: an open handle.
    unsafe { GetFileType(handle.as_raw_handle()) == FILE_TYPE_PIPE }
}

/// The units of a string for the system, without an end.
fn units(text: &OsStr) -> io::Result<Vec<u16>> {
    let units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is a NUL in it, where the system would cut it"));
    }
    Ok(units)
}

/// A string for the system.
fn terminated(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units = units(text)?;
    units.push(0);
    Ok(units)
}
