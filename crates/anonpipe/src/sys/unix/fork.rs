//! Which process this is. A forked one has copies of its parent's ends, operations and locks, but
//! none of its threads.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many forks lie between the process that the program began as and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The process that made something, told apart from those that were forked from it.
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

/// Has forks counted from now on. Without memory for that, a forked process is taken for its
/// parent.
pub(super) fn count_forks() -> io::Result<()> {
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if !COUNTING.load(Ordering::Acquire) {
        // SAFETY: the handler lives as long as the program, and does nothing but add to an atomic.
        // Should two threads come here at once, a fork counts twice, which does no harm.
        let error = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        COUNTING.store(true, Ordering::Release);
    }
    Ok(())
}
