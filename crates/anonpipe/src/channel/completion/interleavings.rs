//! Two threads and a kernel in memory on one channel, explored by loom: in every order of their
//! steps, no completion is lost, nor a cancel.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::thread;

use crate::channel::interleavings::block_in_read;
use crate::channel::{Channel as _, Submitted, TaskWrites as _, WokenBy};
use crate::contract::{Failure, Half};
use crate::sim::completion::{Sim, driver, pipe, turn};
use crate::sim::{read, taken, write};

type Channel = super::Channel<Sim>;

/// Both ways of being told: by packets, and by events.
fn explore(model: impl Fn(bool) + Send + Sync + Copy + 'static) {
    for exclusive in [true, false] {
        crate::sim::explore::explore(move || model(exclusive));
    }
}

/// A turn of the driver's thread amid what the others do.
fn turn_once() {
    driver().turn(Some(Instant::now())).unwrap();
}

#[test]
fn a_read_and_a_write_meet() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let reading = thread::spawn({
            let reader = Arc::clone(&reader);
            move || read::<Sim>(&reader, 4)
        });
        let written = write::<Sim>(&writer, b"data");
        turn();
        let pending = reading.join().unwrap();
        turn();
        assert_eq!((taken(written), taken(pending)), (b"data".to_vec(), b"data".to_vec()));
    });
}

#[test]
fn a_cancel_comes_in_time_or_the_bytes_count() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
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
                let next = read::<Sim>(&reader, 4);
                turn();
                assert_eq!(taken(next), b"data", "a cancelled read took something");
            }
            Err(failure) => panic!("{failure:?}"),
        }
    });
}

/// Where the driver's thread issues them, two threads that submit have to agree who tells it.
#[test]
fn what_two_threads_submit_is_issued() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let other = thread::spawn({
            let reader = Arc::clone(&reader);
            move || read::<Sim>(&reader, 2)
        });
        let one = read::<Sim>(&reader, 2);
        turn();
        let other = other.join().unwrap();
        write::<Sim>(&writer, b"1234").detach();
        turn();
        let mut both = [taken(one), taken(other)];
        both.sort();
        assert_eq!(both, [b"12", b"34"]);
    });
}

/// A thread that blocks waits for its place, while the driver's thread issues what is before it.
#[test]
fn a_blocked_write_behind_a_submitted_one_goes_on() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let submitted = write::<Sim>(&writer, b"12");
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"34")], None).unwrap()
        });
        turn();
        assert_eq!((blocked.join().unwrap(), taken(submitted)), (2, b"12".to_vec()));
        let both = [read::<Sim>(&reader, 2), read::<Sim>(&reader, 2)];
        turn();
        assert_eq!(both.map(taken), [b"12", b"34"]);
    });
}

#[test]
fn a_blocked_read_and_a_submitted_one_share_the_bytes() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || block_in_read::<Sim>(&reader, 2).1
        });
        let submitted = read::<Sim>(&reader, 2);
        turn_once();
        let written = write::<Sim>(&writer, b"1234");
        turn();
        let blocked = blocked.join().unwrap();
        turn();
        let mut both = [taken(submitted), blocked];
        both.sort();
        assert_eq!((both, taken(written)), ([b"12".to_vec(), b"34".to_vec()], b"1234".to_vec()));
    });
}

#[test]
fn a_blocked_read_is_cancelled_or_has_its_bytes() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || block_in_read::<Sim>(&reader, 4)
        });
        let cancelling = thread::spawn({
            let reader = Arc::clone(&reader);
            move || reader.cancel_all(Half::Read)
        });
        write::<Sim>(&writer, b"data").detach();
        turn();
        cancelling.join().unwrap();
        match blocked.join().unwrap() {
            (Ok(4), bytes) => assert_eq!(bytes, b"data"),
            (Err(Failure::Cancelled { transferred: Some(0) }), _) => {
                let next = read::<Sim>(&reader, 4);
                turn();
                assert_eq!(taken(next), b"data", "a cancelled read took something");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// The kernel must not write to what is freed: the simulated one checks it.
#[test]
fn a_dropped_read_takes_all_or_nothing_and_outlives_its_handle() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let pending = read::<Sim>(&reader, 4);
        let writing = thread::spawn(move || {
            write::<Sim>(&writer, b"data").detach();
            turn_once();
            writer
        });
        drop(pending);
        let writer = writing.join().unwrap();
        turn();
        assert_eq!(reader.in_flight(Half::Read), 0, "a dropped read is still there");
        write::<Sim>(&writer, b"more").detach();
        let next = read::<Sim>(&reader, 8);
        turn();
        // On this kernel a read takes from one write.
        let next = taken(next);
        assert!(next == b"data" || next == b"more", "{next:?}");
    });
}

#[test]
fn a_handle_is_taken_out_after_its_operations_or_not_at_all() {
    explore(|exclusive| {
        let (reader, writer) = pipe(8, exclusive);
        let mut pending = read::<Sim>(&reader, 4);
        let driving = thread::spawn(move || {
            write::<Sim>(&writer, b"data").detach();
            turn();
            writer
        });
        let is_out = reader.take_handle_still_bound().unwrap().is_some();
        assert!(!is_out || reader.in_flight(Half::Read) == 0);
        let _writer = driving.join().unwrap();
        assert!(!is_out || pending.is_complete(), "its operation never ends");
        turn();
        assert_eq!(pending.wait(Some(Instant::now())).expect("it is complete").1, b"data");
    });
}

/// A write of two pieces, of which the kernel has the first, and does not complete it before it is
/// read; the driver issues the second.
fn in_two_pieces(exclusive: bool) -> (Arc<Channel>, Arc<Channel>, Submitted<Vec<u8>, Sim>) {
    let (reader, writer) = pipe(3, exclusive);
    let long = write::<Sim>(&writer, b"012345");
    turn();
    (reader, writer, long)
}

/// What is there, and what comes when this has been read.
fn drain(reader: &Arc<Channel>) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut buffer = [0; 8];
        if let Ok(count) = reader.read(&mut [IoSliceMut::new(&mut buffer)], Some(Instant::now())) {
            all.extend_from_slice(&buffer[..count]);
        }
        turn();
    }
    all
}

#[test]
fn a_cancel_meets_the_next_piece() {
    explore(|exclusive| {
        let (reader, writer, long) = in_two_pieces(exclusive);
        let behind = write::<Sim>(&writer, b"a");
        let cancelling = thread::spawn(move || {
            long.cancel();
            long
        });
        let mut all = drain(&reader);
        let mut long = cancelling.join().unwrap();
        all.extend(drain(&reader));
        let (outcome, _) = long.wait(Some(Instant::now())).expect("it is complete");
        let came: &[u8] = match outcome {
            Ok(6) => b"012345a",
            Err(Failure::Cancelled { transferred: Some(4) }) => b"0123a",
            Err(Failure::Cancelled { transferred: None }) if all.starts_with(b"0123") => b"0123a",
            Err(Failure::Cancelled { transferred: None }) => b"a",
            outcome => panic!("{outcome:?}"),
        };
        assert_eq!(all, came);
        assert_eq!(taken(behind), b"a");
    });
}

#[test]
fn a_dropped_write_meets_the_next_piece() {
    explore(|exclusive| {
        let (reader, writer, long) = in_two_pieces(exclusive);
        write::<Sim>(&writer, b"a").detach();
        let dropping = thread::spawn(move || drop((long, writer)));
        let mut all = drain(&reader);
        dropping.join().unwrap();
        all.extend(drain(&reader));
        assert!([&b"012345a"[..], b"0123a", b"a"].contains(&&*all), "{all:?}");
    });
}

#[test]
fn what_is_submitted_meanwhile_comes_behind_the_last_piece() {
    explore(|exclusive| {
        let (reader, writer, long) = in_two_pieces(exclusive);
        let submitting = thread::spawn(move || write::<Sim>(&writer, b"ab"));
        let mut all = drain(&reader);
        let behind = submitting.join().unwrap();
        all.extend(drain(&reader));
        assert_eq!((taken(long).len(), taken(behind).len(), all), (6, 2, b"012345ab".to_vec()));
    });
}

/// The thread waits while the driver has pieces to issue.
#[test]
fn a_blocked_write_behind_the_last_piece_goes_on() {
    explore(|exclusive| {
        let (reader, writer, long) = in_two_pieces(exclusive);
        let blocked = thread::spawn(move || writer.write(&[IoSlice::new(b"a")], None).unwrap());
        let mut all = drain(&reader);
        assert_eq!(blocked.join().unwrap(), 1);
        all.extend(drain(&reader));
        assert_eq!((taken(long).len(), all), (6, b"012345a".to_vec()));
    });
}

/// A task's write that failed has written nothing. If the peer has read a part of it and gone, it
/// was accepted, and the next flush fails.
#[test]
fn a_tasks_write_that_fails_at_once_has_written_nothing() {
    explore(|exclusive| {
        let (reader, writer) = pipe(2, exclusive);
        let reading = thread::spawn(move || {
            let mut part = read::<Sim>(&reader, 2);
            turn_once();
            let came = part.wait(Some(Instant::now())).is_some_and(|(outcome, _)| matches!(outcome, Ok(2)));
            drop((part, reader));
            turn_once();
            came
        });
        let mut context = Context::from_waker(Waker::noop());
        let mut writes = super::tasks::Writes::<Sim>::default();
        let mut poll = || writes.poll(&writer, WokenBy::Driver, &mut context, &[IoSlice::new(b"data")]);
        let polled = poll();
        let came = reading.join().unwrap();
        turn();
        match polled {
            Poll::Ready(Err(_)) => assert!(!came, "a part was read"),
            Poll::Ready(Ok(count)) => {
                assert_eq!(count, 4);
                let mut context = Context::from_waker(Waker::noop());
                assert!(matches!(writes.poll_flush(&mut context), Poll::Ready(Err(_))), "it is told once");
                assert!(matches!(writes.poll_flush(&mut context), Poll::Ready(Ok(()))));
            }
            Poll::Pending => panic!("there is no write before it"),
        }
        writes.leave(&writer);
    });
}
