//! A driver: its source of notifications, its channels, and the references that keep it going.

#[cfg(all(test, loom))]
mod interleavings;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::timers::TimerKey;
use super::turn_lock::{self, OUT_OF_MEMORY, TurnLock};
use crate::channel::{Channel, DriverShare, System};
use crate::contract::Turn;
use crate::sync::{AtomicBool, AtomicUsize, Clock, Mutex, MutexGuard, Ordering, lock};

/// A source of notifications, and the channels that it serves.
pub(crate) struct Core<S: System> {
    pub(super) turn_lock: Arc<TurnLock<S::Poller, S::Clock>>,
    /// What each key leads to.
    channels: Mutex<HashMap<usize, Target<S>>>,
    next_key: AtomicUsize,
    /// How many [`DriverRef`]s there are.
    refs: AtomicUsize,
    /// The caller, who turned the driver, has dropped it: a thread of ours turns it as long as
    /// there are references.
    abandoned: AtomicBool,
}

/// What the poller's events for a key are about.
enum Target<S: System> {
    Channel(Weak<S::Channel>),
    Listener(Weak<dyn Listener>),
}

/// What is no pipe, and is told of the events for its key: a child that may have ended.
pub(crate) trait Listener: Send + Sync {
    /// Called on the thread that turns the driver.
    fn on_event(self: Arc<Self>);
}

/// A key that no channel has. Systems use it for themselves.
const NO_CHANNEL: usize = 0;

impl<S: System> Core<S> {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            turn_lock: Arc::new(TurnLock::new(S::Poller::new()?)),
            channels: Mutex::new(HashMap::new()),
            next_key: AtomicUsize::new(NO_CHANNEL + 1),
            refs: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
        })
    }

    pub(crate) fn make_ref(self: &Arc<Self>) -> DriverRef<S> {
        self.refs.fetch_add(1, Ordering::Relaxed);
        DriverRef(Arc::clone(self))
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<usize, Target<S>>> {
        lock(&self.channels)
    }

    pub(super) fn poller(&self) -> &S::Poller {
        self.turn_lock.poller()
    }

    /// Passes the poller's event for a key on.
    fn tell(&self, key: usize, event: <S::Poller as Turn>::Report) {
        let channels = self.channels();
        match channels.get(&key) {
            Some(Target::Channel(channel)) => {
                // An end that no longer exists has nothing in flight.
                let channel = channel.upgrade();
                drop(channels);
                if let Some(channel) = channel {
                    S::Channel::on_report(channel, event);
                }
            }
            Some(Target::Listener(listener)) => {
                let listener = listener.upgrade();
                drop(channels);
                if let Some(listener) = listener {
                    listener.on_event();
                }
            }
            None => {}
        }
    }

    fn add_target(&self, target: Target<S>) -> usize {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        self.channels().insert(key, target);
        key
    }

    /// Turns once, or returns when another thread has turned or notified the driver.
    pub(crate) fn turn(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.turn_unless_notified(self.turn_lock.notices(), deadline)
    }

    /// Turns once, unless the number of notifications is no longer `notices`.
    fn turn_unless_notified(&self, notices: u64, deadline: Option<Instant>) -> io::Result<()> {
        self.turn_lock.turn_for_a_while(notices, deadline, &mut |key, event| self.tell(key, event))
    }

    /// Turns the process's driver for good. Nothing notifies it, so it waits as long as it takes.
    pub(super) fn turn_for_good(&self) -> ! {
        loop {
            let turned = self.turn_lock.turn(self.turn_lock.notices(), None, &mut |key, event| self.tell(key, event));
            Self::be_patient(turned);
        }
    }

    /// Runs a future on this thread, and turns the driver while it waits. `None`: `deadline` came
    /// first.
    pub(super) fn run_until<F: Future>(&self, future: Pin<&mut F>, deadline: Option<Instant>) -> Option<F::Output> {
        self.turn_lock.run_until(future, deadline, &mut |key, event| self.tell(key, event))
    }

    fn be_patient(turned: io::Result<()>) {
        // Out of memory, at worst. The notifications are not lost, so ask again, but do not spin.
        if turned.is_err() {
            S::Clock::pause(OUT_OF_MEMORY);
        }
    }

    /// The caller will not turn the driver any more. If ends depend on it, a thread of ours turns
    /// it until the last of them is gone.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.abandoned.store(true, Ordering::SeqCst);
        if self.refs.load(Ordering::SeqCst) == 0 || !self.poller().is_of_this_process() {
            return;
        }
        let core = Arc::clone(self);
        let turn = move || {
            loop {
                let notices = core.turn_lock.notices();
                if core.refs.load(Ordering::SeqCst) == 0 {
                    break;
                }
                Self::be_patient(core.turn_unless_notified(notices, None));
            }
        };
        // If no thread can be started, operations stay in flight, and their memory stays, too.
        let _ = S::start_thread(turn);
    }
}

/// A counted reference to a driver, for as long as an end needs it.
pub(crate) struct DriverRef<S: System>(Arc<Core<S>>);

impl<S: System> DriverShare<S> for DriverRef<S> {
    fn poller(&self) -> &S::Poller {
        self.0.poller()
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn add_key(&self, channel: &Arc<S::Channel>) -> usize {
        self.0.add_target(Target::Channel(Arc::downgrade(channel)))
    }

    fn take_back_key(&self, key: usize) {
        self.0.channels().remove(&key);
    }

    fn is_turned_by_this_thread(&self) -> bool {
        self.0.turn_lock.is_held_by_this_thread()
    }

    fn run_until<T>(&self, mut poll: impl FnMut(&Waker) -> Poll<T>, deadline: Option<Instant>) -> Option<T> {
        self.0.run_until(pin!(poll_fn(|context| poll(context.waker()))), deadline)
    }

    fn polls_on_this_thread() -> bool {
        turn_lock::polls_on_this_thread()
    }
}

impl<S: System> DriverRef<S> {
    /// Makes a new key, whose events go to `listener` until
    /// [`take_back_key`](DriverShare::take_back_key).
    pub(crate) fn listen(&self, listener: Weak<dyn Listener>) -> usize {
        self.0.add_target(Target::Listener(listener))
    }

    /// Calls `waker` at a certain time, unless [`forget_timer`](Self::forget_timer) was quicker.
    pub(crate) fn wake_at(&self, time: Instant, waker: Waker) -> TimerKey {
        self.0.turn_lock.wake_at(time, waker)
    }

    pub(crate) fn forget_timer(&self, key: &TimerKey) {
        self.0.turn_lock.forget_timer(key);
    }

    /// Ends the turns of all threads, or else the next turn.
    #[cfg_attr(not(windows), allow(dead_code, reason = "elsewhere the poller itself tells of exits"))]
    pub(crate) fn notify(&self) {
        self.0.turn_lock.notify();
    }
}

impl<S: System> Clone for DriverRef<S> {
    fn clone(&self) -> Self {
        self.0.make_ref()
    }
}

impl<S: System> Drop for DriverRef<S> {
    fn drop(&mut self) {
        // Ordered against `abandon`: one of the two sees what the other did.
        if self.0.refs.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.abandoned.load(Ordering::SeqCst) {
            self.0.turn_lock.notify();
        }
    }
}
