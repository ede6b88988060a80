//! One queue a direction: its order, and an operation that leaves it lets the next one go on.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::Op;

use crate::Backend;
use crate::harness::{MOMENT, patience, soon, until_reads_in_flight, until_writes_in_flight};
use crate::test_data;
use crate::transfer_ways::{Way, is_cancelled, kind, transferred};

/// Longer than a moment, shorter than patience.
fn short() -> Duration {
    patience() / 80
}

pub(crate) fn a_cancelled_operation_lets_a_blocked_thread_go_on(backend: Backend) {
    let (reader, writer) = backend.pipe();
    for way in [Way::Std, Way::Timeout] {
        let op = reader.submit_read(vec![0; 4]);
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&reader, 4).unwrap());
            until_reads_in_flight(&reader, 2);
            op.cancel();
            assert!(is_cancelled(&op.wait().0));
            assert!(!read.is_finished());
            (&writer).write_all(b"next").unwrap();
            assert_eq!(read.join().unwrap(), b"next");
        });
    }
}

pub(crate) fn a_read_that_timed_out_lets_the_next_go_on(backend: Backend) {
    let (reader, writer) = backend.pipe();
    thread::scope(|scope| {
        let read = scope.spawn(|| reader.read_timeout(&mut [0; 4], short()));
        until_reads_in_flight(&reader, 1);
        let op = reader.submit_read(vec![0; 4]);
        let after = scope.spawn(|| Way::Std.read(&reader, 4).unwrap());
        assert_eq!(kind(read.join().unwrap()), ErrorKind::TimedOut);
        until_reads_in_flight(&reader, 2);
        (&writer).write_all(b"op's").unwrap();
        assert_eq!(op.wait().1, b"op's");
        (&writer).write_all(b"last").unwrap();
        assert_eq!(after.join().unwrap(), b"last");
    });
}

/// In the second place of the queue, behind an operation without a timeout.
pub(crate) fn a_timeout_counts_while_others_are_before(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let first = reader.submit_read(vec![0; 4]);
    let start = Instant::now();
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], short())), ErrorKind::TimedOut);
    assert!((short()..patience()).contains(&start.elapsed()), "{:?}", start.elapsed());
    (&writer).write_all(b"mine").unwrap();
    assert_eq!(first.wait().1, b"mine");
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
}

pub(crate) fn a_write_that_timed_out_lets_the_next_go_on(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    thread::scope(|scope| {
        let write = scope.spawn(|| writer.write_timeout(&test_data::bytes(0, 50_000), short()));
        until_writes_in_flight(&writer, 1);
        let op = writer.submit_write(vec![1; 50_000]);
        until_writes_in_flight(&writer, 2);
        let blocked = scope.spawn(|| (&writer).write(&[2; 50_000]).unwrap());
        until_writes_in_flight(&writer, 3);
        let error = write.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let mut all = vec![0; 100_000 + transferred(&error).unwrap_or(0)];
        (&reader).read_exact(&mut all).unwrap();
        let (beginning, rest) = all.split_at(all.len() - 100_000);
        test_data::check(0, beginning);
        assert!(rest[..50_000].iter().all(|byte| *byte == 1) && rest[50_000..].iter().all(|byte| *byte == 2));
        assert_eq!((op.wait().0.unwrap(), blocked.join().unwrap()), (50_000, 50_000));
    });
}

pub(crate) fn a_cancelled_write_lets_the_next_go_on(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let first = writer.submit_write(test_data::bytes(0, 50_000));
    let (second, third) = (writer.submit_write(vec![1; 50_000]), writer.submit_write(vec![2; 50_000]));
    first.cancel();
    second.cancel();
    let error = first.wait().0.unwrap_err();
    let (result, _) = second.wait();
    assert!(is_cancelled(&result));
    assert!(matches!(transferred(&result.unwrap_err()), None | Some(0)), "it was not its turn");
    let mut all = vec![0; 50_000 + transferred(&error).unwrap_or(0)];
    (&reader).read_exact(&mut all).unwrap();
    let (beginning, rest) = all.split_at(all.len() - 50_000);
    test_data::check(0, beginning);
    assert!(rest.iter().all(|byte| *byte == 2));
    assert_eq!(third.wait().0.unwrap(), 50_000);
}

pub(crate) fn the_two_directions_do_not_hold_each_other_up(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    thread::scope(|scope| {
        let read = scope.spawn(|| (&ours).read(&mut [0; 8]).unwrap());
        let write = scope.spawn(|| (&ours).write(&test_data::bytes(0, 400_000)).unwrap());
        until_reads_in_flight(&ours, 1);
        until_writes_in_flight(&ours, 1);
        // With one thread blocked in each direction, the peer drains one of them to the end.
        let mut all = vec![0; 400_000];
        (&theirs).read_exact(&mut all).unwrap();
        test_data::check(0, &all);
        assert_eq!(write.join().unwrap(), 400_000);
        assert!(!read.is_finished());
        (&theirs).write_all(b"at last").unwrap();
        assert_eq!(read.join().unwrap(), 7);
    });
}

pub(crate) fn a_busy_pipe_does_not_starve_a_quiet_one(backend: Backend) {
    let (busy_reader, busy_writer) = backend.pipe();
    let (reader, writer) = backend.pipe();
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || while (&busy_writer).write_all(&[0; 65_536]).is_ok() {});
        for _ in 0..50 {
            let busy: Vec<_> = (0..8).map(|_| busy_reader.submit_read(vec![0; 65_536])).collect();
            let op = reader.submit_read(vec![0; 1]);
            writer.submit_write("x").wait().0.unwrap();
            assert_eq!(op.wait().0.unwrap(), 1);
            drop(busy);
        }
        drop(busy_reader);
    });
    assert!(start.elapsed() < patience(), "{:?}", start.elapsed());
}

pub(crate) fn a_hundred_reads_are_filled_in_order(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let ops: Vec<_> = (0..100).map(|_| reader.submit_read(vec![0; 4])).collect();
    thread::sleep(MOMENT);
    assert!(ops.iter().all(|op| !op.is_complete()));
    for number in 0..100 {
        Way::ALL[number % 4].write(&writer, &record(number)).unwrap();
    }
    for (number, op) in ops.into_iter().enumerate() {
        gets(op, number);
    }
}

pub(crate) fn reads_of_all_kinds_share_one_queue(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let clone = reader.try_clone().unwrap();
    thread::scope(|scope| {
        let before: Vec<_> = (0..50).map(|_| reader.submit_read(vec![0; 4])).collect();
        let mut blocked = Vec::new();
        for (place, way) in [Way::Std, Way::Timeout, Way::Await].into_iter().enumerate() {
            let clone = &clone;
            blocked.push(scope.spawn(move || way.read(clone, 4).unwrap()));
            until_reads_in_flight(&reader, 51 + place);
        }
        let after: Vec<_> = (0..50).map(|_| clone.submit_read(vec![0; 4])).collect();
        for number in 0..103 {
            (&writer).write_all(&record(number)).unwrap();
        }
        for (number, op) in before.into_iter().enumerate() {
            gets(op, number);
        }
        for (number, thread) in blocked.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), record(50 + number), "a blocking read overtook, or was overtaken");
        }
        for (number, op) in after.into_iter().enumerate() {
            gets(op, 53 + number);
        }
    });
}

pub(crate) fn a_hundred_writes_go_out_in_order(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    thread::scope(|scope| {
        let ops: Vec<_> = (0..50).map(|chunk| writer.submit_write(test_data::bytes(chunk * 3000, 3000))).collect();
        // It fits; the others wait, and nothing changes any more by itself.
        soon("the first write", || ops[0].is_complete());
        let clone = writer.try_clone().unwrap();
        let before = format!("{writer:?}");
        let blocked = scope.spawn(move || (&clone).write(&test_data::bytes(150_000, 3000)).unwrap());
        soon("the blocked write's place in the queue", || format!("{writer:?}") != before);
        let more: Vec<_> = (51..100).map(|chunk| writer.submit_write(test_data::bytes(chunk * 3000, 3000))).collect();
        let mut all = vec![0; 300_000];
        (&reader).read_exact(&mut all).unwrap();
        test_data::check(0, &all);
        assert_eq!(blocked.join().unwrap(), 3000);
        assert!(ops.into_iter().chain(more).all(|op| op.wait().0.unwrap() == 3000));
    });
}

/// What the peer does must not wait for the reader of another pipe. With a pool that spends one
/// thread on each read, it would wait as soon as enough pipes are quiet (tokio-rs/tokio#5777,
/// tokio-rs/tokio#4824).
pub(crate) fn a_pipe_that_nobody_reads_does_not_delay_the_end_of_another(backend: Backend) {
    let quiet: Vec<_> = (0..100).map(|_| backend.small_pipe()).collect();
    let reads: Vec<_> = quiet.iter().map(|(reader, _)| reader.submit_read(vec![0; 10])).collect();
    let unread: Vec<_> = (0..100).map(|_| backend.small_pipe()).collect();
    let writes: Vec<_> = unread.iter().map(|(_, writer)| writer.submit_write(vec![0; 100_000])).collect();
    for round in 0..10 {
        let (reader, writer) = backend.pipe();
        let mut op = reader.submit_read(vec![0; 10]);
        let closer = thread::spawn(move || {
            (&writer).write_all(b"last").unwrap();
            thread::sleep(MOMENT / 8);
        });
        let (result, _) = op.wait_timeout(patience()).expect("the last words");
        assert_eq!(result.unwrap(), 4, "round {round}");
        let mut op = reader.submit_read(vec![0; 10]);
        assert_eq!(op.wait_timeout(patience()).expect("the end of file").0.unwrap(), 0, "round {round}");
        closer.join().unwrap();
    }
    assert!(reads.iter().chain(&writes).all(|op| !op.is_complete()), "they must be pending for this to mean something");
}

#[track_caller]
fn gets(op: Op<Vec<u8>>, number: usize) {
    let (result, buffer) = op.wait();
    assert_eq!(result.unwrap(), 4);
    assert_eq!(buffer, record(number), "out of order");
}

/// Four bytes that say which read must get them.
pub(crate) fn record(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}
