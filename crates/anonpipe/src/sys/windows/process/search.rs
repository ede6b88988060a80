//! Where a program is. `CreateProcessW` would search the current folder, too.
//!
//! # References
//!
//! - [`CreateProcessW`]
//! - [`GetSystemDirectoryW`]
//!
//! [`CreateProcessW`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-createprocessw
//! [`GetSystemDirectoryW`]: https://learn.microsoft.com/en-us/windows/win32/api/sysinfoapi/nf-sysinfoapi-getsystemdirectoryw

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use windows_sys::Win32::System::SystemInformation::{GetSystemDirectoryW, GetWindowsDirectoryW};

use super::units;

/// Finds a program as std does, and else what `PATHEXT` has along `PATH`. `childs_path`: the
/// child's own `PATH`, if it has one.
pub(super) fn find(program: &OsStr, childs_path: Option<&OsStr>) -> io::Result<PathBuf> {
    // Otherwise a name that cannot be is only not found.
    units(program)?;
    let path = Path::new(program);
    let ends_as_folder = program.as_encoded_bytes().last().is_none_or(|last| br"\/".contains(last));
    if ends_as_folder || path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the program has no name"));
    }
    if path.components().count() > 1 || program.as_encoded_bytes().iter().any(|byte| br"\/:".contains(byte)) {
        return at(path);
    }
    let has_extension = path.extension().is_some();
    let exe = if has_extension { path.to_owned() } else { with("exe", path) };
    let own_path = env::var_os("PATH");
    let along = |path: Option<&OsStr>| path.map(folders).unwrap_or_default();
    let mut places = along(childs_path);
    places.extend(env::current_exe().ok().and_then(|own| own.parent().map(Path::to_owned)));
    places.extend([system_folder()?, windows_folder()?]);
    places.extend(along(own_path.as_deref()));
    if let Some(found) = places.iter().map(|folder| folder.join(&exe)).find(|path| path.is_file()) {
        return Ok(found);
    }
    let in_path = along(childs_path.or(own_path.as_deref()));
    let found = in_path.iter().flat_map(|folder| {
        scripts().into_iter().filter(|_| !has_extension).map(|extension| with(&extension, &folder.join(path)))
    });
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// What a path means: with `.exe`, if that is there.
fn at(path: &Path) -> io::Result<PathBuf> {
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("exe")) {
        let exe = with("exe", path);
        if exe.is_file() {
            return Ok(exe);
        }
    }
    // Also takes off what the system takes off a name's end, so that a batch file is recognised.
    std::path::absolute(path)
}

/// Appends an extension, and replaces none.
fn with(extension: &str, path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// The folders of a `PATH`, without the current one, under any name.
fn folders(path: &OsStr) -> Vec<PathBuf> {
    env::split_paths(path).filter(|folder| folder.is_absolute()).collect()
}

/// The extensions of `PATHEXT` that this crate can run, besides `.exe`, in its order.
fn scripts() -> Vec<String> {
    let known = ["com", "bat", "cmd"];
    let all = env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".into());
    all.split(';')
        .map(|extension| extension.trim_start_matches('.').to_ascii_lowercase())
        .filter(|extension| known.contains(&extension.as_str()))
        .collect()
}

/// The folder of the system's own programs.
pub(super) fn system_folder() -> io::Result<PathBuf> {
    // SAFETY: a buffer of the length that is given.
    folder(|buffer, length| unsafe { GetSystemDirectoryW(buffer, length) })
}

fn windows_folder() -> io::Result<PathBuf> {
    // SAFETY: a buffer of the length that is given.
    folder(|buffer, length| unsafe { GetWindowsDirectoryW(buffer, length) })
}

fn folder(get: impl Fn(*mut u16, u32) -> u32) -> io::Result<PathBuf> {
    let mut buffer = vec![0; 300];
    loop {
        let room = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        match get(buffer.as_mut_ptr(), room) {
            0 => return Err(io::Error::last_os_error()),
            length if length < room => return Ok(OsString::from_wide(&buffer[..length as usize]).into()),
            length => buffer.resize(length as usize + 1, 0),
        }
    }
}
