//! Which process this is, of those that were forked from one another.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::result::Failed;

/// How many forks lie between the process that the program began as and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Tells this process from those that were forked from it, once [`count`] was called.
pub(crate) fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has [`FORKS`] counted from now on.
#[cfg(unix)]
pub(crate) fn count() -> Result<(), Failed> {
    use std::sync::atomic::AtomicBool;

    extern "C" fn one() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    static COUNTING: AtomicBool = AtomicBool::new(false);
    if !COUNTING.load(Ordering::Acquire) {
        // SAFETY: the handler lives as long as the process, which keeps the library (see build.rs),
        // and does nothing but add to an atomic. Should two threads come here at once, a fork
        // counts twice, which does no harm.
        let error = unsafe { libc::pthread_atfork(None, None, Some(one)) };
        if error != 0 {
            return Err(std::io::Error::from_raw_os_error(error).into());
        }
        COUNTING.store(true, Ordering::Release);
    }
    Ok(())
}

/// There is no fork.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(crate) fn count() -> Result<(), Failed> {
    Ok(())
}
