//! Who completes operations: a source of the system's notifications, and whoever turns it.
//!
//! [`sys::Driver`] is the source: a completion port on Windows, a poller on Unix. The process has one, made with its thread
//! by the first operation that has to wait for the system; programs that only block or only make pairs have neither. Programs
//! with a loop of their own make a [`Driver`], turn it themselves, and attach ends to it.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::sys::{self, PerProcess};

mod polled;
mod turns;

pub use polled::Driver;
use turns::Turns;

/// A source of notifications that completes the operations they are about.
pub(crate) trait Turn: Send + Sync {
    /// Waits for notifications, at most for `timeout`, and completes what they are about. `notify` ends it early.
    fn turn(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends a turn that waits, or else the next one, from whatever thread.
    fn notify(&self);

    /// A fork has the source, which is still the parent's, but not the thread that turns it.
    fn is_of_this_process(&self) -> bool {
        true
    }
}

thread_local! {
    /// This thread polls a future, and turns a source of ours between the polls.
    static ON_OWN_LOOP: Cell<bool> = const { Cell::new(false) };
}

/// Whether the task that is being polled runs on a loop of ours. Whatever runtime there may be around it does not turn.
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "there is no runtime around it"))]
pub(crate) fn is_on_own_loop() -> bool {
    ON_OWN_LOOP.get()
}

/// Calls `f` with [`is_on_own_loop`] true.
fn on_own_loop<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON_OWN_LOOP.set(self.0);
        }
    }
    let _restore = Restore(ON_OWN_LOOP.replace(true));
    f()
}

/// A source, and who is concerned with it.
pub(crate) struct Source<S = sys::Driver> {
    system: S,
    turns: Turns,
    /// How many [`Lease`]s there are.
    leases: AtomicUsize,
    /// Whoever turned it has let go of it: a thread of ours does it as long as there are leases.
    abandoned: AtomicBool,
}

impl<S: Turn> Source<S> {
    fn new(system: S) -> Self {
        Self { system, turns: Turns::new(), leases: AtomicUsize::new(0), abandoned: AtomicBool::new(false) }
    }
}

impl Source {
    fn lease(self: &Arc<Self>) -> Lease {
        self.leases.fetch_add(1, Ordering::Relaxed);
        Lease(Arc::clone(self))
    }
}

/// A share in a source, for as long as an end needs it.
pub struct Lease(Arc<Source>);

impl Lease {
    pub(crate) fn system(&self) -> &sys::Driver {
        &self.0.system
    }

    /// Whether both are shares of one source.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Turns the source on this thread until `poll`, which is given a waker that ends a turn, is ready. `None`: `deadline` came
    /// first.
    pub(crate) fn run_until<T>(&self, poll: impl Fn(&Waker) -> Poll<T>, deadline: Option<Instant>) -> Option<T> {
        self.0.run_until(pin!(poll_fn(|context| poll(context.waker()))), deadline)
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        self.0.lease()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Ordered against `abandon`: one of the two sees what the other did.
        if self.0.leases.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.abandoned.load(Ordering::SeqCst) {
            self.0.notify();
        }
    }
}

/// The driver of this process; starts it on the first call that succeeds.
pub(crate) fn global() -> io::Result<Lease> {
    static GLOBAL: PerProcess<Mutex<State>> = PerProcess::new();

    let state = GLOBAL.get_or_make(|| Mutex::new(State { source: None, started: false }));
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let source = match &state.source {
        Some(source) => Arc::clone(source),
        None => Arc::clone(state.source.insert(Arc::new(Source::new(sys::Driver::new()?)))),
    };
    if !state.started {
        let turned = Arc::clone(&source);
        start(move || {
            loop {
                turned.turn_patiently(turned.notices());
            }
        })?;
        state.started = true;
    }
    Ok(source.lease())
}

struct State {
    source: Option<Arc<Source>>,
    started: bool,
}

fn start(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("anonpipe-driver".into());
    sys::with_signals_left_to_the_program(|| thread.spawn(run)).map(drop)
}

impl Source {
    fn turn_patiently(&self, notices: u64) {
        // Out of memory, at worst. The notifications are not lost by that, so ask again, but do not spin.
        if self.turn(notices, None).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Nobody will turn it any more. If ends depend on it, a thread of ours does, until the last of them is gone.
    fn abandon(self: &Arc<Self>) {
        self.abandoned.store(true, Ordering::SeqCst);
        if self.leases.load(Ordering::SeqCst) == 0 || !self.system.is_of_this_process() {
            return;
        }
        let source = Arc::clone(self);
        let turn = move || {
            loop {
                let notices = source.notices();
                if source.leases.load(Ordering::SeqCst) == 0 {
                    break;
                }
                source.turn_patiently(notices);
            }
        };
        // Without a thread to be had, what is in flight stays so; its memory stays as well.
        let _ = start(turn);
    }
}

/// Calls `f`, which runs strangers' code (wakers, and the drop of buffers), and swallows its panic: whoever completes one
/// operation has others to complete.
pub(crate) fn undisturbed(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        #[expect(clippy::mem_forget, reason = "its drop may panic as well")]
        std::mem::forget(payload);
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
