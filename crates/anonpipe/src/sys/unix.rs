//! Unix: pipes and socket pairs, and pollers that report when a descriptor is ready.

mod answers;
mod create;
mod descriptor;
mod fork;
mod poller;
mod probe;
pub(crate) mod process;
mod signals;
mod sigpipe;
#[cfg(feature = "tokio")]
mod tokio_reactor;
mod transfer;
mod wake_pair;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::Shutdown;

use crate::contract::Failure;

pub(crate) use create::create;
pub(crate) use descriptor::Descriptor;
pub(crate) use fork::Process;
#[cfg(all(test, target_os = "linux", not(loom)))]
pub(crate) use fork::in_a_forked_process;
pub(crate) use poller::Poller;
pub(crate) use probe::probe;
pub(crate) use signals::with_signals_left_to_the_program;
pub(crate) use transfer::{guard_against_sigpipe, read, write};

/// What the system needs for one operation: a count of its bytes, which the model keeps.
pub(crate) use crate::channel::readiness::Progress as Slot;

pub(crate) type OwnedPipe = OwnedFd;
pub(crate) type BorrowedPipe<'a> = BorrowedFd<'a>;

/// The most bytes that one call transfers: macOS refuses more, and Linux takes less (both
/// *documented*, read(2)).
pub(crate) const MAX_TRANSFER: usize = i32::MAX as usize;

/// Empty: Unix has one way to make a pair.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlatformOptions {}

pub(crate) fn borrow(pipe: &OwnedPipe) -> BorrowedPipe<'_> {
    pipe.as_fd()
}

pub(crate) fn bytes_available(pipe: BorrowedPipe<'_>) -> Result<usize, Failure> {
    let available = rustix::io::ioctl_fionread(pipe).map_err(answers::failure)?;
    Ok(usize::try_from(available).unwrap_or(usize::MAX))
}

pub(crate) fn shutdown_write(pipe: BorrowedPipe<'_>) -> Result<(), Failure> {
    answers::shutdown(rustix::net::shutdown(pipe, Shutdown::Write))
}
