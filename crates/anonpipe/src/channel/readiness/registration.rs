//! What the poller is asked about a descriptor, and what follows from its answers.

use std::io;
use std::sync::Arc;

use super::{Channel, Descriptor, Entry, Finished, Ready, System};
use crate::channel::Key;
use crate::contract::{Half, Turn};
use crate::sync::{MutexGuard, lock};

/// How many notifications in a row may be in vain before the poller is told to be silent.
const MAX_UNUSED: u8 = 8;

/// What to do after the poller was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Armed {
    /// Wait: the poller will report when the descriptor is ready.
    Listening,
    /// Try once more, and ask again if there is still nothing.
    TryAgain,
}

/// A channel's registration in its driver's poller, and what the poller was asked.
pub(super) struct PollerRegistration<S: System> {
    key: Option<Key<S>>,
    readable: Interest,
    writable: Interest,
}

/// What the poller was asked about one half. [`Channel::arm`] changes it under the lock of that
/// half's queue as well, so finding nothing and asking the poller are one step.
#[derive(Default)]
struct Interest {
    asked: bool,
    /// Notifications since an entry or a task last waited for one.
    unused: u8,
}

impl<S: System> Default for PollerRegistration<S> {
    fn default() -> Self {
        Self { key: None, readable: Interest::default(), writable: Interest::default() }
    }
}

impl<S: System> PollerRegistration<S> {
    pub(super) fn is_made(&self) -> bool {
        self.key.is_some()
    }

    /// Makes the poller forget the descriptor.
    pub(super) fn take_back(&mut self, descriptor: &S::Descriptor) {
        let known = std::mem::take(self).key;
        // The poller may be the parent's, and the parent waits for its notifications.
        if let Some(key) = known.filter(|key| key.poller().is_of_this_process()) {
            descriptor.deregister(key.poller());
        }
    }

    /// Whether the poller reports every change, and not only the first one after it was asked.
    fn is_edge_triggered(&self) -> Option<bool> {
        self.key.as_ref().map(|key| S::Descriptor::is_edge_triggered(key.poller()))
    }

    fn interest(&mut self, half: Half) -> &mut Interest {
        match half {
            Half::Read => &mut self.readable,
            Half::Write => &mut self.writable,
        }
    }

    fn ask(&self, descriptor: &S::Descriptor) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let writable = self.writable.asked;
        let readable = self.readable.asked || (writable && S::Descriptor::WRITERS_LISTEN_AS_READERS);
        descriptor.arm(key.poller(), key.number(), readable, writable)
    }
}

impl<S: System> Channel<S> {
    pub(super) fn registration(&self) -> MutexGuard<'_, PollerRegistration<S>> {
        lock(&self.registration)
    }

    /// Asks the driver to report when the descriptor is ready for `half`, whose queue the caller
    /// has locked.
    ///
    /// A poller that reports every change is asked once; another one is asked again when it has
    /// reported something. But if the descriptor `may_be_ready` at this moment, there may be no
    /// change to come, so the poller is asked in any case.
    pub(super) fn arm(self: &Arc<Self>, half: Half, may_be_ready: bool) -> io::Result<Armed> {
        let mut registration = self.registration();
        let is_known = registration.key.as_ref().is_some_and(|key| key.poller().is_of_this_process());
        if !is_known {
            let key = Key::new(self.attachment.driver()?, self);
            self.descriptor.register(key.poller(), key.number())?;
            *registration = PollerRegistration { key: Some(key), ..PollerRegistration::default() };
        }
        let interest = registration.interest(half);
        interest.unused = 0;
        if interest.asked && !may_be_ready {
            return Ok(Armed::Listening);
        }
        interest.asked = true;
        let asked = registration.ask(&self.descriptor);
        if asked.is_err() {
            registration.interest(half).asked = false;
        }
        let misses_the_end = !is_known && S::Descriptor::MISSES_THE_END_AT_FIRST;
        asked.map(|()| if misses_the_end { Armed::TryAgain } else { Armed::Listening })
    }

    /// Handles the driver's notification.
    pub(super) fn on_ready(channel: Arc<Self>, ready: Ready) {
        let every_change = {
            let mut registration = channel.registration();
            let every_change = registration.is_edge_triggered().unwrap_or(true);
            if !every_change {
                // The poller answers once, for both halves.
                (registration.readable.asked, registration.writable.asked) = (false, false);
            }
            every_change
        };
        let mut finished = Finished::default();
        let writable = ready.writable || (ready.readable && S::Descriptor::WRITERS_LISTEN_AS_READERS);
        for (half, is_ready) in [(Half::Read, ready.readable), (Half::Write, writable)] {
            if is_ready || !every_change {
                channel.on_ready_for(half, &mut finished);
            }
        }
        drop(channel);
        finished.complete();
    }

    fn on_ready_for(self: &Arc<Self>, half: Half, finished: &mut Finished<S>) {
        let mut queue = self.queue(half);
        match queue.entries.front() {
            Some(Entry::Operation(..)) => self.advance(half, &mut queue, finished),
            None if !queue.waiters.is_empty() => finished.tasks.add(queue.waiters.take()),
            // A thread at the head waits for the descriptor by itself.
            Some(Entry::Thread(_)) | None => {
                let mut registration = self.registration();
                let interest = registration.interest(half);
                interest.unused = interest.unused.saturating_add(1);
                if interest.asked && interest.unused > MAX_UNUSED {
                    interest.asked = false;
                    // If this fails, the poller goes on reporting.
                    let _ = registration.ask(&self.descriptor);
                }
            }
        }
    }
}
