//! Wine, where it does what Windows does not.
//!
//! Wine's server completes an operation by a call that the thread which issued it has to make:
//! there the data, the count and the status are written, and then the packet is sent. If the thread
//! ends before it gets to that, the packet is sent all the same, but nothing is written, and never
//! will be: the status stays pending (*observed*, Wine 8.0; `async_set_result` in its
//! server/async.c). What the packet says has to do, then. For a write that is all; what a read had
//! taken is lost.

use std::sync::{Arc, OnceLock, Weak};

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

use crate::channel::completion::Thread;

/// Whether this is Wine, by the function that its ntdll has for this question.
pub(super) fn is_wine() -> bool {
    static IS_WINE: OnceLock<bool> = OnceLock::new();
    *IS_WINE.get_or_init(|| {
        // SAFETY: a string that ends with a zero.
        let ntdll = unsafe { GetModuleHandleW(windows_sys::w!("ntdll.dll")) };
        // SAFETY: ntdll stays loaded as long as the process; a string that ends with a zero.
        !ntdll.is_null() && unsafe { GetProcAddress(ntdll, windows_sys::s!("wine_get_version")) }.is_some()
    })
}

/// The thread that issued an operation. On Windows none is noted, because it does not matter there.
#[derive(Default)]
pub(crate) struct IssuingThread(Option<Weak<()>>);

impl Thread for IssuingThread {
    fn current() -> Self {
        thread_local! {
            /// Alive as long as the thread's locals are, which end before it.
            static ALIVE: Arc<()> = Arc::default();
        }
        // Without locals it is about to end: as good as gone.
        Self(is_wine().then(|| ALIVE.try_with(Arc::downgrade).unwrap_or_default()))
    }

    fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(|alive| alive.strong_count() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{IssuingThread, is_wine};
    use crate::channel::completion::Thread as _;

    #[test]
    fn a_thread_that_ends_is_known_to_have_ended() {
        let here = IssuingThread::current();
        let there = std::thread::spawn(IssuingThread::current).join().unwrap();
        assert_eq!((here.has_ended(), there.has_ended()), (false, is_wine()));
        assert!(!IssuingThread::default().has_ended(), "no thread's");
    }
}
