//! Tells this process from its forks. A fork has copies of its parent's ends, operations and locks,
//! but none of its threads.
//!
//! # References
//!
//! - [fork(2)](https://man7.org/linux/man-pages/man2/fork.2.html)
//! - [pthread_atfork(3)](https://man7.org/linux/man-pages/man3/pthread_atfork.3.html)
//! - [POSIX, pthread_atfork]
//!
//! [POSIX, pthread_atfork]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_atfork.html

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many forks lie between the program's first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The process that made something, told apart from its forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl crate::contract::Process for Process {
    fn current() -> Self {
        Self(FORKS.load(Ordering::Relaxed))
    }

    fn is_current(self) -> bool {
        self == Self::current()
    }
}

/// Counts forks from now on. If there is no memory for this, a forked process is taken for its
/// parent.
pub(super) fn count_forks() -> io::Result<()> {
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if !COUNTING.load(Ordering::Acquire) {
        // SAFETY: the handler lives as long as the program, and only adds to an atomic. If two
        // threads come here at once, a fork counts twice, which does no harm.
        let error = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        COUNTING.store(true, Ordering::Release);
    }
    Ok(())
}

/// Calls `check` in a forked process. Returns whether it passes: in time, and without a panic.
///
/// Only the calling thread goes on there. glibc and musl let it allocate memory all the same.
#[cfg(all(test, target_os = "linux", not(loom)))]
pub(crate) fn in_a_forked_process(check: impl FnOnce() -> bool) -> bool {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// In seconds: what hangs waits for a lock that no thread gives back.
    const DEADLINE: u32 = 30;

    // SAFETY: the child allocates memory, which the C library allows, and otherwise calls what this
    // crate promises for forks.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: takes a number. No handler is installed, so the signal ends the process.
        unsafe { libc::alarm(DEADLINE) };
        let passes = catch_unwind(AssertUnwindSafe(check)).unwrap_or(false);
        // SAFETY: ends the process, without what the parent would do at its end.
        unsafe { libc::_exit(i32::from(!passes)) };
    }
    let mut status = 0;
    // SAFETY: a child of ours, and a status to write to.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "waitpid: {error}");
    }
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}
