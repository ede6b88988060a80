//! What the functions return: 0, a negative code of ours, or a positive one of the system's.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_int;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the functions return, next to the system's own codes, which are positive.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum anonpipe_error {
    /// It worked.
    ANONPIPE_OK = 0,
    /// An argument makes no sense: a null pointer, a value that is not defined, two outputs in the
    /// same place.
    ANONPIPE_E_INVALID_ARGUMENT = -1,
    /// The time to wait was up. The operation goes on: wait again, or cancel it.
    ANONPIPE_E_PENDING = -2,
    /// The time for a read or write was up, so it was cancelled.
    ANONPIPE_E_TIMED_OUT = -3,
    /// The operation was cancelled, or its end was closed.
    ANONPIPE_E_CANCELLED = -4,
    /// The peer has closed its reading side: stop writing.
    ANONPIPE_E_BROKEN_PIPE = -5,
    /// Operations are in flight on the end: wait for them, or cancel them, first.
    ANONPIPE_E_BUSY = -6,
    /// This system cannot do that.
    ANONPIPE_E_UNSUPPORTED = -7,
    /// The handle is synchronous (on Unix: it blocks), and operations need an overlapped one (on
    /// Unix: O_NONBLOCK).
    ANONPIPE_E_WRONG_MODE = -8,
    /// A read of an end that only writes, or a write to one that only reads.
    ANONPIPE_E_WRONG_DIRECTION = -9,
    /// A failure that has no code of its own; anonpipe_last_error_text() says what it was.
    ANONPIPE_E_OTHER = -10,
    /// A mistake in this library. The end or operation that it was working on is in an unknown
    /// state.
    ANONPIPE_E_INTERNAL = -11,
}

pub use anonpipe_error::*;

/// `ANONPIPE_UNKNOWN`, as a number of bytes: the system does not tell how many have gone.
pub(crate) const UNKNOWN: usize = usize::MAX;

/// What each code of ours means, in the order of the codes.
const TEXTS: [&str; 12] = [
    "success",
    "invalid argument",
    "the operation is still in flight",
    "the time was up",
    "the operation was cancelled",
    "the peer has closed its reading side",
    "operations are in flight on this end",
    "this system cannot do that",
    "the handle is synchronous, and operations need an overlapped one",
    "the end does not go that way",
    "it failed for a reason that has no code",
    "a mistake in the library anonpipe",
];

/// What a code means.
pub(crate) fn describe(code: c_int) -> String {
    let own = usize::try_from(code.unsigned_abs()).ok().and_then(|index| TEXTS.get(index));
    match (code, own) {
        (..=0, Some(text)) => (*text).to_owned(),
        (1.., _) => systems_text(code),
        _ => format!("no code of anonpipe's: {code}"),
    }
}

/// What the system says that a code of its own means.
fn systems_text(code: c_int) -> String {
    let text = without_number(&io::Error::from_raw_os_error(code).to_string(), code);
    // The standard library's way of saying that Windows knows no such code.
    if text.starts_with("OS Error ") { format!("an unknown error of the system: {code}") } else { text }
}

/// Takes out what Rust's standard library adds to the system's text: C programs have the code
/// itself.
fn without_number(text: &str, code: c_int) -> String {
    text.replace(&format!(" (os error {code})"), "")
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) code: c_int,
    /// How many bytes had gone; `None` if no read or write was tried.
    pub(crate) transferred: Option<usize>,
    text: String,
}

impl Failed {
    pub(crate) fn new(code: anonpipe_error, text: impl Into<String>) -> Self {
        Self { code: code as c_int, transferred: None, text: text.into() }
    }

    pub(crate) fn invalid(text: &str) -> Self {
        Self::new(ANONPIPE_E_INVALID_ARGUMENT, text)
    }

    /// Says `words` in the text where the Rust library has `its`.
    pub(crate) fn in_words(mut self, its: &str, words: &str) -> Self {
        self.text = self.text.replace(its, words);
        self
    }

    /// Adds bytes that had gone before the call that failed.
    pub(crate) fn after(mut self, written: usize) -> Self {
        // "Unknown" is the largest number, and stays.
        self.transferred = self.transferred.map(|count| count.saturating_add(written));
        self
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        let own = pipes::Error::of(&error);
        let systems = raw(&error);
        let code = match (error.kind(), systems) {
            _ if own.is_some_and(pipes::Error::is_cancelled) => ANONPIPE_E_CANCELLED as c_int,
            (io::ErrorKind::BrokenPipe, _) => ANONPIPE_E_BROKEN_PIPE as c_int,
            (_, Some(code)) => code,
            (io::ErrorKind::TimedOut, None) => ANONPIPE_E_TIMED_OUT as c_int,
            (io::ErrorKind::InvalidInput, None) => ANONPIPE_E_INVALID_ARGUMENT as c_int,
            (io::ErrorKind::ResourceBusy, None) => ANONPIPE_E_BUSY as c_int,
            (io::ErrorKind::Unsupported, None) => ANONPIPE_E_UNSUPPORTED as c_int,
            (_, None) => ANONPIPE_E_OTHER as c_int,
        };
        let transferred = own.map_or(Some(0), pipes::Error::transferred).unwrap_or(UNKNOWN);
        let text = error.to_string();
        let text = systems.map(|code| without_number(&text, code)).unwrap_or(text);
        Self { code, transferred: Some(transferred), text }
    }
}

/// The system's code, if it is one: they are positive.
pub(crate) fn raw(error: &io::Error) -> Option<c_int> {
    let code = match pipes::Error::of(error) {
        Some(own) => own.raw_os_error(),
        None => error.raw_os_error(),
    };
    code.filter(|code| *code > 0)
}

thread_local! {
    /// Why the last call of this thread that failed did so.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

pub(crate) fn last_error_text() -> String {
    LAST.try_with(|last| last.borrow().clone()).unwrap_or_default()
}

/// Runs the body of an exported function: makes a code of its result, and keeps panics from C.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failed>) -> c_int {
    let failed = match catch(body) {
        Ok(Ok(())) => return ANONPIPE_OK as c_int,
        Ok(Err(failed)) => failed,
        Err(panic) => Failed::new(ANONPIPE_E_INTERNAL, panic),
    };
    // Fails only in a thread that is ending.
    let _ = LAST.try_with(|last| *last.borrow_mut() = failed.text);
    failed.code
}

/// Calls `body`; `Err` is what a panic said.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| format!("a mistake in anonpipe: {}", message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

#[cfg(test)]
mod tests {
    use super::{ANONPIPE_E_INTERNAL, Failed, TEXTS, describe, guard, last_error_text};

    const LAST_CODE: i32 = ANONPIPE_E_INTERNAL as i32;

    #[test]
    fn a_panic_becomes_a_code() {
        assert_eq!(guard(|| panic!("on purpose")), LAST_CODE);
        assert_eq!(last_error_text(), "a mistake in anonpipe: on purpose");
    }

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let texts: std::collections::HashSet<_> = (LAST_CODE..=0).map(describe).collect();
        assert_eq!(texts.len(), TEXTS.len());
        assert_eq!(describe(-4711), "no code of anonpipe's: -4711");
        assert_eq!(describe(i32::MIN), format!("no code of anonpipe's: {}", i32::MIN));
    }

    #[test]
    fn the_systems_code_is_kept() {
        assert_eq!(Failed::from(std::io::Error::from_raw_os_error(9)).code, 9);
    }
}
