//! Events and processes that the system's thread pool waits for. One pool thread waits for up to 63
//! of them; this crate starts no thread for it.
//!
//! # References
//!
//! - [`RegisterWaitForSingleObject`]
//! - [`UnregisterWait`]
//!
//! [`RegisterWaitForSingleObject`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-registerwaitforsingleobject
//! [`UnregisterWait`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-unregisterwait

use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWait, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

type Then = Box<dyn FnOnce() + Send>;

/// What the thread pool can wait for.
pub(super) trait Waitable: Send + Sync + 'static {
    /// Open as long as this.
    fn raw(&self) -> HANDLE;
}

/// A wait of the thread pool for one event, or process.
struct Wait<W> {
    object: W,
    /// Present until the callback takes it. The callback may drop what it owns, as the last owner.
    then: Mutex<Option<Then>>,
    registered: Mutex<Registered>,
}

/// The callback and the call that registers it may end in either order; whichever ends second
/// unregisters.
enum Registered {
    NotYet,
    As(WaitHandle),
    AlreadyCalled,
}

struct WaitHandle(HANDLE);

// SAFETY: a number that any thread may pass to the system.
unsafe impl Send for WaitHandle {}

/// Calls `then` on a thread of the pool when an event is set, or a process has ended. If that
/// fails, returns what has to be waited for otherwise, and the system's error.
pub(super) fn when_set<W: Waitable>(object: W, then: impl FnOnce() + Send + 'static) -> Result<(), (W, io::Error)> {
    let wait =
        Arc::new(Wait { object, then: Mutex::new(Some(Box::new(then))), registered: Mutex::new(Registered::NotYet) });
    let context = Arc::into_raw(Arc::clone(&wait));
    let mut handle = ptr::null_mut();
    // SAFETY: the object stays open as long as `wait`, of which the callback owns one reference;
    // the callback is called once.
    let done = unsafe {
        RegisterWaitForSingleObject(
            &raw mut handle,
            wait.object.raw(),
            Some(on_set::<W>),
            context.cast(),
            INFINITE,
            WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE,
        )
    };
    if done == 0 {
        let error = io::Error::last_os_error();
        // SAFETY: the reference made above; nothing will call back with it.
        drop(unsafe { Arc::from_raw(context) });
        // There is no other reference now.
        return Arc::into_inner(wait).map_or(Ok(()), |wait| Err((wait.object, error)));
    }
    wait.has_come(Registered::As(WaitHandle(handle)));
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W> Wait<W> {
    /// Notes that the registration has a handle, or that the callback was called. The second of the
    /// two unregisters.
    fn has_come(&self, this: Registered) {
        let mut first = lock(&self.registered);
        match (&*first, &this) {
            (Registered::As(wait), _) | (Registered::AlreadyCalled, Registered::As(wait)) => {
                // SAFETY: a registered wait, which is unregistered once; the call does not block,
                // even in the wait's own callback.
                unsafe { UnregisterWait(wait.0) };
            }
            _ => *first = this,
        }
    }
}

/// The pool's callback.
///
/// # Safety
///
/// `context` is a reference to a [`Wait`] that was given away for this call alone.
unsafe extern "system" fn on_set<W: Waitable>(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the reference that `when_set` made for this one call.
    let wait = unsafe { Arc::from_raw(context.cast::<Wait<W>>().cast_const()) };
    let then = lock(&wait.then).take();
    if let Some(then) = then {
        // Does not unwind into the thread pool: a completion catches the panics of the caller's
        // code.
        then();
    }
    wait.has_come(Registered::AlreadyCalled);
}
