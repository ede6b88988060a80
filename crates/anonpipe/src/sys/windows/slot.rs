//! The `OVERLAPPED` of one operation, and what the kernel writes to it.
//!
//! # References
//!
//! - [`OVERLAPPED`]
//! - [`CancelIoEx`]
//!
//! [`OVERLAPPED`]: https://learn.microsoft.com/en-us/windows/win32/api/minwinbase/ns-minwinbase-overlapped
//! [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_PENDING};
use windows_sys::Win32::System::IO::OVERLAPPED;

use crate::buffer;
use crate::channel::completion::{self, SlotId};

/// The `OVERLAPPED` of one operation. The kernel writes to it until the completion.
#[derive(Default)]
pub(crate) struct Slot {
    overlapped: UnsafeCell<OVERLAPPED>,
    /// Whether the kernel has it, and the bytes of its operation.
    lent: AtomicBool,
}

// SAFETY: while the kernel has it, only its address is taken; its fields are read as atomics.
unsafe impl Send for Slot {}
// SAFETY: as for `Send`.
unsafe impl Sync for Slot {}

/// The kernel changes it, whether or not a thread of ours panics.
impl std::panic::RefUnwindSafe for Slot {}

impl buffer::Slot for Slot {
    fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire)
    }
}

impl completion::Slot for Slot {
    fn id(&self) -> SlotId {
        SlotId(self.overlapped.get().expose_provenance())
    }
}

impl Slot {
    /// Prepares it for an operation with `event`, or with none. The operation is pending until the
    /// kernel says otherwise. Ends the process if the kernel has it already.
    pub(super) fn lend_to_kernel(&self, event: *mut c_void) -> *mut OVERLAPPED {
        if self.lent.swap(true, Ordering::AcqRel) {
            still_in_use("used twice");
        }
        // The offset fields stay zero, as pipes require.
        let fresh = OVERLAPPED { Internal: STATUS_PENDING as usize, hEvent: event, ..OVERLAPPED::default() };
        let overlapped = self.overlapped.get();
        // SAFETY: valid, and the flag excludes any other use.
        unsafe { overlapped.write(fresh) };
        overlapped
    }

    /// Called when the kernel is done with it.
    pub(super) fn take_back(&self) {
        self.lent.store(false, Ordering::Release);
    }

    /// The status and the byte count. The count is meaningful if the status is not pending.
    ///
    /// The kernel writes the count (and the buffer) first and the status last. A processor that
    /// keeps no order by itself (ARM64) might still read the count before the status. The acquiring
    /// load prevents that.
    pub(super) fn result(&self) -> (NTSTATUS, usize) {
        // SAFETY: valid as long as `self`; the kernel writes atomically.
        let status = unsafe { status_of(self.overlapped.get()) }.load(Ordering::Acquire);
        // SAFETY: as above.
        (status, unsafe { count_of(self.overlapped.get()) }.load(Ordering::Relaxed))
    }
}

/// An operation that the kernel still has is never freed: this runs before its buffer is dropped.
impl Drop for Slot {
    fn drop(&mut self) {
        if *self.lent.get_mut() {
            still_in_use("freed");
        }
    }
}

/// Otherwise the kernel would write to memory that has another use.
fn still_in_use(how: &str) -> ! {
    eprintln!("anonpipe: an operation that the system still has is {how}");
    std::process::abort()
}

/// The kernel writes an NTSTATUS, 32 bits, to a field of pointer size; every Windows is
/// little-endian.
///
/// # Safety
///
/// `overlapped` must be valid as long as the result is used, and apart from the result only the
/// kernel may write to it.
unsafe fn status_of<'a>(overlapped: *mut OVERLAPPED) -> &'a AtomicI32 {
    // SAFETY: valid, says the caller, so the field is inside it.
    let status = unsafe { &raw mut (*overlapped).Internal };
    // SAFETY: valid and aligned, and written by others atomically or not at all, says the caller.
    unsafe { AtomicI32::from_ptr(status.cast()) }
}

/// # Safety
///
/// As for `status_of`.
unsafe fn count_of<'a>(overlapped: *mut OVERLAPPED) -> &'a AtomicUsize {
    // SAFETY: valid, says the caller, so the field is inside it.
    let count = unsafe { &raw mut (*overlapped).InternalHigh };
    // SAFETY: as in `status_of`.
    unsafe { AtomicUsize::from_ptr(count) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::thread;

    use windows_sys::Win32::Foundation::{STATUS_PENDING, STATUS_SUCCESS};

    use super::{Slot, count_of, status_of};

    /// A thread plays the kernel: the count first, the status last. Reading them the other way
    /// round fails on every processor. Reading them in no order fails only on a processor that
    /// keeps none (ARM64).
    #[test]
    fn a_status_is_not_seen_before_its_count() {
        let slot = Slot::default();
        let overlapped = slot.lend_to_kernel(std::ptr::null_mut());
        // SAFETY: valid until the end of this function, and only accessed atomically from here on.
        let status = unsafe { status_of(overlapped) };
        // SAFETY: as above.
        let count = unsafe { count_of(overlapped) };
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..20_000 {
                    count.store(round, Ordering::Relaxed);
                    status.store(STATUS_SUCCESS, Ordering::Release);
                    while status.load(Ordering::Acquire) != STATUS_PENDING {
                        std::hint::spin_loop();
                    }
                }
            });
            let mut wrong = 0;
            for round in 1..20_000 {
                let seen = loop {
                    let (status, count) = slot.result();
                    if status != STATUS_PENDING {
                        break count;
                    }
                    std::hint::spin_loop();
                };
                wrong += usize::from(seen != round);
                status.store(STATUS_PENDING, Ordering::Release);
            }
            assert_eq!(wrong, 0, "counts of other completions");
        });
        slot.take_back();
    }
}
