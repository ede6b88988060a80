//! What the poller is asked about a descriptor, and what happens when it answers.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::super::driver::{Registration, register};
use super::{Channel, Entry, Finished};
use crate::op::Flow;

/// How many notifications in a row may concern nobody before the poller is told to be silent.
const UNATTENDED: u8 = 8;

/// Whether a system may not say that the peer has closed if he did so after the last try and before the first registration; then
/// it is tried once more after that (*assumed*, read in the sources of FreeBSD and OpenBSD; the others but Linux to be safe).
pub(super) const MISSES_THE_END_AT_FIRST: bool = !cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a writer hears that the reader of a pipe has closed only if it listens as a reader does (*assumed*, read in the sources
/// of NetBSD and OpenBSD).
pub(in super::super) const WRITERS_LISTEN_AS_READERS: bool = cfg!(any(target_os = "netbsd", target_os = "openbsd"));

/// What to do after the poller was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Armed {
    /// Wait: it will say when there is something.
    Listening,
    /// Try once more, and ask again if there is still nothing.
    TryAgain,
}

/// What the poller was asked.
#[derive(Default)]
pub(super) struct Readiness {
    registration: Option<Registration>,
    readable: Interest,
    writable: Interest,
}

/// Changed under the lock of the queue that it is about, too: whoever saw nothing to read and asks to be told does so in one.
#[derive(Default)]
struct Interest {
    asked: bool,
    /// Notifications since somebody last waited for one.
    unattended: u8,
}

impl Readiness {
    pub(super) fn is_registered(&self) -> bool {
        self.registration.is_some()
    }

    fn interest(&mut self, flow: Flow) -> &mut Interest {
        match flow {
            Flow::Read => &mut self.readable,
            Flow::Write => &mut self.writable,
        }
    }

    fn ask(&self) -> io::Result<()> {
        match &self.registration {
            Some(registration) => {
                let writable = self.writable.asked;
                registration.arm(self.readable.asked || (writable && WRITERS_LISTEN_AS_READERS), writable)
            }
            None => Ok(()),
        }
    }
}

impl Channel {
    pub(super) fn readiness(&self) -> MutexGuard<'_, Readiness> {
        self.readiness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the driver to say when the descriptor is ready for `flow`, whose queue the caller has locked.
    ///
    /// A poller that speaks of every change is asked once. But if it may be ready at this moment, so that there is no change to
    /// come, it is asked `anew`.
    pub(super) fn arm(self: &Arc<Self>, flow: Flow, anew: bool) -> io::Result<Armed> {
        let mut readiness = self.readiness();
        let known = readiness.registration.as_ref().filter(|registration| registration.is_of_this_process());
        let lasting = known.is_some_and(Registration::is_lasting);
        let first = known.is_none();
        if first {
            let registration = register(self.source()?, self, self.fd.as_fd())?;
            *readiness = Readiness { registration: Some(registration), ..Readiness::default() };
        }
        let interest = readiness.interest(flow);
        interest.unattended = 0;
        if interest.asked && lasting && !anew {
            return Ok(Armed::Listening);
        }
        interest.asked = true;
        let asked = readiness.ask();
        if asked.is_err() {
            readiness.interest(flow).asked = false;
        }
        asked.map(|()| if first && MISSES_THE_END_AT_FIRST { Armed::TryAgain } else { Armed::Listening })
    }

    /// The driver's notification.
    pub(crate) fn on_ready(channel: Arc<Self>, readable: bool, writable: bool) {
        let lasting = {
            let mut readiness = channel.readiness();
            let lasting = readiness.registration.as_ref().is_none_or(Registration::is_lasting);
            if !lasting {
                // That was its answer, about both.
                (readiness.readable.asked, readiness.writable.asked) = (false, false);
            }
            lasting
        };
        let mut finished = Finished::default();
        let writable = writable || (readable && WRITERS_LISTEN_AS_READERS);
        for (flow, ready) in [(Flow::Read, readable), (Flow::Write, writable)] {
            if ready || !lasting {
                channel.on_ready_for(flow, &mut finished);
            }
        }
        drop(channel);
        finished.complete();
    }

    fn on_ready_for(self: &Arc<Self>, flow: Flow, finished: &mut Finished) {
        let mut queue = self.queue(flow);
        match queue.entries.front() {
            Some(Entry::Operation(..)) => self.advance(flow, &mut queue, finished),
            None if !queue.waiters.is_empty() => finished.tasks.add(queue.waiters.take()),
            // A thread at the head asks for itself.
            Some(Entry::Thread(_)) | None => {
                let mut readiness = self.readiness();
                let interest = readiness.interest(flow);
                interest.unattended = interest.unattended.saturating_add(1);
                if interest.asked && interest.unattended > UNATTENDED {
                    interest.asked = false;
                    // If that fails, it goes on talking.
                    let _ = readiness.ask();
                }
            }
        }
    }
}
