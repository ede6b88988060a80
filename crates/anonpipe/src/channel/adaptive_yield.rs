//! Whether to let the other tasks run once before the system is asked to say when there is
//! something.

/// How often in a row yielding has to be in vain before it is not tried any more.
const MAX_CREDIT: u8 = 4;
/// How often it is left out, then, before it is tried again.
const PAUSE: u8 = 200;

/// Whether a task that found nothing comes back once before it asks the system to say when there is
/// something.
///
/// Where both sides of a pipe live in one executor, what a task waits for is often written by the
/// next one that runs: a task that wakes itself once finds it there, and neither the system nor
/// another thread had to be asked. Where the other side is another process this is in vain, so it
/// is given up after a few times and tried again now and then.
pub(crate) struct AdaptiveYield {
    credit: u8,
    pause: u8,
    /// The task was asked to come back, and has found nothing since.
    yielded: bool,
}

impl Default for AdaptiveYield {
    fn default() -> Self {
        Self { credit: 1, pause: 0, yielded: false }
    }
}

impl AdaptiveYield {
    /// Whether it is worth while to look before the system is asked.
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

    /// Whether the task should come back once, now that it looked, as
    /// [`looks_first`](Self::looks_first) said, and found nothing.
    pub(crate) fn comes_back(&mut self) -> bool {
        !std::mem::replace(&mut self.yielded, true)
    }

    /// Both: whether a task that looks in any case should come back once, now that it found
    /// nothing.
    pub(crate) fn yields_once(&mut self) -> bool {
        self.looks_first() && self.comes_back()
    }

    /// There was nothing.
    pub(crate) fn found_nothing(&mut self) {
        if std::mem::take(&mut self.yielded) {
            self.credit = self.credit.saturating_sub(1);
        }
    }

    /// There was something.
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
            // A wait: nothing, perhaps nothing once more, then something after the system said so.
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
        // A few times in vain do not end it.
        for _ in 0..3 {
            assert!(adaptive.yields_once());
            adaptive.found_nothing();
        }
        assert!(adaptive.yields_once());
    }
}
