//! What an end's thread and the actors that it sent out have to do with each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

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

/// A time in which an end is with its actors.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) control: Arc<Control>,
    sender: Sender<Home>,
    homes: Receiver<Home>,
    /// How often everything is still to be cancelled behind their backs.
    cancels: usize,
    pause: Duration,
}

impl Phase {
    /// With cancels at random, where they `may` be.
    pub(crate) fn new(random: &mut Random, may_cancel: bool) -> Self {
        let (sender, homes) = channel();
        let cancels = if may_cancel { plan::cancels(random) } else { 0 };
        Self { control: Arc::default(), sender, homes, cancels, pause: plan::pause(random) }
    }

    pub(crate) fn send_out(&self, errand: Errand, actor: impl Actor + Into<Home>) {
        venues::send_out(errand, actor, &self.sender);
    }

    /// Has the actors come home soon.
    pub(crate) fn stop(&self) {
        self.control.cancels.store(true, Ordering::SeqCst);
        self.control.stop.store(true, Ordering::SeqCst);
    }

    /// The next actor that comes home. Calls `cancel` as often as it is time to.
    pub(crate) fn next_home(&mut self, cancel: impl Fn()) -> Home {
        loop {
            let stopped = self.control.is_stopped();
            if !stopped && self.cancels == 0 {
                return self.homes.recv().expect("they come home");
            }
            match self.homes.recv_timeout(self.pause) {
                Ok(home) => return home,
                Err(RecvTimeoutError::Timeout) => {
                    self.cancels = self.cancels.saturating_sub(1);
                    self.control.cancels.store(true, Ordering::SeqCst);
                    cancel();
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("there is a sender here"),
            }
        }
    }
}
