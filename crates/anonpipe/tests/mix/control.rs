//! What an end's thread and the actors that it sent out have to do with each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::guests::Guests;
use crate::plan::{self, Errand, Random};
use crate::venues::{self, Home};

/// What the end's thread tells the actors of one phase.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stop: AtomicBool,
    cancels: AtomicBool,
}

impl Control {
    /// The actors are to come home, and what they wait for is cancelled.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether what they have in flight may be cancelled behind their backs.
    pub(crate) fn may_cancel(&self) -> bool {
        self.cancels.load(Ordering::SeqCst)
    }
}

/// Works with an end, at any venue.
pub(crate) trait Actor: Send + 'static {
    /// Does its part. May be dropped at any await. `blocking`: it has its thread for itself.
    fn work(&mut self, blocking: bool) -> impl Future<Output = ()> + Send;
}

/// Which directions of an end are with actors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Away {
    pub(crate) reader: bool,
    pub(crate) writer: bool,
}

/// A time in which an end is with its actors.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) control: Arc<Control>,
    pub(crate) guests: Guests,
    sender: Sender<Home>,
    homes: Receiver<Home>,
    random: Random,
    /// How often everything is still to be cancelled behind the actors' backs, and how often guests
    /// act.
    cancels: usize,
    acts: usize,
    pause: Duration,
}

impl Phase {
    /// If guests do anything, they do so before the first actor is sent out, too.
    pub(crate) fn new(random: &mut Random, mut guests: Guests) -> Self {
        let (sender, homes) = channel();
        let (cancels, acts) = (plan::cancels(random), plan::acts(random));
        for _ in 0..acts.min(3) {
            guests.act(random);
        }
        let (pause, random) = (plan::pause(random), Random::new(random.next()));
        Self { control: Arc::default(), guests, sender, homes, random, cancels, acts, pause }
    }

    pub(crate) fn send_out(&self, errand: Errand, actor: impl Actor + Into<Home>) {
        venues::send_out(errand, actor, &self.sender);
    }

    /// Has the actors come home soon.
    pub(crate) fn stop(&self) {
        self.control.stop.store(true, Ordering::SeqCst);
    }

    /// The next actor that comes home; meanwhile guests do what they do.
    pub(crate) fn next_home(&mut self, away: Away) -> Home {
        loop {
            if !self.control.is_stopped() && self.cancels == 0 && self.acts == 0 && !self.guests.may_read() {
                return self.homes.recv().expect("they come home");
            }
            match self.homes.recv_timeout(self.pause) {
                Ok(home) => return home,
                Err(RecvTimeoutError::Timeout) => self.tick(away),
                Err(RecvTimeoutError::Disconnected) => unreachable!("there is a sender here"),
            }
        }
    }

    fn tick(&mut self, away: Away) {
        if self.control.is_stopped() || self.cancels > 0 {
            self.cancels = self.cancels.saturating_sub(1);
            self.control.cancels.store(true, Ordering::SeqCst);
            self.guests.cancel_all(away.reader, away.writer);
        }
        if self.acts > 0 {
            self.acts -= 1;
            self.guests.act(&mut self.random);
        } else {
            self.guests.stop_reading();
        }
        if self.guests.saw_the_end() {
            // An actor may wait for bytes that a guest took.
            self.stop();
        }
    }
}
