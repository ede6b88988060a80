//! Threads turn one driver while others wake them: no wake is lost, whichever thread turns.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::TurnLock;
use crate::contract::Turn;
use crate::sim::explore::{explore, explore_without_bound};
use crate::sync::SystemClock;

/// A poller that only waits for notifications. It keeps one if no thread waits, as the systems'
/// pollers do.
struct Poller {
    notified: Mutex<usize>,
    changed: Condvar,
    /// Whether this process made it.
    ours: bool,
}

impl Turn for Poller {
    type Report = ();

    fn new() -> io::Result<Self> {
        Ok(Self { notified: Mutex::new(0), changed: Condvar::new(), ours: true })
    }

    fn is_of_this_process(&self) -> bool {
        self.ours
    }

    fn turn(&self, timeout: Option<Duration>, _: &mut dyn FnMut(usize, ())) -> io::Result<()> {
        let mut notified = self.notified.lock().unwrap();
        while *notified == 0 && timeout.is_none() {
            notified = self.changed.wait(notified).unwrap();
        }
        *notified = 0;
        Ok(())
    }

    fn notify(&self) {
        *self.notified.lock().unwrap() = 1;
        self.changed.notify_one();
    }
}

fn turn_lock() -> Arc<TurnLock<Poller, SystemClock>> {
    Arc::new(TurnLock::new(Poller::new().unwrap()))
}

/// What a future waits for.
#[derive(Default)]
struct Event(Mutex<(bool, Option<Waker>)>);

impl Event {
    fn set(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wait(&self, turn_lock: &Arc<TurnLock<Poller, SystemClock>>) {
        let future = poll_fn(|context| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(context.waker().clone());
            Poll::Pending
        });
        assert!(turn_lock.run_until(pin!(future), None, &mut |_, ()| ()).is_some());
    }
}

/// Waits for what another thread does meanwhile.
fn wait_for_another_thread(turn_lock: &Arc<TurnLock<Poller, SystemClock>>) {
    let event = Arc::new(Event::default());
    let waker = thread::spawn({
        let event = Arc::clone(&event);
        move || event.set()
    });
    event.wait(turn_lock);
    waker.join().unwrap();
}

#[test]
fn a_wake_from_another_thread_ends_the_turn() {
    explore_without_bound(|| wait_for_another_thread(&turn_lock()));
}

/// One of two threads waits while the other turns; each is woken by the other or by a third thread.
#[test]
fn two_threads_take_turns() {
    explore(|| {
        let turn_lock = turn_lock();
        let (one, other) = (Arc::new(Event::default()), Arc::new(Event::default()));
        let first = thread::spawn({
            let (turn_lock, one, other) = (Arc::clone(&turn_lock), Arc::clone(&one), Arc::clone(&other));
            move || {
                one.wait(&turn_lock);
                other.set();
            }
        });
        let second = thread::spawn({
            let (turn_lock, other) = (Arc::clone(&turn_lock), Arc::clone(&other));
            move || other.wait(&turn_lock)
        });
        one.set();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// As `Driver::notify` promises.
#[test]
fn a_notice_ends_the_turns_of_all() {
    explore(|| {
        let turn_lock = turn_lock();
        let notices = turn_lock.notices();
        let turning = [(); 3].map(|()| {
            let turn_lock = Arc::clone(&turn_lock);
            thread::spawn(move || turn_lock.turn(notices, None, &mut |_, ()| ()).unwrap())
        });
        turn_lock.notify();
        turning.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// In a forked process the parent's poller is of no use.
#[test]
fn a_future_without_a_driver_is_woken() {
    explore_without_bound(|| {
        let poller = Poller { ours: false, ..Poller::new().unwrap() };
        wait_for_another_thread(&Arc::new(TurnLock::new(poller)));
    });
}
