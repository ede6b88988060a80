//! What a driver knows a channel by.

use std::sync::Arc;

use super::{DriverShare, System};
use crate::contract::Turn;

/// The key by which a driver finds a channel: what its poller says about the key goes to the
/// channel. Dropping this gives the key back.
pub(crate) struct Key<S: System> {
    driver: S::Driver,
    number: usize,
}

impl<S: System> Key<S> {
    pub(crate) fn new(driver: S::Driver, channel: &Arc<S::Channel>) -> Self {
        let number = driver.add_key(channel);
        Self { driver, number }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn driver(&self) -> &S::Driver {
        &self.driver
    }

    pub(crate) fn poller(&self) -> &S::Poller {
        self.driver.poller()
    }
}

impl<S: System> Drop for Key<S> {
    fn drop(&mut self) {
        // In a forked process the table is the parent's, and this copy of its lock may be held for
        // ever.
        if self.poller().is_of_this_process() {
            self.driver.take_back_key(self.number);
        }
    }
}
