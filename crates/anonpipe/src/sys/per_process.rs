//! What a process has one of, also if it was forked from another one that has its own.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::Process;
use crate::contract::Process as _;

/// A value that a process makes when it is first asked for. A forked process makes its own: a lock
/// in its copy of the parent's may be held by a thread that is not there. No lock is taken to find
/// it.
pub(crate) struct PerProcess<T>(AtomicPtr<Made<T>>);

struct Made<T> {
    by: Process,
    value: T,
}

impl<T: Send + Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The value of this process. If several threads make one at once, they all get the same.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &'static T {
        let known = self.0.load(Ordering::Acquire);
        // SAFETY: null, or what was stored below, which is never freed.
        if let Some(made) = unsafe { known.as_ref() }
            && made.by.is_current()
        {
            return &made.value;
        }
        // What it replaces, if anything, is the parent's, and stays: to drop it could need its
        // locks.
        let new = Box::into_raw(Box::new(Made { by: Process::current(), value: make() }));
        let made = match self.0.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(others) => {
                // SAFETY: made above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                others
            }
        };
        // SAFETY: it is the one that was stored, by this thread or by another one of this process,
        // and is never freed.
        &unsafe { &*made }.value
    }
}
