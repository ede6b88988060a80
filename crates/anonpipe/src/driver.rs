//! Who completes operations: one source of the system's notifications, and one thread that turns it.
//!
//! [`sys::Driver`] is the source: a completion port on Windows, a poller on Unix. The process has one, made with its thread
//! by the first operation that has to wait for the system; programs that only block or only make pairs have neither.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sys;

/// A source of notifications that completes the operations they are about.
pub(crate) trait Turn: Send + Sync {
    /// Waits for notifications, at most for `timeout`, and completes what they are about.
    fn turn(&self, timeout: Option<Duration>) -> io::Result<()>;
}

/// The driver of this process; starts it on the first call that succeeds.
pub(crate) fn global() -> io::Result<&'static sys::Driver> {
    static GLOBAL: Mutex<State> = Mutex::new(State { driver: None, started: false });

    let mut state = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    let driver = match state.driver {
        Some(driver) if driver.is_of_this_process() => driver,
        // None yet, or that of the process we were forked from, whose thread is not here.
        _ => {
            let new: &'static sys::Driver = Box::leak(Box::new(sys::Driver::new()?));
            *state = State { driver: Some(new), started: false };
            new
        }
    };
    if !state.started {
        std::thread::Builder::new().name("anonpipe-driver".into()).spawn(move || run(driver))?;
        state.started = true;
    }
    Ok(driver)
}

struct State {
    driver: Option<&'static sys::Driver>,
    started: bool,
}

fn run(driver: &dyn Turn) {
    sys::prepare_driver_thread();
    loop {
        // Out of memory, at worst. The notifications are not lost by that, so ask again, but do not spin.
        if driver.turn(None).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Calls `f`, which runs strangers' code (wakers, and the drop of buffers), and swallows its panic: whoever completes one
/// operation has others to complete.
pub(crate) fn undisturbed(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        #[expect(clippy::mem_forget, reason = "its drop may panic as well")]
        std::mem::forget(payload);
    }
}
