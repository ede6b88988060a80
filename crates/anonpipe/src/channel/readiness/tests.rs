//! The model on a kernel in memory: the same on every host.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use crate::channel::{Channel as _, InFlight as _, TaskReads, TaskWrites, WokenBy, attach};
use crate::contract::{Failure, Half};
#[cfg(feature = "tokio")]
use crate::sim::readiness::reactor::in_runtime;
use crate::sim::readiness::{Sim, driver, pipe, turn};
use crate::sim::{read, soon, taken, write};

#[test]
fn operations_are_served_in_the_order_in_which_they_came() {
    let (reader, writer) = pipe(64);
    let reads: Vec<_> = (0..3).map(|_| read::<Sim>(&reader, 2)).collect();
    assert_eq!(taken(write::<Sim>(&writer, b"one")), b"one");
    turn();
    assert_eq!(reader.in_flight(Half::Read), 1);
    write::<Sim>(&writer, b"two").detach();
    turn();
    let read: Vec<_> = reads.into_iter().map(taken).collect();
    assert_eq!(read, [&b"on"[..], b"e", b"tw"].map(Vec::from));
}

#[test]
fn a_cancelled_read_takes_nothing_and_the_next_goes_on() {
    let (reader, writer) = pipe(64);
    let (mut first, second) = (read::<Sim>(&reader, 8), read::<Sim>(&reader, 8));
    first.cancel();
    write::<Sim>(&writer, b"kept").detach();
    let (outcome, _) = first.wait(Some(Instant::now())).unwrap();
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })));
    turn();
    assert_eq!(taken(second), b"kept");
}

#[test]
fn a_cancelled_write_says_how_much_had_gone() {
    let (reader, writer) = pipe(4);
    let mut large = write::<Sim>(&writer, b"more than fits");
    large.cancel();
    let (outcome, _) = large.wait(Some(Instant::now())).unwrap();
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(4) })));
    assert_eq!(taken(read::<Sim>(&reader, 64)), b"more");
}

#[test]
fn a_write_beyond_the_capacity_goes_on_as_it_is_read() {
    let (reader, writer) = pipe(4);
    let text = b"in three parts";
    let large = write::<Sim>(&writer, text);
    let mut all = Vec::new();
    while all.len() < text.len() {
        all.extend(taken(read::<Sim>(&reader, 64)));
        turn();
    }
    assert_eq!((all.as_slice(), taken(large).as_slice()), (&text[..], &text[..]));
}

#[test]
fn the_last_writers_end_is_the_end_of_file() {
    let (reader, writer) = pipe(64);
    write::<Sim>(&writer, b"last").detach();
    let (first, second) = (read::<Sim>(&reader, 64), read::<Sim>(&reader, 64));
    drop(writer);
    turn();
    assert_eq!((taken(first), taken(second)), (b"last".to_vec(), Vec::new()));
    drop(reader);
}

#[test]
fn a_blocked_thread_waits_behind_operations_and_is_served() {
    let (reader, writer) = pipe(64);
    let first = read::<Sim>(&reader, 2);
    attach::<Sim>(&writer, driver().make_ref()).unwrap();
    let blocked = thread::spawn({
        let reader = Arc::clone(&reader);
        move || {
            let mut buffer = [0; 8];
            let count = reader.read(&mut [IoSliceMut::new(&mut buffer)], None).unwrap();
            buffer[..count].to_vec()
        }
    });
    while reader.in_flight(Half::Read) < 2 {
        thread::yield_now();
    }
    write::<Sim>(&writer, b"12rest").detach();
    turn();
    assert_eq!((taken(first), blocked.join().unwrap()), (b"12".to_vec(), b"rest".to_vec()));
}

#[test]
fn a_blocked_call_ends_in_time_and_says_what_went() {
    let (reader, writer) = pipe(4);
    let late = reader.read(&mut [IoSliceMut::new(&mut [0; 8])], soon());
    assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })));
    let late = writer.write(&[IoSlice::new(b"12"), IoSlice::new(b"3456")], soon());
    assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(4) })));
    assert_eq!((reader.in_flight(Half::Read), writer.in_flight(Half::Write)), (0, 0));
    assert_eq!(taken(read::<Sim>(&reader, 64)), b"1234");
}

#[test]
fn cancelling_everything_reaches_blocked_threads() {
    let (reader, _writer) = pipe(4);
    let blocked = thread::spawn({
        let reader = Arc::clone(&reader);
        move || reader.read(&mut [IoSliceMut::new(&mut [0; 8])], None)
    });
    while reader.in_flight(Half::Read) < 1 {
        thread::yield_now();
    }
    reader.cancel_all(Half::Read);
    assert!(matches!(blocked.join().unwrap(), Err(Failure::Cancelled { transferred: Some(0) })));
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_is_woken_and_reads_nothing_ahead() {
    let (reader, writer) = pipe(64);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut reads = super::tasks::Reads::<Sim>::default();
    let mut buffer = [0; 3];
    let mut poll = |reads: &mut super::tasks::Reads<Sim>| {
        let polled = reads.poll(&reader, WokenBy::Driver, &mut context, &mut [IoSliceMut::new(&mut buffer)]);
        polled.map(|outcome| buffer[..outcome.unwrap()].to_vec())
    };
    // The task comes back by itself once, then it waits.
    assert!(poll(&mut reads).is_pending() && poll(&mut reads).is_pending());
    turn();
    let before = count.0.load(Ordering::SeqCst);
    write::<Sim>(&writer, b"abcdef").detach();
    turn();
    assert_eq!(count.0.load(Ordering::SeqCst), before + 1);
    assert_eq!(poll(&mut reads), Poll::Ready(b"abc".to_vec()));
    reads.leave(&reader);
    assert_eq!(taken(read::<Sim>(&reader, 64)), b"def");
    let mut writes = super::tasks::Writes::<Sim>::default();
    let polled = writes.poll(&writer, WokenBy::Driver, &mut context, &[IoSlice::new(b"at once")]);
    assert!(matches!(polled, Poll::Ready(Ok(7))));
    writes.leave(&writer);
    assert_eq!(taken(read::<Sim>(&reader, 64)), b"at once");
}

/// In a runtime the task waits in its reactor, and the driver hears nothing of it; outside of one
/// it goes on with the driver.
#[cfg(feature = "tokio")]
#[test]
fn a_task_waits_in_the_reactor_at_hand() {
    let (reader, writer) = pipe(64);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut reads = super::tasks::Reads::<Sim>::default();
    let mut buffer = [0; 8];
    let mut poll = |reads: &mut super::tasks::Reads<Sim>| {
        let polled = reads.poll(&reader, WokenBy::Runtime, &mut context, &mut [IoSliceMut::new(&mut buffer)]);
        polled.map(|outcome| buffer[..outcome.unwrap()].to_vec())
    };
    for round in 0..3 {
        in_runtime(|| {
            while poll(&mut reads).is_pending() && count.0.swap(0, Ordering::SeqCst) > 0 {}
            write::<Sim>(&writer, b"data").detach();
            assert_eq!(count.0.load(Ordering::SeqCst), 0, "the reactor was not turned");
            turn();
            assert!(count.0.swap(0, Ordering::SeqCst) > 0, "a wake was lost in round {round}");
            assert_eq!(poll(&mut reads), Poll::Ready(b"data".to_vec()));
        });
    }
    assert!(!reader.registration().is_made(), "the driver was asked");
    assert!(attach::<Sim>(&reader, driver().make_ref()).is_err(), "the reactor knows it");
    // The runtime is gone.
    while poll(&mut reads).is_pending() && count.0.swap(0, Ordering::SeqCst) > 0 {}
    write::<Sim>(&writer, b"more").detach();
    turn();
    assert_eq!(poll(&mut reads), Poll::Ready(b"more".to_vec()));
    reads.leave(&reader);
}

/// The kernel in memory panics if a descriptor is closed while its poller knows it.
#[test]
fn the_poller_forgets_a_descriptor_before_it_is_closed() {
    let (reader, writer) = pipe(64);
    let pending = read::<Sim>(&reader, 8);
    drop(reader);
    pending.cancel();
    drop((pending, writer));
    turn();
}

#[test]
fn an_end_is_attached_before_its_first_operation_or_never() {
    let (reader, _writer) = pipe(64);
    let pending = read::<Sim>(&reader, 8);
    assert!(attach::<Sim>(&reader, driver().make_ref()).is_err());
    drop(pending);
}

#[test]
fn an_operation_knows_its_half_and_length() {
    let (reader, _writer) = pipe(64);
    let pending = read::<Sim>(&reader, 8);
    let request = pending.record().request();
    assert_eq!((request.half, request.length), (Half::Read, 8));
}
