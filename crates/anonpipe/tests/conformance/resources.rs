//! Handles and threads: none is kept, and none is made without need. Each rule has a process of its
//! own.

use std::io::{ErrorKind, Read, Write};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anonpipe::{End, Overlapped, Writer};

use crate::Backend;
use crate::harness::{MOMENT, soon};
use crate::system::{handles, threads};
use crate::test_data;
use crate::transfer_ways::{Way, kind};

/// Makes what a first use makes for good: the driver, and what this thread waits with.
pub(crate) fn use_once(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let op = reader.submit_read(vec![0; 4]);
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], Duration::from_millis(1))), ErrorKind::TimedOut);
    (&writer).write_all(b"warm").unwrap();
    op.wait().0.unwrap();
    let (ours, theirs) = backend.duplex();
    ours.submit_read(vec![0; 4]).detach();
    drop((reader, writer, ours, theirs));
}

/// As above, and counts the handles.
pub(crate) fn warm_up(backend: Backend) -> usize {
    use_once(backend);
    // The driver may still be about to close what it has just completed.
    let mut before = handles();
    let mut steady = 0;
    soon("a steady count", || {
        let now = handles();
        steady = if now == before { steady + 1 } else { 0 };
        before = now;
        steady == 50
    });
    let pair = backend.pipe();
    assert_eq!(handles(), before + 2, "the count does not count");
    drop(pair);
    before
}

#[track_caller]
pub(crate) fn none_left(before: usize) {
    soon("as many handles as before", || handles() <= before);
}

pub(crate) fn ten_thousand_pairs_leave_nothing(backend: Backend) {
    let before = warm_up(backend);
    for round in 0..2500 {
        drop(backend.pipe());
        drop(backend.duplex());
        drop(backend.options().client(End::blocking().inheritable(true)).duplex().unwrap());
        let (writer, reader) = backend.options().server(End::blocking()).outbound().unwrap();
        if round % 50 == 0 {
            let clones = (writer.try_clone().unwrap(), reader.try_clone().unwrap());
            drop((reader.submit_read(vec![0; 4]), clones));
        }
    }
    none_left(before);
}

pub(crate) fn what_was_in_flight_leaves_nothing(backend: Backend) {
    let before = warm_up(backend);
    for round in 0..300 {
        let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let reads: Vec<_> = (0..3).map(|_| ours.submit_read(vec![0; 10])).collect();
        let writes: Vec<_> = (0..3).map(|_| ours.submit_write(vec![0; 300_000])).collect();
        match round % 3 {
            0 => drop((ours, theirs, reads, writes)),
            1 => drop((reads, writes, theirs, ours)),
            _ => drop((theirs, writes, ours, reads)),
        }
    }
    none_left(before);
}

pub(crate) fn sixty_four_pairs_from_eight_threads(backend: Backend) {
    let before = warm_up(backend);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for thread in 0..8 {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                let pairs: Vec<_> = (0..8).map(|_| backend.small_pipe()).collect();
                let reads: Vec<_> = pairs.iter().map(|(reader, _)| reader.submit_read(vec![0; 100])).collect();
                let write = |(pair, (_, writer)): (usize, &(_, Writer<Overlapped>))| {
                    writer.submit_write(test_data::bytes(thread * 1000 + pair, 20_000))
                };
                let writes: Vec<_> = pairs.iter().enumerate().map(write).collect();
                for (pair, (read, write)) in reads.into_iter().zip(writes).enumerate() {
                    let (result, buffer) = read.wait();
                    let mut all = buffer[..result.unwrap()].to_vec();
                    let reader = &pairs[pair].0;
                    while all.len() < 20_000 {
                        all.extend(Way::ALL[pair % 4].read(reader, 20_000).unwrap());
                    }
                    test_data::check(thread * 1000 + pair, &all);
                    assert_eq!(write.wait().0.unwrap(), 20_000);
                }
            });
        }
    });
    none_left(before);
}

pub(crate) fn no_thread_before_the_first_operation_and_one_after_a_thousand(backend: Backend) {
    let before = threads();
    let pairs: Vec<_> = (0..100).map(|_| backend.pipe()).collect();
    let duplexes: Vec<_> = (0..100).map(|_| backend.options().client(End::blocking()).duplex().unwrap()).collect();
    for (reader, writer) in &pairs {
        (&*writer).write_all(b"abc").unwrap();
        assert_eq!((&*reader).read(&mut [0; 8]).unwrap(), 3);
    }
    assert_eq!(kind(pairs[0].0.read_timeout(&mut [0; 8], MOMENT)), ErrorKind::TimedOut);
    assert_eq!(kind(pairs[0].1.write_timeout(&vec![0; 3_000_000], MOMENT)), ErrorKind::TimedOut);
    drop(duplexes);
    assert_eq!(threads(), before, "nothing was submitted, so nothing needs a thread");

    let reads: Vec<_> =
        (0..10).flat_map(|_| pairs[1..].iter().map(|(reader, _)| reader.submit_read(vec![0; 1]))).collect();
    let more: Vec<_> = (0..10).map(|_| pairs[1].0.submit_read(vec![0; 1])).collect();
    assert_eq!(reads.len() + more.len(), 1000);
    assert_eq!(threads(), before + 1, "a thousand operations on 99 pipes, and one thread");
    for (_, writer) in &pairs[1..] {
        writer.submit_write(vec![7; 20]).wait().0.unwrap();
    }
    for op in reads.into_iter().chain(more) {
        assert_eq!(op.wait().0.unwrap(), 1);
    }
    assert_eq!(threads(), before + 1);
}

/// A blocked thread is the caller's own; none is made for it.
pub(crate) fn blocking_calls_make_no_thread(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let before = threads();
    thread::scope(|scope| {
        let read = scope.spawn(|| Way::Std.read(&reader, 4).unwrap());
        thread::sleep(MOMENT);
        assert_eq!(threads(), before + 1);
        (&writer).write_all(b"done").unwrap();
        assert_eq!(read.join().unwrap(), b"done");
    });
}
