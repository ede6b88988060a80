//! What only Windows has.

use std::ffi::OsStr;
use std::os::windows::io::RawHandle;

use super::Command;
use crate::process::Child;

impl Command {
    /// Adds text to the command line as it is, after a space. For programs that do not split their
    /// command line as the C runtime does, such as `cmd.exe`.
    pub fn raw_arg<S: AsRef<OsStr>>(&mut self, text_to_append_as_is: S) -> &mut Self {
        self.system.raw_arg(text_to_append_as_is.as_ref());
        self
    }

    /// Sets the [process creation flags], such as `CREATE_NO_WINDOW`. This crate adds those that it
    /// needs.
    ///
    /// [process creation flags]: https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags
    pub fn creation_flags(&mut self, flags: u32) -> &mut Self {
        self.system.creation_flags(flags);
        self
    }

    /// Sets how the child's first window is shown: one of the `SW_` constants of [`ShowWindow`].
    ///
    /// [`ShowWindow`]: https://learn.microsoft.com/en-us/windows/win32/api/winuser/nf-winuser-showwindow
    pub fn show_window(&mut self, cmd_show: u16) -> &mut Self {
        self.system.show_window(cmd_show);
        self
    }
}

impl Child {
    /// The handle of the process; `None` once its exit status was returned.
    #[must_use]
    pub fn raw_handle(&self) -> Option<RawHandle> {
        use std::os::windows::io::AsRawHandle;

        self.id().map(|_| self.life().system().process().as_raw_handle())
    }
}
