//! Two threads and a kernel in memory on one channel, explored by loom: whatever the order of their
//! steps, no completion is lost, nor a cancel.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use crate::channel::Channel as _;
use crate::contract::Failure;
use crate::sim::completion::{Sim, forget_driver, pipe, turn};
use crate::sim::{read, taken, write};

/// Both ways of being told: by packets, and by events.
fn explore(model: impl Fn(bool) + Send + Sync + Copy + 'static) {
    for exclusive in [true, false] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            forget_driver();
            model(exclusive);
            forget_driver();
        });
    }
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
