//! Where Wine differs from Windows.
//!
//! Wine's server completes an operation by a call that the issuing thread has to make: this call
//! writes the data, the count and the status, and then sends the packet. If the thread ends before
//! it makes the call, the packet is still sent, but nothing is ever written: the status stays
//! pending (*observed*, Wine 8.0; `async_set_result` in its server/async.c). Then only the packet
//! tells the outcome. That is enough for a write; the bytes that a read had taken are lost.
//!
//! # References
//!
//! - [`server/async.c`](https://gitlab.winehq.org/wine/wine/-/blob/wine-8.0/server/async.c)

use std::sync::{Arc, OnceLock, Weak};

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

use crate::channel::completion::Thread;

/// Whether this is Wine: its ntdll has a function for this question.
pub(crate) fn is_wine() -> bool {
    static IS_WINE: OnceLock<bool> = OnceLock::new();
    *IS_WINE.get_or_init(|| {
        // SAFETY: the string ends with a zero.
        let ntdll = unsafe { GetModuleHandleW(windows_sys::w!("ntdll.dll")) };
        // SAFETY: ntdll stays loaded as long as the process; the string ends with a zero.
        !ntdll.is_null() && unsafe { GetProcAddress(ntdll, windows_sys::s!("wine_get_version")) }.is_some()
    })
}

/// The thread that issued an operation. Not noted on Windows, where it does not matter.
#[derive(Default)]
pub(crate) struct IssuingThread(Option<Weak<()>>);

impl Thread for IssuingThread {
    fn current() -> Self {
        thread_local! {
            /// Alive as long as the thread's locals, which end before the thread.
            static ALIVE: Arc<()> = Arc::default();
        }
        // A thread without locals is about to end: as good as gone.
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
