//! Children: started by std, watched and ended here.

mod builder;
mod child;
mod exit_watch;
mod in_child;
mod parent_death;

pub(crate) use builder::Builder;
pub(crate) use child::Child;

use std::os::fd::{AsFd as _, OwnedFd};

use super::probe::is_pipe_or_socket;

/// Whether a handle is an end of a pipe or a socket, which one child should have for itself.
pub(crate) fn is_an_end(fd: &OwnedFd) -> bool {
    is_pipe_or_socket(fd.as_fd())
}
