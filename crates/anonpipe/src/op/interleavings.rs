//! Every interleaving of a completion with a wait, a cancel or a drop, explored by loom.
//!
//! A thread plays the system: it owns a share of the operation, as the queues do, fills the buffer
//! and completes the operation. Run with `scripts/test-interleavings`.

use std::sync::Arc;
use std::sync::Weak;
use std::task::{Context, Wake, Waker};

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Op, Operation, wait_any};
use crate::channel::{InFlight, Record, Submitted};
use crate::contract::{EndName, Failure, Half};
use crate::driver::Native;
use crate::sim::explore::{explore, explore_without_bound};

/// A buffer whose accesses loom checks, and that counts how often it is freed.
struct Buffer {
    byte: Arc<UnsafeCell<u8>>,
    freed: Arc<AtomicUsize>,
}

// SAFETY: only tests share it, and loom checks each access.
#[allow(unsafe_code, reason = "loom's cell is not Send by itself")]
unsafe impl Send for Buffer {}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Freeing is an access: loom reports it if the system might still be writing.
        self.byte.with_mut(|_| ());
        self.freed.fetch_add(1, Ordering::Relaxed);
    }
}

struct Fixture {
    record: Arc<Record<Buffer, Native>>,
    byte: Arc<UnsafeCell<u8>>,
    freed: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        let byte = Arc::new(UnsafeCell::new(0));
        let freed = Arc::new(AtomicUsize::new(0));
        let buffer = Buffer { byte: Arc::clone(&byte), freed: Arc::clone(&freed) };
        Self { record: Record::new(Half::Read, buffer, 1), byte, freed }
    }

    fn op(&self) -> Op<Buffer> {
        let end = EndName { called: None, role: None, direction: None };
        Op(Operation::new(Submitted::over(Arc::clone(&self.record), Weak::new()), end))
    }

    /// The system: writes to the buffer, then completes. It owns its share of the operation until
    /// then.
    fn system(&self) -> impl FnOnce() + Send + 'static {
        let operation = Arc::clone(&self.record) as Arc<dyn InFlight<Native>>;
        let byte = SendCell(Arc::clone(&self.byte));
        move || {
            byte.set(7);
            operation.complete(Ok(1));
        }
    }
}

struct SendCell(Arc<UnsafeCell<u8>>);

// SAFETY: as for `Buffer`.
#[allow(unsafe_code, reason = "loom's cell is not Send by itself")]
unsafe impl Send for SendCell {}

impl SendCell {
    fn set(&self, value: u8) {
        // SAFETY: loom checks that no other thread accesses the byte meanwhile.
        #[allow(unsafe_code, reason = "loom's cell gives pointers")]
        self.0.with_mut(|byte| unsafe { *byte = value });
    }
}

fn read(buffer: &Buffer) -> u8 {
    // SAFETY: as in `SendCell::set`.
    #[allow(unsafe_code, reason = "loom's cell gives pointers")]
    buffer.byte.with(|byte| unsafe { *byte })
}

struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_wait_sees_what_the_system_wrote() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let op = fixture.op();
        let system = thread::spawn(fixture.system());
        let (result, buffer) = op.wait();
        assert_eq!(result.unwrap(), 1);
        assert_eq!(read(&buffer), 7);
        system.join().unwrap();
    });
}

#[test]
fn a_poll_is_ready_or_woken() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let mut op = fixture.op();
        let system = thread::spawn(fixture.system());
        let counter = Arc::new(CountingWaker(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&counter));
        let mut context = Context::from_waker(&waker);
        let polled = std::future::Future::poll(std::pin::Pin::new(&mut op), &mut context);
        system.join().unwrap();
        let (result, buffer) = match polled {
            std::task::Poll::Ready(output) => {
                assert_eq!(counter.0.load(Ordering::SeqCst), 0, "no task was waiting");
                output
            }
            std::task::Poll::Pending => {
                assert_eq!(counter.0.load(Ordering::SeqCst), 1, "a wake-up was lost");
                op.wait()
            }
        };
        assert_eq!((result.unwrap(), read(&buffer)), (1, 7));
    });
}

#[test]
fn a_dropped_operation_frees_its_buffer_once_and_not_early() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let op = fixture.op();
        let freed = Arc::clone(&fixture.freed);
        let system = thread::spawn(fixture.system());
        drop(fixture);
        drop(op);
        system.join().unwrap();
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_wait_with_a_deadline_that_has_passed_leaves_the_operation_whole() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let mut op = fixture.op();
        let system = thread::spawn(fixture.system());
        let output = op.wait_timeout(std::time::Duration::ZERO);
        let (result, buffer) = output.unwrap_or_else(|| op.wait());
        assert_eq!((result.unwrap(), read(&buffer)), (1, 7));
        system.join().unwrap();
    });
}

/// Cancelling and completing both take the operation out of the queue; the one that takes it out
/// completes it.
#[test]
fn a_cancel_and_a_completion_give_one_outcome() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let op = fixture.op();
        let queue = Arc::new(Mutex::new(Some(Arc::clone(&fixture.record) as Arc<dyn InFlight<Native>>)));
        let driver = {
            let queue = Arc::clone(&queue);
            let byte = SendCell(Arc::clone(&fixture.byte));
            thread::spawn(move || {
                let mut queue = queue.lock().unwrap();
                if let Some(operation) = queue.take() {
                    byte.set(7);
                    drop(queue);
                    operation.complete(Ok(1));
                }
            })
        };
        let canceller = thread::spawn(move || {
            let taken = queue.lock().unwrap().take();
            if let Some(operation) = taken {
                operation.complete(Err(Failure::Cancelled { transferred: Some(0) }));
            }
        });
        let (result, buffer) = op.wait();
        match result {
            Ok(count) => assert_eq!((count, read(&buffer)), (1, 7)),
            Err(error) => {
                assert!(crate::Error::of(&error).unwrap().is_cancelled());
                assert_eq!(read(&buffer), 0, "a cancelled read took something");
            }
        }
        driver.join().unwrap();
        canceller.join().unwrap();
    });
}

#[test]
fn the_first_of_several_is_found() {
    explore_without_bound(|| {
        let (quiet, busy) = (Fixture::new(), Fixture::new());
        let (never, soon) = (quiet.op(), busy.op());
        let system = thread::spawn(busy.system());
        assert_eq!(wait_any(&[&never, &soon], None), Some(1));
        assert_eq!(soon.wait().0.unwrap(), 1);
        system.join().unwrap();
    });
}

/// A task moves between executors, or between two futures that share it.
#[test]
fn a_task_that_changes_its_waker_is_woken_by_the_last() {
    explore_without_bound(|| {
        let fixture = Fixture::new();
        let mut op = fixture.op();
        let system = thread::spawn(fixture.system());
        let counters = [(); 2].map(|()| Arc::new(CountingWaker(AtomicUsize::new(0))));
        let polled = counters.each_ref().map(|counter| {
            let waker = Waker::from(Arc::clone(counter));
            let mut context = Context::from_waker(&waker);
            op.is_complete() || std::future::Future::poll(std::pin::Pin::new(&mut op), &mut context).is_ready()
        });
        system.join().unwrap();
        let [_, second] = counters.each_ref().map(|counter| counter.0.load(Ordering::SeqCst));
        if polled == [false, false] {
            assert_eq!(second, 1, "a wake-up was lost, or went to the waker before");
        }
        assert_eq!(counters.map(|counter| Arc::strong_count(&counter)), [1, 1], "a waker was kept");
    });
}

/// A waker that is kept would keep its executor, for as long as the peer lets the operation wait.
fn an_operation_that_is_let_go_keeps_no_waker(let_go: fn(Op<Buffer>)) {
    explore_without_bound(move || {
        let fixture = Fixture::new();
        let mut op = fixture.op();
        let system = thread::spawn(fixture.system());
        let counter = Arc::new(CountingWaker(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&counter));
        let polled = std::future::Future::poll(std::pin::Pin::new(&mut op), &mut Context::from_waker(&waker));
        drop(waker);
        let was_pending = polled.is_pending();
        drop(polled);
        if was_pending {
            let_go(op);
            if !fixture.record.outcome().is_complete() {
                assert_eq!(Arc::strong_count(&counter), 1, "the waker is kept");
            }
        }
        let freed = Arc::clone(&fixture.freed);
        drop(fixture);
        system.join().unwrap();
        assert_eq!((freed.load(Ordering::Relaxed), Arc::strong_count(&counter)), (1, 1));
    });
}

#[test]
fn a_detached_operation_frees_its_buffer_once_and_keeps_no_waker() {
    an_operation_that_is_let_go_keeps_no_waker(Op::detach);
}

#[test]
fn an_operation_that_is_dropped_after_a_poll_keeps_no_waker() {
    an_operation_that_is_let_go_keeps_no_waker(drop);
}

/// Any number of threads may wait for the first of the same operations.
#[test]
fn two_threads_wait_for_the_first_of_several() {
    explore(|| {
        let fixture = Fixture::new();
        let op = Arc::new(fixture.op());
        let other = thread::spawn({
            let op = Arc::clone(&op);
            move || wait_any(&[&*op], None)
        });
        let system = thread::spawn(fixture.system());
        assert_eq!(wait_any(&[&*op], None), Some(0));
        assert_eq!(other.join().unwrap(), Some(0));
        system.join().unwrap();
        let op = Arc::into_inner(op).expect("both have waited");
        assert_eq!(op.wait().0.unwrap(), 1);
    });
}

#[test]
fn several_that_complete_at_once_end_one_wait() {
    explore(|| {
        let fixtures = [Fixture::new(), Fixture::new()];
        let ops = fixtures.each_ref().map(Fixture::op);
        let systems = fixtures.each_ref().map(|fixture| thread::spawn(fixture.system()));
        assert!(wait_any(&[&ops[0], &ops[1]], None).is_some());
        for op in ops {
            assert_eq!(op.wait().0.unwrap(), 1);
        }
        systems.into_iter().for_each(|system| system.join().unwrap());
    });
}
