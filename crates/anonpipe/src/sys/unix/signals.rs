//! The signals of threads of ours.
//!
//! # References
//!
//! - [sigprocmask(2)](https://man7.org/linux/man-pages/man2/sigprocmask.2.html)
//! - [pthread_sigmask(3)](https://man7.org/linux/man-pages/man3/pthread_sigmask.3.html)
//! - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)

use std::mem::MaybeUninit;
use std::ptr;

/// Calls `spawn`, which starts the driver's thread, with the program's signals blocked. The new
/// thread inherits the mask from its first instruction on, so the program's own threads get the
/// signals.
///
/// Signals that an instruction raises are not blocked. A blocked one would end the process
/// (*documented*, sigprocmask(2)), and the program may have a handler for it: one that maps the
/// page, for example, which one of its own wakers or buffers has touched.
pub(crate) fn with_signals_left_to_the_program<T>(spawn: impl FnOnce() -> T) -> T {
    const OF_INSTRUCTIONS: [libc::c_int; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the call initialises the set that it is given.
    unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
    for signal in OF_INSTRUCTIONS {
        // SAFETY: the set was initialised above, and the number is that of a signal.
        unsafe { libc::sigdelset(blocked.as_mut_ptr(), signal) };
    }
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets live on this stack during the call; the first was initialised above.
    let changed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), old.as_mut_ptr()) } == 0;
    let result = spawn();
    if changed {
        // SAFETY: the call above succeeded, so it has filled `old`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut()) };
    }
    result
}

/// Which signals a thread has blocked.
#[derive(Clone, Copy)]
pub(super) struct SignalMask(libc::sigset_t);

impl SignalMask {
    pub(super) fn of_this_thread() -> Self {
        let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: makes the set empty, so that it is one even if the next call failed.
        unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
        // SAFETY: changes nothing, and fills a set that lives on this stack.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), mask.as_mut_ptr()) };
        // SAFETY: initialised above.
        Self(unsafe { mask.assume_init() })
    }

    /// Calls `run` with this mask.
    pub(super) fn during<T>(&self, run: impl FnOnce() -> T) -> T {
        let own = Self::of_this_thread();
        self.set();
        let result = run();
        own.set();
        result
    }

    fn set(&self) {
        // SAFETY: a set that lives during the call; it does not fail for a valid request.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}
