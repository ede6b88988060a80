//! Which driver completes the operations on a channel.

use std::io;
use std::sync::OnceLock;

use super::{Channel, DriverShare, System};
use crate::contract::{Failure, Turn};

/// The driver of a channel: the caller's, if the end was attached to one, else the process's.
pub(crate) struct Attachment<S: System>(OnceLock<S::Driver>);

impl<S: System> Attachment<S> {
    pub(crate) fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The caller's driver. `None`: the end is not attached, or is attached to a driver of the
    /// process that this one was forked from.
    pub(crate) fn get(&self) -> Option<&S::Driver> {
        self.0.get().filter(|driver| driver.poller().is_of_this_process())
    }

    /// A share in the channel's driver. Starts the process's driver if necessary.
    pub(super) fn driver(&self) -> io::Result<S::Driver> {
        self.get().map_or_else(S::process_driver, |driver| Ok(driver.clone()))
    }
}

/// Makes `driver` complete the operations on `channel`, from the first one on.
pub(crate) fn attach<S: System>(channel: &S::Channel, driver: S::Driver) -> Result<(), Failure> {
    let attachment = channel.attachment();
    if attachment.0.get().is_some_and(|known| known.is_same(&driver)) {
        // Attached before, through a clone or the other half.
        return Ok(());
    }
    channel.check_process()?;
    let busy = |why: &str| Failure::refused(io::ErrorKind::ResourceBusy, why);
    channel.while_known(|is_known| {
        if is_known {
            return Err(busy("operations were submitted on it: attach an end before its first operation"));
        }
        attachment.0.set(driver).map_err(|_| busy("it is attached to a driver already, and stays so"))
    })
}
