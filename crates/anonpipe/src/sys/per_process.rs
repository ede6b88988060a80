//! Values that each process makes for itself, even if it was forked from one that has its own.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::Process;
use crate::contract::Process as _;

/// A value that a process makes on first use. A forked process makes its own: a lock in its copy of
/// the parent's value may be held by a thread that does not exist in the fork. Finding the value
/// takes no lock.
pub(crate) struct PerProcess<T>(AtomicPtr<Made<T>>);

struct Made<T> {
    by: Process,
    value: T,
}

impl<T: Send + Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The value of this process. If several threads make one at once, all get the same.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &'static T {
        let known = self.0.load(Ordering::Acquire);
        // SAFETY: null, or a pointer that was stored below, to a value that is never freed.
        if let Some(made) = unsafe { known.as_ref() }
            && made.by.is_current()
        {
            return &made.value;
        }
        // An older value is the parent's, and is kept: dropping it could need the parent's locks.
        let new = Box::into_raw(Box::new(Made { by: Process::current(), value: make() }));
        let made = match self.0.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(others) => {
                // SAFETY: made above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                others
            }
        };
        // SAFETY: the pointer that was stored, by this thread or by another one of this process;
        // the value is never freed.
        &unsafe { &*made }.value
    }
}
