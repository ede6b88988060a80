//! Calls of the C library's functions, which are counted.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

pub(super) use anonpipe_c::end::*;
pub(super) use anonpipe_c::io::*;
pub(super) use anonpipe_c::op::*;
pub(super) use anonpipe_c::options::*;
pub(super) use anonpipe_c::result::*;
pub(super) use anonpipe_c::text::*;

static CALLS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// How often each function was called in this process.
pub fn called() -> BTreeMap<&'static str, u64> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn count(function: &'static str) {
    *CALLS.lock().unwrap_or_else(PoisonError::into_inner).entry(function).or_default() += 1;
}

/// Calls a function of the C library.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {{
        $crate::c_api::calls::count(stringify!($function));
        #[allow(unused_unsafe, reason = "one of them takes no pointers")]
        // SAFETY: `World` does what the header says under "Requires": the ends and operations that
        // it names are open, buffers have their length and are kept, outputs can be written.
        unsafe { $crate::c_api::calls::$function($($argument),*) }
    }};
}
pub(super) use call;

/// Panics if the answer is none of those that the header promises.
#[track_caller]
pub(super) fn expect(code: c_int, promised: &[anonpipe_error]) {
    assert!(promised.iter().any(|promised| *promised as c_int == code), "{code} instead of {promised:?}");
}

/// An output that a function may write. It begins with a value that no function writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count(pub(super) usize);

impl Count {
    const UNTOUCHED: usize = usize::MAX - 41;

    pub(super) fn new() -> Self {
        Self(Self::UNTOUCHED)
    }

    /// Where to write it, if anywhere.
    pub(super) fn place(&mut self, null: bool) -> *mut usize {
        if null { std::ptr::null_mut() } else { &raw mut self.0 }
    }

    pub(super) fn is_untouched(self) -> bool {
        self.0 == Self::UNTOUCHED
    }
}
