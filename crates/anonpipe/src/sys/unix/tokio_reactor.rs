//! Readiness from the reactor of the current tokio runtime.
//!
//! # References
//!
//! - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
//! - [kqueue(2)](https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2)

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::runtime::{Handle, Id};

use super::descriptor::Descriptor;
use super::fork::Process;
use crate::channel::readiness::{self, Descriptor as _};
use crate::contract::{Half, Process as _};

/// A channel's registration, which its tasks share: a reactor takes a descriptor once.
///
/// Locked during each registration and removal. Otherwise removing an old registration might remove
/// a new one of the same descriptor (a kqueue knows only the descriptor), or keep it from being
/// made (as epoll does).
#[derive(Default)]
pub(crate) struct Shared(Arc<Mutex<Option<ReactorRegistration>>>);

struct ReactorRegistration {
    watched: Arc<Watched>,
    /// How many [`Watch`]es there are.
    tasks: usize,
}

/// A channel's descriptor in a runtime's reactor.
struct Watched {
    /// Dropped in its own process only: in a fork the reactor is the parent's.
    fd: ManuallyDrop<AsyncFd<RawFd>>,
    /// The process that made the registration.
    process: Process,
    runtime: Id,
    /// These pass on what the reactor reports: it remembers one waker per direction, and there may
    /// be several tasks.
    reader: Waker,
    writer: Waker,
}

/// `AsyncFd` is neither, but our ends would be both without it. A panic leaves nothing half-changed
/// here.
impl UnwindSafe for Watched {}
impl RefUnwindSafe for Watched {}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.process.is_current() {
            // SAFETY: this is its only drop, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl Watched {
    /// # Panics
    ///
    /// In a runtime that was built without its reactor, as tokio's own types do.
    fn new(descriptor: &Descriptor, half: Half, runtime: Id, [reader, writer]: [Waker; 2]) -> io::Result<Self> {
        #[allow(
            deprecated,
            reason = "the descriptor stays open as long as its channel, and the successor needs tokio 1.54"
        )]
        let fd = AsyncFd::with_interest(descriptor.as_fd().as_raw_fd(), descriptor.interest(half))?;
        Ok(Self { fd: ManuallyDrop::new(fd), process: Process::current(), runtime, reader, writer })
    }

    fn poll_ready(&self, half: Half) -> Poll<io::Result<AsyncFdReadyGuard<'_, RawFd>>> {
        match half {
            Half::Read => self.fd.poll_read_ready(&mut Context::from_waker(&self.reader)),
            Half::Write => {
                let context = &mut Context::from_waker(&self.writer);
                if Descriptor::WRITERS_LISTEN_AS_READERS
                    && let ready @ Poll::Ready(_) = self.fd.poll_read_ready(context)
                {
                    return ready;
                }
                self.fd.poll_write_ready(context)
            }
        }
    }
}

/// A task's share in the registration. The last one takes the descriptor out of the reactor. This
/// happens before the descriptor is closed, because each task also has a share of the channel, and
/// drops it later.
pub(crate) struct Watch {
    shared: Arc<Mutex<Option<ReactorRegistration>>>,
    /// `None` only while this is dropped.
    watched: Option<Arc<Watched>>,
}

impl Watch {
    fn watched(&self) -> Option<&Watched> {
        self.watched.as_deref()
    }
}

impl readiness::Watch for Watch {
    fn is_of_this_runtime(&self) -> bool {
        let here = Handle::try_current().ok().map(|handle| handle.id());
        self.watched().is_some_and(|watched| Some(watched.runtime) == here)
    }

    fn poll_ready<R>(
        &self,
        half: Half,
        attempt: impl FnOnce() -> R,
        is_in_vain: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let Some(watched) = self.watched() else { return Poll::Pending };
        let mut ready = ready!(watched.poll_ready(half))?;
        let result = attempt();
        if is_in_vain(&result) {
            ready.clear_ready();
        }
        Poll::Ready(Ok(result))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(watched) = self.watched.take() else { return };
        if !watched.process.is_current() {
            // The registration is the parent's, and this copy of the lock may be held for ever.
            return;
        }
        let mut shared = locked(&self.shared);
        let last = match &mut *shared {
            Some(registration) if Arc::ptr_eq(&registration.watched, &watched) => {
                registration.tasks -= 1;
                registration.tasks == 0
            }
            // The registration of another runtime has taken its place.
            _ => false,
        };
        if last {
            *shared = None;
        }
        // Under the lock as well: this may be the last share.
        drop(watched);
    }
}

fn locked(shared: &Mutex<Option<ReactorRegistration>>) -> MutexGuard<'_, Option<ReactorRegistration>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl readiness::Reactor for Shared {
    type Descriptor = Descriptor;
    type Watch = Watch;

    fn is_at_hand() -> bool {
        Handle::try_current().is_ok()
    }

    fn is_in_use(&self) -> bool {
        locked(&self.0).is_some()
    }

    fn watch(&self, descriptor: &Descriptor, half: Half, wakers: impl FnOnce() -> [Waker; 2]) -> Option<Watch> {
        let runtime = Handle::try_current().ok()?.id();
        let mut shared = locked(&self.0);
        let watched = match &mut *shared {
            Some(registration) if registration.watched.runtime == runtime => {
                registration.tasks += 1;
                Arc::clone(&registration.watched)
            }
            _ => {
                let watched = Arc::new(Watched::new(descriptor, half, runtime, wakers()).ok()?);
                *shared = Some(ReactorRegistration { watched: Arc::clone(&watched), tasks: 1 });
                watched
            }
        };
        Some(Watch { shared: Arc::clone(&self.0), watched: Some(watched) })
    }
}
