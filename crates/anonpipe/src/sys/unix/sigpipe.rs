//! Writes to a pipe without a reader, without `SIGPIPE`.
//!
//! Sockets have a flag for this, pipes do not. Rust programs ignore `SIGPIPE` from the start, but C
//! programs, and Rust programs that restored the default, would die. For them the thread blocks the
//! signal during the write, and takes it back if the write raised it: `SIGPIPE` is sent to the
//! thread that wrote (*documented*, signal(7)). On macOS and NetBSD it is sent to the process, so a
//! thread's mask does not help; there the descriptor has a flag (*assumed*, read in their sources).
//!
//! # References
//!
//! - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
//! - [sigpending(2)](https://man7.org/linux/man-pages/man2/sigpending.2.html)
//! - [pthread_sigmask(3)](https://man7.org/linux/man-pages/man3/pthread_sigmask.3.html)
//! - [POSIX, write](https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html)

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::ptr;

/// Makes the system raise no signal for writes to this descriptor, where it can do so.
pub(super) fn is_kept_from(fd: BorrowedFd<'_>) -> bool {
    #[cfg(any(target_vendor = "apple", target_os = "netbsd"))]
    {
        use std::os::fd::AsRawFd;

        /// As in `fcntl.h`; only recent versions of the libc crate know it.
        const F_SETNOSIGPIPE: libc::c_int = if cfg!(target_vendor = "apple") { 73 } else { 14 };

        // SAFETY: the descriptor is borrowed, so it is open; the argument is a number.
        unsafe { libc::fcntl(fd.as_raw_fd(), F_SETNOSIGPIPE, 1) == 0 }
    }
    #[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
    {
        let _ = fd;
        false
    }
}

/// Whether a write to a closed pipe does more than fail.
pub(super) fn is_deadly() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, the call only writes the current one to `action`, which is
    // large enough.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return true;
    }
    // SAFETY: the call succeeded, so it has filled `action`.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction != libc::SIG_IGN
}

/// Calls `write` with `SIGPIPE` blocked in this thread; `broken` says whether the result is
/// `EPIPE`.
pub(super) fn without<T>(write: impl FnOnce() -> T, broken: impl FnOnce(&T) -> bool) -> T {
    // A signal that is already pending is not ours, and stays.
    let already_pending = is_pending();
    let only_sigpipe = only_sigpipe();
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets live on this stack during the call; `only_sigpipe` is initialised.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only_sigpipe, old.as_mut_ptr()) } == 0;
    let result = write();
    if blocked {
        if broken(&result) && !already_pending && is_pending() {
            let mut signal = 0;
            // SAFETY: the set is initialised, `signal` is writable; the signal is pending for this
            // thread, so this returns.
            unsafe { libc::sigwait(&raw const only_sigpipe, &raw mut signal) };
        }
        // SAFETY: `pthread_sigmask` succeeded above, so `old` is filled.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut()) };
    }
    result
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the call initialises the set that it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set was initialised on the line above.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE) };
    // SAFETY: initialised by `sigemptyset`, which cannot fail with a valid pointer.
    unsafe { set.assume_init() }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the call fills the set that it is given.
    if unsafe { libc::sigpending(pending.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: filled by the call that succeeded.
    unsafe { libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1 }
}
