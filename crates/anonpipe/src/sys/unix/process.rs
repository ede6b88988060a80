//! Children: started by std, watched and ended here.

mod child;
mod exit_watch;
mod in_child;
mod parent_death;
mod spawn;

pub(crate) use child::Child;
pub(crate) use exit_watch::Watch;
pub(crate) use spawn::Builder;

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, fstat};

/// Whether a handle is an end of a pipe or a socket, which one child should have for itself.
pub(crate) fn is_an_end(fd: &OwnedFd) -> bool {
    fstat(fd).is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}
