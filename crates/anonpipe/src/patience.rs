//! Whether to let the other tasks run once before the system is asked to say when there is something.

/// How often in a row waiting has to be in vain before it is not tried any more.
const MAX_CREDIT: u8 = 4;
/// How often it is left out, then, before it is tried again.
const PAUSE: u8 = 200;

/// Whether it pays to poll once more before the system is asked to say when there is something.
///
/// Where both sides of a pipe live in one executor, what a task waits for is often written by the next one that runs: a task
/// that wakes itself once finds it there, and neither the system nor another thread had to be asked. Where the other side is
/// another process this is in vain, so it is given up after a few times and tried again now and then.
pub(crate) struct Patience {
    credit: u8,
    pause: u8,
    /// The task was asked to come back, and there was nothing and nobody since.
    yielded: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { credit: 1, pause: 0, yielded: false }
    }
}

impl Patience {
    /// Whether it is worth while to look before the system is asked to say when there is something.
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

    /// Whether the task should come back once, now that it looked and found nothing.
    pub(crate) fn yields_once(&mut self) -> bool {
        !std::mem::replace(&mut self.yielded, true)
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
    use super::{PAUSE, Patience};

    #[test]
    fn it_is_given_up_where_it_is_in_vain_and_tried_again_now_and_then() {
        let mut patience = Patience::default();
        let mut yields = 0;
        for _ in 0..10 * usize::from(PAUSE) {
            // A wait: nothing, perhaps nothing once more, then something after the system said so.
            if patience.looks_first() && patience.yields_once() {
                yields += 1;
                assert!(patience.looks_first() && !patience.yields_once(), "it yields twice in one wait");
            }
            patience.found_nothing();
            patience.found_something();
        }
        assert!((5..=12).contains(&yields), "{yields} polls in vain in {} waits", 10 * usize::from(PAUSE));
    }

    #[test]
    fn it_goes_on_where_it_pays() {
        let mut patience = Patience::default();
        for _ in 0..1000 {
            assert!(patience.looks_first() && patience.yields_once());
            patience.found_something();
        }
        // A few times in vain do not end it.
        for _ in 0..3 {
            assert!(patience.looks_first() && patience.yields_once());
            patience.found_nothing();
        }
        assert!(patience.looks_first() && patience.yields_once());
    }
}
