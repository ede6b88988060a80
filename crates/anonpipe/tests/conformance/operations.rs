//! Operations, and the ways to wait for them.

use std::future::Future;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anonpipe::{Driver, Op, wait_any};

use crate::harness::{MOMENT, soon};
use crate::queue::record;
use crate::transfer_ways::{LONG, Way};
use crate::{Backend, test_data};

pub(crate) fn under_way_without_a_poll(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let read = reader.submit_read(vec![0; 4]);
    let write = writer.submit_write(test_data::bytes(0, 100_000));
    soon("a read that nobody polls", || read.is_complete());
    let (result, buffer) = read.wait();
    let mut all = buffer[..result.unwrap()].to_vec();
    while all.len() < 100_000 {
        all.extend(Way::Std.read(&reader, 100_000).unwrap());
    }
    test_data::check(0, &all);
    soon("a write that nobody polls", || write.is_complete());
    assert_eq!(write.wait().0.unwrap(), 100_000);
}

pub(crate) fn wait_timeout_leaves_it_running(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut op = reader.submit_read(vec![0; 10]);
    for wait in [MOMENT, Duration::ZERO, MOMENT] {
        let start = Instant::now();
        assert!(op.wait_timeout(wait).is_none());
        assert!(start.elapsed() >= wait, "too early");
    }
    writer.submit_write("now").wait().0.unwrap();
    let (result, buffer) = op.wait_timeout(LONG).expect("long enough");
    assert_eq!(&buffer[..result.unwrap()], b"now");
}

pub(crate) fn wait_any_names_the_first(backend: Backend) {
    let pairs: Vec<_> = (0..5).map(|_| backend.pipe()).collect();
    let ops: Vec<_> = pairs.iter().map(|(reader, _)| reader.submit_read(vec![0; 10])).collect();
    let [a, b, c, d, e] = &ops[..] else { unreachable!() };
    assert_eq!(wait_any(&[], None), None);
    assert_eq!(wait_any(&[a, b, c, d, e], Some(MOMENT)), None);
    assert_eq!(wait_any(&[a, b, c, d, e], Some(Duration::ZERO)), None);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT);
            pairs[3].1.submit_write("wake").wait().0.unwrap();
        });
        assert_eq!(wait_any(&[a, b, c, d, e], None), Some(3));
        // It stays complete until the outcome is taken.
        assert_eq!(wait_any(&[a, b, c, d, e], Some(Duration::ZERO)), Some(3));
        assert_eq!(wait_any(&[e, d], Some(LONG)), Some(1));
    });
    pairs[1].1.submit_write("too").wait().0.unwrap();
    soon("the second", || b.is_complete());
    assert_eq!(wait_any(&[a, b, c, d, e], Some(LONG)), Some(1), "the lowest of several");
    assert_eq!(wait_any(&[a, c, e], Some(MOMENT)), None);
}

/// Wakes a thread, and counts.
struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> (F::Output, usize) {
    let unpark = Arc::new(Unpark(thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&unpark));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return (output, unpark.1.load(Ordering::SeqCst)),
            Poll::Pending => thread::park(),
        }
    }
}

pub(crate) fn await_on_a_hand_written_executor(backend: Backend) {
    let (reader, writer) = backend.pipe();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT);
            writer.submit_write("awaited").wait().0.unwrap();
        });
        let ((result, buffer), wakes) = block_on(async { reader.submit_read(vec![0; 20]).await });
        assert_eq!(&buffer[..result.unwrap()], b"awaited");
        // Not at all, if the other thread was quicker than the first poll.
        assert!(wakes <= 1, "woken {wakes} times, for the one thing that happened");
    });
    // Two at once in one task, neither holding up the other.
    let (ours, theirs) = backend.duplex();
    let ((), _) = block_on(async {
        let (read, write) = (ours.submit_read(vec![0; 4]), ours.submit_write("ping"));
        let (got, _) = theirs.submit_read(vec![0; 4]).await;
        assert_eq!(got.unwrap(), 4);
        theirs.submit_write("pong").await.0.unwrap();
        assert_eq!((read.await.0.unwrap(), write.await.0.unwrap()), (4, 4));
    });
}

pub(crate) fn an_outcome_is_taken_once(backend: Backend) {
    let (reader, writer) = backend.pipe();
    writer.submit_write("once").wait().0.unwrap();
    let mut op = reader.submit_read(vec![0; 4]);
    assert!(op.wait_timeout(LONG).is_some());
    assert!(op.is_complete());
    op.cancel();
    let twice = catch_unwind(AssertUnwindSafe(|| op.wait_timeout(LONG)));
    assert!(twice.is_err(), "an outcome was handed out twice");
}

/// What is printed to debug a program names the type, and says of an operation how far it is.
pub(crate) fn debug_texts_name_what_they_are_of(backend: Backend) {
    let starts_with = |text: String, name: &str| assert!(text.starts_with(name), "{text}");
    starts_with(format!("{:?}", Driver::new().unwrap()), "Driver");
    starts_with(format!("{:?}", backend.duplex().0), "Duplex");
    let (reader, writer) = backend.pipe();
    starts_with(format!("{reader:?}"), "Reader");
    starts_with(format!("{writer:?}"), "Writer");
    let mut op = reader.submit_read(vec![0; 10]);
    let is = |op: &Op<Vec<u8>>, state: &str| {
        let text = format!("{op:?}");
        assert!(text.starts_with("Op") && text.contains(state), "{text}");
    };
    is(&op, "pending");
    writer.submit_write("now").wait().0.unwrap();
    soon("a read", || op.is_complete());
    is(&op, "complete");
    op.wait_timeout(LONG).expect("it is complete").0.unwrap();
    is(&op, "taken");
}

pub(crate) fn many_threads_many_operations(backend: Backend) {
    const THREADS: usize = 6;
    const EACH: usize = 300;
    let (reader, writer) = backend.small_pipe();
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (reader, writer, sum) = (reader.try_clone().unwrap(), writer.try_clone().unwrap(), &sum);
            scope.spawn(move || {
                for number in 0..EACH {
                    writer.submit_write(record(thread * EACH + number).to_vec()).detach();
                }
            });
            scope.spawn(move || {
                for number in 0..EACH {
                    let bytes = Way::ALL[number % 4].read(&reader, 4).unwrap();
                    let record = u32::from_le_bytes(bytes.try_into().expect("a whole record"));
                    sum.fetch_add(record as usize, Ordering::Relaxed);
                }
            });
        }
    });
    let all = THREADS * EACH;
    assert_eq!(sum.into_inner(), all * (all - 1) / 2, "every record exactly once");
}

pub(crate) fn outliving_the_thread_that_submitted(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let (read, write) = thread::scope(|scope| {
        let submit = || (ours.submit_read(vec![0; 10]), ours.submit_write(test_data::bytes(0, 100_000)));
        scope.spawn(submit).join().unwrap()
    });
    thread::sleep(MOMENT);
    assert!(!read.is_complete() && !write.is_complete(), "ended with its thread");
    (&theirs).write_all(b"alive").unwrap();
    assert_eq!(read.wait().0.unwrap(), 5);
    let mut all = vec![0; 100_000];
    (&theirs).read_exact(&mut all).unwrap();
    test_data::check(0, &all);
    assert_eq!(write.wait().0.unwrap(), 100_000);
}
