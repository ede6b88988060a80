//! Signals and the driver's thread.

use std::mem::MaybeUninit;
use std::ptr;

/// Calls `spawn`, which starts the driver's thread, with the program's signals blocked: the thread
/// inherits that from its first instruction on, and the program's own threads get them.
///
/// Those that an instruction raises stay as they are: a blocked one ends the process (*documented*,
/// sigprocmask(2)), and the program may have a handler that maps the page, say, which one of its
/// own wakers or buffers has touched.
pub(crate) fn with_signals_left_to_the_program<T>(spawn: impl FnOnce() -> T) -> T {
    const OF_INSTRUCTIONS: [libc::c_int; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it initialises the set it is given.
    unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
    for signal in OF_INSTRUCTIONS {
        // SAFETY: the set was initialised above, and the number is that of a signal.
        unsafe { libc::sigdelset(blocked.as_mut_ptr(), signal) };
    }
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets live on this stack for the time of the call; the first was initialised
    // above.
    let changed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), old.as_mut_ptr()) } == 0;
    let result = spawn();
    if changed {
        // SAFETY: the call above succeeded, so it has filled `old`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut()) };
    }
    result
}
