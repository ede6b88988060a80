//! Events that the system's thread pool waits for: one pool thread for up to 63 of them, none of
//! ours.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWait, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

use super::event::Event;

type Then = Box<dyn FnOnce() + Send>;

/// A wait of the thread pool for one event.
struct Wait {
    event: Event,
    /// Until the callback takes it. It may drop what it owns, as the last owner.
    then: Mutex<Option<Then>>,
    registered: Mutex<Registered>,
}

/// The callback and the call that registers it may end in either order; the second of them
/// unregisters.
enum Registered {
    NotYet,
    As(WaitHandle),
    AlreadyCalled,
}

struct WaitHandle(HANDLE);

// SAFETY: a number that any thread may pass to the system.
unsafe impl Send for WaitHandle {}

/// Has `then` called when `event` is set, on a thread of the pool. If that fails, the caller has to
/// wait for the event.
pub(super) fn when_set(event: Event, then: impl FnOnce() + Send + 'static) -> Result<(), Event> {
    let wait =
        Arc::new(Wait { event, then: Mutex::new(Some(Box::new(then))), registered: Mutex::new(Registered::NotYet) });
    let context = Arc::into_raw(Arc::clone(&wait));
    let mut handle = ptr::null_mut();
    // SAFETY: the event stays open as long as `wait`, of which the callback owns one reference; it
    // is called once.
    let done = unsafe {
        RegisterWaitForSingleObject(
            &raw mut handle,
            wait.event.raw(),
            Some(on_event),
            context.cast(),
            INFINITE,
            WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE,
        )
    };
    if done == 0 {
        // SAFETY: the reference made above; nothing will call back with it.
        drop(unsafe { Arc::from_raw(context) });
        // There is no other reference now.
        return Arc::into_inner(wait).map_or(Ok(()), |wait| Err(wait.event));
    }
    wait.has_come(Registered::As(WaitHandle(handle)));
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wait {
    /// The registration has a handle, or the callback was called: the second to come unregisters.
    fn has_come(&self, this: Registered) {
        let mut first = lock(&self.registered);
        match (&*first, &this) {
            (Registered::As(wait), _) | (Registered::AlreadyCalled, Registered::As(wait)) => {
                // SAFETY: a wait that was registered and is unregistered once; it does not block,
                // even in its own callback.
                unsafe { UnregisterWait(wait.0) };
            }
            _ => *first = this,
        }
    }
}

unsafe extern "system" fn on_event(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the reference that `when_set` made for this one call.
    let wait = unsafe { Arc::from_raw(context.cast::<Wait>().cast_const()) };
    let then = lock(&wait.then).take();
    if let Some(then) = then {
        // Does not unwind into the thread pool: a completion swallows what the caller's code
        // throws.
        then();
    }
    wait.has_come(Registered::AlreadyCalled);
}
