//! The caller's code, where it runs on a thread of ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`, which runs the caller's code (wakers, and the drop of buffers), and swallows its
/// panic: the thread that completes one operation has others to complete.
pub(crate) fn swallow_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        #[expect(clippy::mem_forget, reason = "its drop may panic as well")]
        std::mem::forget(payload);
    }
}
