//! Starting children where Wine now and then starts none.

use std::io;
use std::process::{Child, Command};

/// Starts a child. On a busy machine Wine answers one of some thousand starts with
/// `ERROR_INTERNAL_ERROR` (*observed*, Wine 8; std's own pipes make no difference), so it is then
/// tried again.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    const ERROR_INTERNAL_ERROR: i32 = 1359;

    for _ in 0..2 {
        match command.spawn() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR) => {}
            child => return child,
        }
    }
    command.spawn()
}
