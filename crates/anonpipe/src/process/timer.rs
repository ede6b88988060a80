//! A point in time that a call waits for, among other things.

use std::fmt;
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::channel::System as _;
use crate::driver::{Native, NativeDriver, TimerKey};

/// Wakes the task that polls it when its time has come.
pub(super) struct Timer {
    time: Instant,
    driver: NativeDriver,
    /// What the driver knows of it, and the waker that it will call.
    set: Option<(TimerKey, Waker)>,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Timer {
    /// `None`: the time is beyond the clock's end.
    pub(super) fn at(time: Option<Instant>, attached: Option<&NativeDriver>) -> io::Result<Option<Self>> {
        let Some(time) = time else { return Ok(None) };
        let driver = match attached {
            Some(driver) => driver.clone(),
            None => Native::process_driver()?,
        };
        Ok(Some(Self { time, driver, set: None }))
    }

    /// Whether the time has come; if not, `waker` is called then.
    pub(super) fn is_due(&mut self, waker: &Waker) -> bool {
        if self.time <= Native::now() {
            self.forget();
            return true;
        }
        if self.set.as_ref().is_none_or(|(_, known)| !known.will_wake(waker)) {
            self.forget();
            self.set = Some((self.driver.wake_at(self.time, waker.clone()), waker.clone()));
        }
        false
    }

    /// Puts it off, to `time` from now.
    pub(super) fn put_off(&mut self, time: Duration) {
        if let Some(time) = Native::deadline_in(time) {
            self.forget();
            self.time = time;
        }
    }

    fn forget(&mut self) {
        if let Some((key, _)) = self.set.take() {
            self.driver.forget_timer(&key);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.forget();
    }
}
