//! Where an element is in a queue.

use std::collections::VecDeque;

/// The place in a queue of the element for which `is` holds. Looks from both ends, because most
/// elements are completed from the front, and dropped in order or in reverse order.
pub(crate) fn position_in<T>(queue: &VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<usize> {
    let last = queue.len().checked_sub(1)?;
    (0..=last / 2).find_map(|front| [front, last - front].into_iter().find(|position| is(&queue[*position])))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::position_in;

    #[test]
    fn every_position_in_a_queue_is_found() {
        for length in 0..10 {
            let queue: VecDeque<_> = (0..length).collect();
            for element in 0..length {
                assert_eq!(position_in(&queue, |other| *other == element), Some(element));
            }
            assert_eq!(position_in(&queue, |other| *other == length), None);
        }
    }
}
