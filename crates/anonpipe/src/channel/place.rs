//! Places: of a channel among a driver's keys, and of an element in a queue.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Driver, System};
use crate::contract::Turn;

/// A channel's place in its driver's table of keys. Dropping this gives the place back.
pub(crate) struct Place<S: System> {
    driver: S::Driver,
    key: usize,
}

impl<S: System> Place<S> {
    pub(crate) fn new(driver: S::Driver, channel: &Arc<S::Channel>) -> Self {
        let key = driver.add_key(channel);
        Self { driver, key }
    }

    pub(crate) fn key(&self) -> usize {
        self.key
    }

    pub(crate) fn driver(&self) -> &S::Driver {
        &self.driver
    }

    pub(crate) fn poller(&self) -> &S::Poller {
        self.driver.poller()
    }
}

impl<S: System> Drop for Place<S> {
    fn drop(&mut self) {
        // In a forked process the table is the parent's, and this copy of its lock may be held for
        // ever.
        if self.poller().is_of_this_process() {
            self.driver.take_back_key(self.key);
        }
    }
}

/// The place in a queue of the element for which `is` holds. Looks from both ends, because most
/// elements are completed from the front, and dropped in order or in reverse order.
pub(crate) fn place_in<T>(queue: &VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<usize> {
    let last = queue.len().checked_sub(1)?;
    (0..=last / 2).find_map(|front| [front, last - front].into_iter().find(|place| is(&queue[*place])))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::place_in;

    #[test]
    fn every_place_in_a_queue_is_found() {
        for length in 0..10 {
            let queue: VecDeque<_> = (0..length).collect();
            for element in 0..length {
                assert_eq!(place_in(&queue, |other| *other == element), Some(element));
            }
            assert_eq!(place_in(&queue, |other| *other == length), None);
        }
    }
}
