//! Two threads and a kernel in memory on one channel, explored by loom: in every order of their
//! steps, no wake is lost and no byte.

use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use crate::channel::Channel as _;
use crate::channel::interleavings::block_in_read;
use crate::contract::{Failure, Half};
use crate::sim::explore::explore;
use crate::sim::readiness::{Sim, driver, pipe, turn};
use crate::sim::{read, taken, write};

/// A turn of the driver's thread amid what the others do.
fn turn_once() {
    driver().turn(Some(Instant::now())).unwrap();
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

/// The operation gives up the head of the queue to a thread, which then waits by itself.
#[test]
fn a_blocked_read_behind_a_submitted_one_goes_on() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let submitted = read::<Sim>(&reader, 2);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || block_in_read::<Sim>(&reader, 2).1
        });
        write::<Sim>(&writer, b"1234").detach();
        turn_once();
        assert_eq!((taken(submitted), blocked.join().unwrap()), (b"12".to_vec(), b"34".to_vec()));
    });
}

/// A thread gives up the head of the queue to an operation, for which the driver has to be told.
#[test]
fn a_submitted_read_behind_a_blocked_one_goes_on() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || block_in_read::<Sim>(&reader, 2).1
        });
        let submitted = read::<Sim>(&reader, 2);
        write::<Sim>(&writer, b"1234").detach();
        turn_once();
        let blocked = blocked.join().unwrap();
        turn();
        let mut both = [taken(submitted), blocked];
        both.sort();
        assert_eq!(both, [b"12", b"34"]);
    });
}

#[test]
fn a_blocked_read_is_cancelled_or_has_its_bytes() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || block_in_read::<Sim>(&reader, 4)
        });
        let cancelling = thread::spawn({
            let reader = Arc::clone(&reader);
            move || reader.cancel_all(Half::Read)
        });
        write::<Sim>(&writer, b"data").detach();
        cancelling.join().unwrap();
        match blocked.join().unwrap() {
            (Ok(4), bytes) => assert_eq!(bytes, b"data"),
            (Err(Failure::Cancelled { transferred: Some(0) }), _) => {
                assert_eq!(taken(read::<Sim>(&reader, 4)), b"data", "a cancelled read took something");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// What was submitted before goes out whole; what comes later is refused.
#[test]
fn a_write_goes_out_before_the_half_close_or_is_refused() {
    explore(|| {
        let (reader, writer) = pipe(2);
        let shutting = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.shutdown_write().unwrap()
        });
        let mut large = write::<Sim>(&writer, b"data");
        shutting.join().unwrap();
        let mut all = Vec::new();
        loop {
            let more = read::<Sim>(&reader, 4);
            turn();
            match taken(more) {
                more if more.is_empty() => break,
                more => all.extend(more),
            }
        }
        match large.wait(Some(Instant::now())).expect("it is complete").0 {
            Ok(4) => assert_eq!(all, b"data"),
            Err(_) => assert_eq!(all, b"", "a write was refused, and went"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_handle_is_taken_out_after_its_operations_or_not_at_all() {
    explore(|| {
        let (reader, writer) = pipe(8);
        let mut pending = read::<Sim>(&reader, 4);
        let driving = thread::spawn(move || {
            write::<Sim>(&writer, b"data").detach();
            turn_once();
            writer
        });
        let is_out = reader.take_handle().unwrap().is_some();
        let _writer = driving.join().unwrap();
        assert!(!is_out || pending.is_complete(), "its operation never ends");
        turn();
        assert_eq!(pending.wait(Some(Instant::now())).expect("it is complete").1, b"data");
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
