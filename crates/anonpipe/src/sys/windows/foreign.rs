//! Completions through events, for a handle that others may have, or that is bound to a port which
//! is not ours.
//!
//! Each operation has an event of its own, with the low bit that keeps its packet from a port, and
//! the system's thread pool waits for it: one pool thread for up to 63 events, none of ours.

use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWait, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

use super::channel::Channel;
use super::event::Event;

/// A wait of the thread pool for one operation.
pub(super) struct Wait {
    /// Until the callback takes it: whoever learns of the completion may want to be the channel's last owner.
    channel: Mutex<Option<Arc<Channel>>>,
    /// Only ever compared: which operation of the channel it is.
    overlapped: *mut OVERLAPPED,
    event: Event,
    registered: Mutex<Registered>,
}

// SAFETY: `overlapped` is not dereferenced here; everything else is `Send` and `Sync` by itself.
unsafe impl Send for Wait {}
// SAFETY: as for `Send`.
unsafe impl Sync for Wait {}

/// The callback and the call that registers it may end in either order; the second of them unregisters.
enum Registered {
    NotYet,
    As(HANDLE),
    AlreadyCalled,
}

impl Wait {
    pub(super) fn new(channel: Arc<Channel>, overlapped: *mut OVERLAPPED, event: Event) -> Self {
        Self { channel: Mutex::new(Some(channel)), overlapped, event, registered: Mutex::new(Registered::NotYet) }
    }

    /// Has the channel told when the event is set. If that fails, the caller has to wait for the event.
    pub(super) fn register(self: Arc<Self>) -> Result<(), (io::Error, Event)> {
        let context = Arc::into_raw(Arc::clone(&self));
        let mut wait = ptr::null_mut();
        // SAFETY: the event stays open as long as `self`, of which the callback owns one reference; it is called once.
        let done = unsafe {
            RegisterWaitForSingleObject(
                &raw mut wait,
                self.event.raw(),
                Some(on_event),
                context.cast(),
                INFINITE,
                WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE,
            )
        };
        if done == 0 {
            let error = io::Error::last_os_error();
            // SAFETY: the reference made above; nobody will call back with it.
            drop(unsafe { Arc::from_raw(context) });
            let event = Arc::into_inner(self).map(|wait| wait.event);
            // There is no other reference now.
            return match event {
                Some(event) => Err((error, event)),
                None => Ok(()),
            };
        }
        self.settle(Registered::As(wait));
        Ok(())
    }

    fn settle(&self, mine: Registered) {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*registered, &mine) {
            (Registered::As(wait), _) | (Registered::AlreadyCalled, Registered::As(wait)) => {
                // SAFETY: a wait that was registered and is unregistered once; it does not block, even in its own callback.
                unsafe { UnregisterWait(*wait) };
            }
            _ => *registered = mine,
        }
    }
}

unsafe extern "system" fn on_event(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the reference that `register` made for this one call.
    let wait = unsafe { Arc::from_raw(context.cast::<Wait>().cast_const()) };
    let channel = wait.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(channel) = channel {
        // Does not unwind into the thread pool: a completion swallows what strangers' code throws.
        Channel::on_completion(channel, wait.overlapped, None);
    }
    wait.settle(Registered::AlreadyCalled);
}
