//! A task begins to wait while it is woken, explored by loom: no wake is lost, and no waker is
//! kept.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Waiter, Waiters};
use crate::sim::explore::explore_without_bound;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

/// One thread acts as a poll does, the other as a notification.
#[test]
fn a_task_that_begins_to_wait_is_woken() {
    explore_without_bound(|| {
        let queue = Arc::new(Mutex::new(Waiters::default()));
        let waiter = Arc::new(Waiter::default());
        let notified = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let woken = queue.lock().unwrap().take();
                let found = woken.first.is_some();
                woken.wake();
                found
            }
        });
        queue.lock().unwrap().put(&waiter);
        let (count, waker) = counting();
        waiter.wake_with(&waker);
        drop(waker);
        let found = notified.join().unwrap();
        assert_eq!(count.0.load(Ordering::SeqCst), usize::from(found), "woken once, if it was among the waiters");
        waiter.forget_waker();
        assert_eq!(Arc::strong_count(&count), 1, "a waker was kept");
    });
}

/// A task waits again while the wake of its last wait is still on its way. One wake too many does
/// no harm; one too few would.
#[test]
fn a_task_that_waits_again_is_woken_again() {
    explore_without_bound(|| {
        let queue = Arc::new(Mutex::new(Waiters::default()));
        let waiter = Arc::new(Waiter::default());
        let (first, waker) = counting();
        queue.lock().unwrap().put(&waiter);
        waiter.wake_with(&waker);
        drop(waker);
        let notify = |queue: &Arc<Mutex<Waiters>>| {
            let queue = Arc::clone(queue);
            thread::spawn(move || {
                let woken = queue.lock().unwrap().take();
                woken.wake();
            })
        };
        let one = notify(&queue);
        let (second, waker) = counting();
        queue.lock().unwrap().put(&waiter);
        waiter.wake_with(&waker);
        drop(waker);
        let other = notify(&queue);
        one.join().unwrap();
        other.join().unwrap();
        assert!(second.0.load(Ordering::SeqCst) > 0, "the second wait was forgotten");
        waiter.forget_waker();
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1), "a waker was kept");
    });
}
