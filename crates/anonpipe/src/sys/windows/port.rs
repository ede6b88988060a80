//! The completion port.
//!
//! # References
//!
//! - [`CreateIoCompletionPort`]
//! - [`GetQueuedCompletionStatus`]
//! - [`PostQueuedCompletionStatus`]
//!
//! [`CreateIoCompletionPort`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-createiocompletionport
//! [`GetQueuedCompletionStatus`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-getqueuedcompletionstatus
//! [`PostQueuedCompletionStatus`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-postqueuedcompletionstatus

#[cfg(test)]
mod tests;

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED, PostQueuedCompletionStatus,
};

use super::answers;
use super::event::milliseconds_until;
use crate::channel::completion::{Packet, SlotId};
use crate::contract::Turn;

/// A completion port.
///
/// The driver looks up a packet's key, and its channel looks up the packet's `OVERLAPPED` among its
/// operations. Neither is ever followed as a pointer: a file object's binding goes with the handle
/// to its next owner, in this process or another, and that owner's packets then arrive here as
/// well.
pub(crate) struct Port(OwnedHandle);

/// The key of [`Port::notify`]. No channel has it.
const NOTICE: usize = 0;

impl Port {
    /// Binds a handle: its packets come here, with `key`.
    pub(super) fn bind(&self, handle: BorrowedHandle<'_>, key: usize) -> io::Result<()> {
        // SAFETY: two open handles.
        let port = unsafe { CreateIoCompletionPort(handle.as_raw_handle(), self.0.as_raw_handle(), key, 0) };
        if port.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub(crate) fn post(&self, key: usize, id: SlotId) -> io::Result<()> {
        let overlapped: *mut OVERLAPPED = ptr::without_provenance_mut(id.0);
        // SAFETY: a packet is three numbers; the port is open.
        let done = unsafe { PostQueuedCompletionStatus(self.0.as_raw_handle(), 0, key, overlapped) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Turn for Port {
    type Report = Packet<u32>;

    /// A notice is a packet, for which the system may have no memory. A wait for the port cannot be
    /// ended without one: closing the handle might end another's, who got its number next.
    const LOOK_AGAIN: Option<Duration> = Some(Duration::from_secs(2));

    fn new() -> io::Result<Self> {
        // SAFETY: makes a new port, bound to nothing.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the handle is new and ours.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(port) }))
    }

    fn turn(&self, timeout: Option<Duration>, each: &mut dyn FnMut(usize, Packet<u32>)) -> io::Result<()> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let (mut count, mut key, mut overlapped) = (0, 0, ptr::null_mut());
        // SAFETY: the port is open, and the outputs live on this stack.
        let done = unsafe {
            GetQueuedCompletionStatus(
                self.0.as_raw_handle(),
                &raw mut count,
                &raw mut key,
                &raw mut overlapped,
                milliseconds_until(deadline),
            )
        };
        let said = if done == 0 { answers::last_code() } else { ERROR_SUCCESS };
        match said {
            WAIT_TIMEOUT if overlapped.is_null() => return Ok(()),
            // A failed operation's packet is a packet, too.
            code if done == 0 && overlapped.is_null() => {
                return Err(io::Error::from_raw_os_error(code.cast_signed()));
            }
            _ => {}
        }
        each(key, Packet { id: SlotId(overlapped.addr()), said });
        Ok(())
    }

    fn notify(&self) {
        // Out of memory, at worst. Then the turn ends by itself after LOOK_AGAIN.
        let _ = self.post(NOTICE, SlotId::NONE);
    }

    /// Windows does not fork.
    fn is_of_this_process(&self) -> bool {
        true
    }
}
