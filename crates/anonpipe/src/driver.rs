//! Who completes operations: one source of the system's notifications, and one thread that turns it.
//!
//! [`sys::Driver`] is the source: a completion port on Windows, a poller on Unix. The process has one, made with its thread
//! by the first operation that has to wait for the system; programs that only block or only make pairs have neither.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::sys;

/// A source of notifications that completes the operations they are about.
pub(crate) trait Turn: Send + Sync {
    /// Waits for notifications, at most for `timeout`, and completes what they are about.
    fn turn(&self, timeout: Option<Duration>) -> io::Result<()>;
}

/// The driver of this process; starts it on the first call that succeeds.
pub(crate) fn global() -> io::Result<&'static sys::Driver> {
    static DRIVER: OnceLock<sys::Driver> = OnceLock::new();
    static STARTED: Mutex<bool> = Mutex::new(false);

    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let driver = match DRIVER.get() {
        Some(driver) => driver,
        None => {
            let new = sys::Driver::new()?;
            DRIVER.get_or_init(|| new)
        }
    };
    if !*started {
        std::thread::Builder::new().name("anonpipe-driver".into()).spawn(move || run(driver))?;
        *started = true;
    }
    Ok(driver)
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
