//! Our own standard streams.

use std::fs::File;
use std::io::{self, Write};
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE};

use crate::output::Stream;

/// One of our own output streams: the bytes go there as they are, also to a console, which takes
/// them as it takes the command's own.
pub(crate) struct Sink {
    file: File,
}

impl Sink {
    /// A duplicate of the handle; `None` if there is none.
    pub(crate) fn own(stream: Stream) -> Option<Self> {
        let handle: OwnedHandle = match stream {
            Stream::Stdout => io::stdout().as_handle().try_clone_to_owned(),
            Stream::Stderr => io::stderr().as_handle().try_clone_to_owned(),
        }
        .ok()?;
        // A program without standard streams has null handles, and std duplicates those to null.
        (!handle.as_raw_handle().is_null()).then(|| Self { file: File::from(handle) })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
}

/// Lets every write through: a synchronous handle does not tell whether a write would wait. So one
/// of our streams that is not read holds up the other.
pub(crate) struct Gate;

impl Gate {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn call(&self) {}

    pub(crate) fn wait(&self, sinks: [Option<&Sink>; 2]) -> [bool; 2] {
        sinks.map(|sink| sink.is_some())
    }
}

/// Opens the file of a copy.
pub(crate) fn open_copy(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).open(path)
}

/// Never needed: no handle here answers that a read would block.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(crate) fn wait_readable() -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(code, Some(ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED))
        || error.kind() == io::ErrorKind::BrokenPipe
}

/// Keeps our own standard handles from the command. They are inheritable, as we inherited them;
/// what the command leaves running would hold our reader's pipe open.
pub(crate) fn keep_streams_private() {
    for which in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: no preconditions.
        let handle = unsafe { GetStdHandle(which) };
        // SAFETY: a standard handle, null or invalid if there is none, which the call refuses.
        // Nothing else is to be done if it fails.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}
