//! Whether a task lets other tasks run once before it asks the system to wake it.

/// How often in a row yielding may be in vain before it is given up.
const MAX_CREDIT: u8 = 4;
/// How many waits go by then before yielding is tried again.
const PAUSE: u8 = 200;

/// Whether a task that found nothing comes back once before it asks the system to wake it.
///
/// Where both sides of a pipe run in one executor, the next task to run often writes what this task
/// waits for. A task that wakes itself once then finds the data, without asking the system or
/// another thread. Where the other side is another process, this is in vain. So yielding is given
/// up after a few times, and tried again now and then.
pub(crate) struct AdaptiveYield {
    credit: u8,
    pause: u8,
    /// Whether the task was asked to come back, and has found nothing since.
    yielded: bool,
}

impl Default for AdaptiveYield {
    fn default() -> Self {
        Self { credit: 1, pause: 0, yielded: false }
    }
}

impl AdaptiveYield {
    /// Whether to look before asking the system.
    pub(crate) fn looks_first(&mut self) -> bool {
        if self.yielded || self.credit > 0 {
            return true;
        }
        self.pause += 1;
        let now_and_then = self.pause == PAUSE;
        if now_and_then {
            self.pause = 0;
        }
        now_and_then
    }

    /// Whether the task should come back once, after it looked because of
    /// [`looks_first`](Self::looks_first) and found nothing.
    pub(crate) fn comes_back(&mut self) -> bool {
        !std::mem::replace(&mut self.yielded, true)
    }

    /// Both in one, for a task that looks in any case and found nothing: whether it should come
    /// back once.
    pub(crate) fn yields_once(&mut self) -> bool {
        self.looks_first() && self.comes_back()
    }

    /// Called when the task found nothing.
    pub(crate) fn found_nothing(&mut self) {
        if std::mem::take(&mut self.yielded) {
            self.credit = self.credit.saturating_sub(1);
        }
    }

    /// Called when the task found something.
    pub(crate) fn found_something(&mut self) {
        if std::mem::take(&mut self.yielded) {
            self.credit = MAX_CREDIT.min(self.credit + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdaptiveYield, PAUSE};

    #[test]
    fn it_is_given_up_where_it_is_in_vain_and_tried_again_now_and_then() {
        let mut adaptive = AdaptiveYield::default();
        let mut yields = 0;
        for _ in 0..10 * usize::from(PAUSE) {
            // A wait: nothing, perhaps nothing once more, then something after the system woke the
            // task.
            if adaptive.yields_once() {
                yields += 1;
                assert!(!adaptive.yields_once(), "it yields twice in one wait");
            }
            adaptive.found_nothing();
            adaptive.found_something();
        }
        assert!((5..=12).contains(&yields), "{yields} polls in vain in {} waits", 10 * usize::from(PAUSE));
    }

    #[test]
    fn it_goes_on_where_it_pays() {
        let mut adaptive = AdaptiveYield::default();
        for _ in 0..1000 {
            assert!(adaptive.yields_once());
            adaptive.found_something();
        }
        // A few yields in vain do not end it.
        for _ in 0..3 {
            assert!(adaptive.yields_once());
            adaptive.found_nothing();
        }
        assert!(adaptive.yields_once());
    }
}
