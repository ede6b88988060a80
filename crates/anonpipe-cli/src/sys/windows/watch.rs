//! The console's control events, and the child's exit: both come on threads of the system's, and
//! ring the bell.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Context;

use windows_sys::Win32::Foundation::{FALSE, HANDLE, TRUE};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};
use windows_sys::core::BOOL;

use super::Child;
use crate::bell::Bell;

/// What Unix calls an interrupt; here it makes the exit status.
const INTERRUPT: i32 = 2;

/// What the callbacks ring. They may come at any time, so it is never gone.
static BELL: OnceLock<Arc<Bell>> = OnceLock::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn ring() {
    if let Some(bell) = BELL.get() {
        bell.ring();
    }
}

pub(crate) struct Watch {
    /// The wait for the child's exit.
    wait: HANDLE,
}

impl Watch {
    pub(crate) fn new(bell: &Arc<Bell>) -> io::Result<Self> {
        // A second session in one process would be a mistake, and would ring for the first.
        let _ = BELL.set(Arc::clone(bell));
        // SAFETY: the handler is a function, and touches only statics.
        if unsafe { SetConsoleCtrlHandler(Some(on_control), TRUE) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { wait: ptr::null_mut() })
    }

    /// Rings when the child has exited.
    pub(crate) fn follow(&mut self, child: &Child) -> io::Result<()> {
        let mut wait = ptr::null_mut();
        // SAFETY: the process's handle must be open until the wait ends: the session drops this
        // watch, and so unregisters it, before the child. The callback touches only statics, and
        // returns at once as the wait thread needs it.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &raw mut wait,
                child.handle(),
                Some(on_exit),
                /* Context */ ptr::null(),
                INFINITE,
                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD,
            )
        };
        if registered == 0 {
            return Err(io::Error::last_os_error());
        }
        self.wait = wait;
        Ok(())
    }

    /// The interrupts that have arrived; the next one rings.
    #[expect(clippy::unused_self, reason = "there is something to poll on other systems")]
    pub(crate) fn poll(&mut self, _context: &mut Context<'_>) -> Vec<i32> {
        INTERRUPTED.swap(false, Ordering::SeqCst).then_some(INTERRUPT).into_iter().collect()
    }

    /// Nothing to do: the console has told the child itself.
    pub(crate) fn pass_on(_signal: i32, _child: &mut Child) {}
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.wait.is_null() {
            // SAFETY: the wait was registered and not yet unregistered. Without an event the call
            // does not wait for a callback that runs just now, which may: it touches only statics.
            unsafe { UnregisterWaitEx(self.wait, ptr::null_mut()) };
        }
    }
}

unsafe extern "system" fn on_exit(_context: *mut core::ffi::c_void, _timed_out: bool) {
    ring();
}

/// Keeps us alive, so that we see what the command makes of it. When the console closes or the user
/// logs off, all its processes end.
unsafe extern "system" fn on_control(event: u32) -> BOOL {
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        return FALSE;
    }
    INTERRUPTED.store(true, Ordering::SeqCst);
    ring();
    TRUE
}

pub(crate) fn ends_us(_signal: i32) -> bool {
    true
}
