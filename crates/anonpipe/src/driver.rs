//! Who completes operations: one source of the system's notifications, and one thread that turns it.
//!
//! [`sys::Driver`] is the source: a completion port on Windows, a poller on Unix. The process has one, made with its thread
//! by the first operation that has to wait for the system; programs that only block or only make pairs have neither.

use std::io;
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
    static GLOBAL: Mutex<Option<&'static sys::Driver>> = Mutex::new(None);
    let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = *global {
        return Ok(driver);
    }
    let driver = std::sync::Arc::new(sys::Driver::new()?);
    let turning = std::sync::Arc::clone(&driver);
    std::thread::Builder::new().name("anonpipe-driver".into()).spawn(move || run(&*turning))?;
    // It lives as long as the process, as its thread does.
    let driver: &'static sys::Driver = Box::leak(Box::new(driver));
    *global = Some(driver);
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
