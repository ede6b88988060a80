//! Handles that were made elsewhere.

use std::io;

use super::{Access, Origin};
use crate::contract::{Action, ConversionError, Direction, EndName, Failure, IoMode};
use crate::sys::{self, OwnedPipe};

/// Wraps a handle that was made elsewhere, or gives it back if it does not fit. `exclusive`: no
/// other handle to this end exists.
pub(crate) fn adopt<T>(
    pipe: OwnedPipe,
    access: Access,
    exclusive: bool,
    wrap: impl FnOnce(OwnedPipe, Origin, IoMode) -> T,
) -> Result<T, ConversionError<OwnedPipe>> {
    let refuse = |pipe, failure: Failure| Err(ConversionError::new(failure.into_io(Action::Adopt, None), pipe));
    let probe = match sys::probe(sys::borrow(&pipe)) {
        Ok(probe) => probe,
        Err(failure) => return refuse(pipe, failure),
    };
    let invalid = |why: &str| Failure::refused(io::ErrorKind::InvalidInput, why);
    if let Some(why) = probe.unfit {
        return refuse(pipe, invalid(why));
    }
    if access.reads() && !probe.readable {
        return refuse(pipe, invalid("it cannot be read: it was opened for writing only"));
    }
    if access.writes() && !probe.writable {
        return refuse(pipe, invalid("it cannot be written: it was opened for reading only"));
    }
    let duplex = probe.direction == Some(Direction::Duplex);
    if access == Access::Both && !duplex {
        return refuse(pipe, invalid("it is an end of a one-way pipe"));
    }
    let name = EndName { called: None, role: probe.role, direction: probe.direction };
    Ok(wrap(pipe, Origin { name, requested_capacity: None, exclusive }, probe.mode))
}
