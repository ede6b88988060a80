//! Two threads and a kernel in memory on one channel, explored by loom: whatever the order of their
//! steps, no wake is lost and no byte.

use std::io::IoSliceMut;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::channel::{Channel as _, TaskReads, WokenBy};
use crate::contract::{Failure, Half};
use crate::sim::readiness::{Sim, forget_driver, pipe, turn};
use crate::sim::{read, taken, write};

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        forget_driver();
        model();
        forget_driver();
    });
}

#[test]
fn a_read_that_begins_to_wait_is_told_of_a_write() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let reading = thread::spawn({
            let reader = Arc::clone(&reader);
            move || read::<Sim>(&reader, 4)
        });
        assert_eq!(taken(write::<Sim>(&writer, b"data")), b"data");
        turn();
        let pending = reading.join().unwrap();
        turn();
        assert_eq!(taken(pending), b"data");
    });
}

#[test]
fn a_cancel_comes_in_time_or_the_bytes_count() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let mut pending = read::<Sim>(&reader, 4);
        let writing = thread::spawn(move || {
            write::<Sim>(&writer, b"data").detach();
            turn();
            writer
        });
        pending.cancel();
        let _writer = writing.join().unwrap();
        turn();
        let (outcome, buffer) = pending.wait(Some(Instant::now())).expect("it is complete");
        match outcome {
            Ok(count) => assert_eq!(buffer[..count], *b"data"),
            Err(Failure::Cancelled { transferred: Some(0) }) => {
                assert_eq!(taken(read::<Sim>(&reader, 4)), b"data", "a cancelled read took something");
            }
            Err(failure) => panic!("{failure:?}"),
        }
    });
}

#[test]
fn a_cancelled_write_and_its_reader_agree() {
    explore(|| {
        let (reader, writer) = pipe(2);
        let mut large = write::<Sim>(&writer, b"data");
        let reading = thread::spawn({
            let reader = Arc::clone(&reader);
            move || {
                let some = taken(read::<Sim>(&reader, 4));
                turn();
                some
            }
        });
        large.cancel();
        let mut all = reading.join().unwrap();
        turn();
        let (outcome, _) = large.wait(Some(Instant::now())).expect("it is complete");
        drop(writer);
        loop {
            let more = taken(read::<Sim>(&reader, 4));
            if more.is_empty() {
                break;
            }
            all.extend(more);
        }
        let went = match outcome {
            Ok(count) => count,
            Err(Failure::Cancelled { transferred: Some(count) }) => count,
            Err(failure) => panic!("{failure:?}"),
        };
        assert_eq!(all, b"data"[..went]);
    });
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_is_ready_or_woken() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let writing = thread::spawn(move || {
            write::<Sim>(&writer, b"data").detach();
            turn();
            writer
        });
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut reads = super::tasks::Reads::<Sim>::default();
        let mut buffer = [0; 4];
        let mut poll = |reads: &mut super::tasks::Reads<Sim>| {
            let polled = reads.poll(&reader, WokenBy::Driver, &mut context, &mut [IoSliceMut::new(&mut buffer)]);
            polled.map(|outcome| outcome.unwrap())
        };
        // The first poll comes back by itself.
        let polled = if let Poll::Pending = poll(&mut reads) { poll(&mut reads) } else { Poll::Ready(4) };
        let before = count.0.load(Ordering::SeqCst);
        let _writer = writing.join().unwrap();
        turn();
        if polled.is_pending() {
            assert!(before > 1 || count.0.load(Ordering::SeqCst) > before, "a wake was lost");
            assert_eq!(poll(&mut reads), Poll::Ready(4));
        }
        assert_eq!(buffer, *b"data");
        reads.leave(&reader);
    });
}

#[test]
fn an_end_that_is_dropped_ends_its_reads() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let mut pending = read::<Sim>(&reader, 4);
        let dropping = thread::spawn(move || drop(writer));
        reader.cancel_all(Half::Read);
        drop(reader);
        dropping.join().unwrap();
        turn();
        let (outcome, _) = pending.wait(Some(Instant::now())).expect("it is complete");
        assert!(matches!(outcome, Ok(0) | Err(Failure::Cancelled { transferred: Some(0) })));
    });
}
