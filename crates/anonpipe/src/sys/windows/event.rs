//! The event that a thread waits on for its own blocking operations.
//!
//! # References
//!
//! - [`CreateEventW`]
//! - [`WaitForSingleObject`]
//! - [`OVERLAPPED`]
//! - [`GetQueuedCompletionStatus`]
//!
//! [`CreateEventW`]: https://learn.microsoft.com/en-us/windows/win32/api/synchapi/nf-synchapi-createeventw
//! [`WaitForSingleObject`]: https://learn.microsoft.com/en-us/windows/win32/api/synchapi/nf-synchapi-waitforsingleobject
//! [`OVERLAPPED`]: https://learn.microsoft.com/en-us/windows/win32/api/minwinbase/ns-minwinbase-overlapped
//! [`GetQueuedCompletionStatus`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-getqueuedcompletionstatus

use std::cell::OnceCell;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::rc::Rc;
use std::time::Instant;

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, WaitForSingleObject};

use super::event_wait;
use crate::channel::completion;

/// A manual-reset event; the system resets it when an operation with it begins.
#[derive(Debug)]
pub(crate) struct Event(OwnedHandle);

thread_local! {
    static EVENT: OnceCell<Rc<Event>> = const { OnceCell::new() };
}

impl completion::Event for Event {
    fn new() -> io::Result<Self> {
        // SAFETY: no attributes, no name.
        let event = unsafe {
            CreateEventW(ptr::null(), /* bManualReset */ 1, /* bInitialState */ 0, ptr::null())
        };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the handle is new and ours.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    fn of_this_thread() -> io::Result<Rc<Self>> {
        let event = EVENT.try_with(|event| match event.get() {
            Some(event) => Ok(Rc::clone(event)),
            None => Self::new().map(|new| Rc::clone(event.get_or_init(|| Rc::new(new)))),
        });
        // While the thread's locals are being destroyed, each call makes a new event.
        event.unwrap_or_else(|_| Self::new().map(Rc::new))
    }

    fn wait(&self, deadline: Option<Instant>) -> bool {
        loop {
            // SAFETY: the event is open as long as `self`.
            match unsafe { WaitForSingleObject(self.raw(), milliseconds_until(deadline)) } {
                WAIT_OBJECT_0 => return true,
                WAIT_TIMEOUT if deadline.is_some_and(|deadline| deadline <= Instant::now()) => return false,
                // The longest time that can be expressed is over, or the clocks differ by a tick.
                WAIT_TIMEOUT => {}
                _ => unwaitable(&io::Error::last_os_error()),
            }
        }
    }

    fn when_set(self, then: impl FnOnce() + Send + 'static) -> Result<(), (Self, io::Error)> {
        event_wait::when_set(self, then)
    }
}

/// The kernel may still write to the memory of the operation whose event this is, and there is no
/// way to learn when it is done. Going on would be worse than ending the process. Seen only when
/// the program closes a handle that is not its own.
fn unwaitable(error: &io::Error) -> ! {
    eprintln!("anonpipe: cannot wait for an operation in flight: {error}");
    std::process::abort()
}

impl event_wait::Waitable for Event {
    fn raw(&self) -> HANDLE {
        self.raw()
    }
}

impl Event {
    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// The event's handle for an `OVERLAPPED`. Its low bit keeps the operation's packet from a port
    /// that the handle of the pipe is bound to (*documented*, GetQueuedCompletionStatus).
    pub(super) fn without_packet(&self) -> HANDLE {
        self.raw().map_addr(|address| address | 1)
    }
}

/// The time left, for the system's waits: rounded up, so that no wait ends before the deadline, and
/// capped below "for ever".
pub(super) fn milliseconds_until(deadline: Option<Instant>) -> u32 {
    deadline.map_or(INFINITE, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        u32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(INFINITE).min(INFINITE - 1)
    })
}
