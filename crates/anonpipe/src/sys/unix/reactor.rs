//! Readiness from the reactor of the tokio runtime at hand.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::runtime::{Handle, Id};

use super::channel::Channel;
use super::driver::generation;
use crate::op::Flow;

/// The runtimes that turned out to have no reactor, the last few of them.
static WITHOUT_REACTOR: Mutex<VecDeque<Id>> = Mutex::new(VecDeque::new());
const MOST_WITHOUT: usize = 16;

/// The registration that the tasks of a channel have in common: a reactor takes a descriptor once.
#[derive(Default)]
pub(super) struct Shared(Mutex<Weak<Watched>>);

/// A channel's descriptor in a runtime's reactor, which forgets it when this is dropped: before the descriptor is closed, because
/// whoever has a share of this has one of the channel, and drops that later.
pub(super) struct Watched {
    /// Dropped in its own process only: in a fork the reactor is the parent's.
    fd: ManuallyDrop<AsyncFd<RawFd>>,
    /// Of the process that made it.
    generation: u32,
    interest: Interest,
    runtime: Id,
    /// They pass on what the reactor says: it remembers one waker a direction, and there may be several tasks.
    reader: Waker,
    writer: Waker,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.generation == generation() {
            // SAFETY: this is its only drop, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl Watched {
    /// `None`: there is no runtime here, or it has no reactor that takes the descriptor.
    fn new(channel: &Arc<Channel>, interest: Interest) -> Option<Self> {
        let runtime = Handle::try_current().ok()?.id();
        let fd = channel.pipe().as_raw_fd();
        #[allow(
            deprecated,
            reason = "the descriptor stays open as long as its channel, and the successor needs tokio 1.54"
        )]
        let register = AssertUnwindSafe(|| AsyncFd::with_interest(fd, interest));
        // tokio panics in a runtime that was built without its reactor, and has no way to ask. Once is enough.
        if WITHOUT_REACTOR.lock().unwrap_or_else(PoisonError::into_inner).contains(&runtime) {
            return None;
        }
        let Ok(fd) = catch_unwind(register) else {
            let mut without = WITHOUT_REACTOR.lock().unwrap_or_else(PoisonError::into_inner);
            if without.len() == MOST_WITHOUT {
                without.pop_front();
            }
            without.push_back(runtime);
            return None;
        };
        let fd = fd.ok()?;
        let waker = |flow| Waker::from(Arc::new(Bell { channel: Arc::downgrade(channel), flow }));
        Some(Self {
            fd: ManuallyDrop::new(fd),
            generation: generation(),
            interest,
            runtime,
            reader: waker(Flow::Read),
            writer: waker(Flow::Write),
        })
    }

    pub(super) fn is_of_this_runtime(&self) -> bool {
        Handle::try_current().is_ok_and(|handle| handle.id() == self.runtime)
    }

    /// Whether the descriptor may be ready for `flow`; if not, the channel's tasks are woken when it is.
    pub(super) fn poll_ready(&self, flow: Flow) -> Poll<io::Result<AsyncFdReadyGuard<'_, RawFd>>> {
        match flow {
            Flow::Read => self.fd.poll_read_ready(&mut Context::from_waker(&self.reader)),
            Flow::Write => self.fd.poll_write_ready(&mut Context::from_waker(&self.writer)),
        }
    }

    fn covers(&self, flow: Flow) -> bool {
        match flow {
            Flow::Read => self.interest.is_readable(),
            Flow::Write => self.interest.is_writable(),
        }
    }
}

impl Shared {
    /// Whether a task waits in a reactor, or has.
    pub(super) fn is_in_use(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
    }

    /// The registration in the runtime at hand; makes it if there is none. `None`: it cannot be had.
    pub(super) fn get(&self, channel: &Arc<Channel>, flow: Flow) -> Option<Arc<Watched>> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = shared.upgrade()
            && watched.is_of_this_runtime()
            && watched.covers(flow)
        {
            return Some(watched);
        }
        let watched = Arc::new(Watched::new(channel, channel.interest(flow))?);
        *shared = Arc::downgrade(&watched);
        Some(watched)
    }

    /// Another one for `old`, whose runtime has shut down.
    pub(super) fn renew(&self, channel: &Arc<Channel>, flow: Flow, old: &Arc<Watched>) -> Option<Arc<Watched>> {
        if old.is_of_this_runtime() {
            // The task is still polled while its runtime ends.
            return None;
        }
        self.get(channel, flow)
    }
}

/// Wakes the tasks of one direction of a channel.
struct Bell {
    channel: Weak<Channel>,
    flow: Flow,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(channel) = self.channel.upgrade() {
            channel.wake_tasks(self.flow);
        }
    }
}
