//! Cancelling, and running out of time: nothing is lost, and what happened is told.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Overlapped, Reader};

use crate::Backend;
use crate::harness::{MOMENT, soon, until_reads_in_flight, until_writes_in_flight};
use crate::test_data::{self, Random};
use crate::transfer_ways::{LONG, Way, check_abort, is_cancelled, kind, transferred};

/// Everything up to the end of file.
fn rest(mut reader: &Reader<Overlapped>) -> Vec<u8> {
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    all
}

pub(crate) fn a_cancelled_read_takes_nothing(backend: Backend) {
    let (reader, writer) = backend.pipe();
    for _ in 0..3 {
        let op = reader.submit_read(vec![5; 10]);
        op.cancel();
        op.cancel();
        let (result, buffer) = op.wait();
        assert!(is_cancelled(&result), "{result:?}");
        let error = result.unwrap_err();
        assert_eq!(transferred(&error), Some(0));
        assert_ne!(error.kind(), ErrorKind::TimedOut);
        assert_ne!(error.kind(), ErrorKind::Interrupted, "read_exact would try again for ever");
        assert_eq!(buffer, [5; 10]);
    }
    writer.submit_write("kept").wait().0.unwrap();
    assert_eq!(Way::Submit.read(&reader, 10).unwrap(), b"kept");
}

pub(crate) fn a_cancelled_read_leaves_the_others_in_order(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut ops: Vec<_> = (0..9).map(|_| Some(reader.submit_read(vec![0; 1]))).collect();
    for index in [0, 4, 8] {
        let op = ops[index].take().unwrap();
        op.cancel();
        assert!(is_cancelled(&op.wait().0), "read {index}");
    }
    (&writer).write_all(b"012345").unwrap();
    let found: Vec<u8> = ops
        .into_iter()
        .flatten()
        .map(|op| {
            let (result, buffer) = op.wait();
            assert_eq!(result.unwrap(), 1);
            buffer[0]
        })
        .collect();
    assert_eq!(found, b"012345");
}

pub(crate) fn a_cancel_that_came_too_late_changes_nothing(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let op = reader.submit_read(vec![0; 10]);
    (&writer).write_all(b"first").unwrap();
    soon("the read", || op.is_complete());
    op.cancel();
    reader.cancel_all();
    let (result, buffer) = op.wait();
    assert_eq!(&buffer[..result.expect("the real result")], b"first");
    let op = writer.submit_write("done");
    soon("the write", || op.is_complete());
    op.cancel();
    writer.cancel_all();
    assert_eq!(op.wait().0.expect("the real result"), 4);
    assert_eq!(Way::Std.read(&reader, 10).unwrap(), b"done");
}

pub(crate) fn a_read_timeout_takes_nothing(backend: Backend) {
    let (reader, writer) = backend.pipe();
    for _ in 0..3 {
        let start = Instant::now();
        let error = reader.read_timeout(&mut [0; 10], MOMENT).unwrap_err();
        assert!(start.elapsed() >= MOMENT);
        assert_eq!((error.kind(), transferred(&error)), (ErrorKind::TimedOut, Some(0)));
    }
    (&writer).write_all(b"kept").unwrap();
    let mut buffer = [0; 10];
    assert_eq!(reader.read_timeout(&mut buffer, LONG).unwrap(), 4);
    assert_eq!(&buffer[..4], b"kept");
    drop(writer);
    assert_eq!(reader.read_timeout(&mut buffer, LONG).unwrap(), 0);
}

/// The peer finds a beginning of what was to be written, as long as the error says, if it says so.
#[track_caller]
fn check_remains(found: &[u8], error: &std::io::Error) {
    test_data::check(0, found);
    match transferred(error) {
        None => assert_eq!(std::env::consts::OS, "windows", "everybody else knows"),
        Some(count) => assert_eq!(found.len(), count, "the error miscounts"),
    }
}

pub(crate) fn a_write_timeout_says_what_went(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let start = Instant::now();
    let error = writer.write_timeout(&test_data::bytes(0, 100_000), MOMENT).unwrap_err();
    assert!(start.elapsed() >= MOMENT);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(transferred(&error).is_some(), cfg!(unix), "{error:?}");
    drop(writer);
    check_remains(&rest(&reader), &error);

    // Full to the brim: nothing goes. And what fits goes at once.
    let (reader, writer) = backend.options().capacity(4096).inbound().unwrap();
    let fits = if cfg!(unix) { reader.info().unwrap().capacity.unwrap_or(4096) } else { 4096 };
    writer.write_timeout(&vec![1; fits], Duration::ZERO).unwrap();
    if cfg!(any(windows, target_os = "linux")) {
        let error = writer.write_timeout(&[2; 10], MOMENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(transferred(&error), if cfg!(unix) { Some(0) } else { None });
    }
}

pub(crate) fn a_cancelled_write_says_what_went(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let op = writer.submit_write(test_data::bytes(0, 100_000));
    let mut some = vec![0; 20_000];
    (&reader).read_exact(&mut some).unwrap();
    op.cancel();
    let (result, buffer) = op.wait();
    test_data::check(0, &buffer);
    assert!(is_cancelled(&result), "{result:?}");
    let error = result.unwrap_err();
    drop(writer);
    some.extend(rest(&reader));
    check_remains(&some, &error);
}

pub(crate) fn extreme_timeouts(backend: Backend) {
    let (reader, writer) = backend.pipe();
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], Duration::ZERO)), ErrorKind::TimedOut);
    writer.write_timeout(b"ab", Duration::ZERO).expect("there is room");
    assert_eq!(reader.read_timeout(&mut [0; 1], Duration::ZERO).expect("there is data"), 1);
    assert_eq!(reader.read_timeout(&mut [0; 4], Duration::MAX).unwrap(), 1);
    // The other one is beyond 2^31 milliseconds, which some systems refuse.
    const MONTH: Duration = Duration::from_secs(31 * 24 * 60 * 60);
    let reader = &reader;
    thread::scope(|scope| {
        for timeout in [Duration::MAX, MONTH] {
            let read = scope.spawn(move || reader.read_timeout(&mut [0; 4], timeout));
            until_reads_in_flight(&reader, 1);
            assert!(!read.is_finished());
            (&writer).write_all(b"c").unwrap();
            assert_eq!(read.join().unwrap().unwrap(), 1);
        }
        let mut op = reader.submit_read(vec![0; 4]);
        writer.write_timeout(b"d", Duration::MAX).unwrap();
        assert_eq!(op.wait_timeout(Duration::MAX).expect("no limit").0.unwrap(), 1);
    });
}

/// Reads a stream that arrives in pieces through `attempt`, which often fails without having taken
/// anything.
fn race(backend: Backend, mut attempt: impl FnMut(&Reader<Overlapped>, &mut Random) -> Option<Vec<u8>>) {
    const TOTAL: usize = 200_000;
    let (reader, writer) = backend.small_pipe();
    let failed = AtomicUsize::new(0);
    thread::scope(|scope| {
        let failed = &failed;
        scope.spawn(move || {
            let mut random = Random::new(61);
            let mut position = 0;
            for count in 1.. {
                if position == TOTAL {
                    break;
                }
                // On a busy machine the reader is slow, and would find bytes at each attempt.
                if count % 16 == 0 {
                    let before = failed.load(Ordering::Relaxed);
                    soon("an attempt that fails", || failed.load(Ordering::Relaxed) > before);
                }
                let chunk = (1 + random.below(300)).min(TOTAL - position);
                Way::ALL[random.below(4)].write(&writer, &test_data::bytes(position, chunk)).unwrap();
                position += chunk;
                if random.below(2) == 0 {
                    thread::sleep(Duration::from_micros(random.below(1500) as u64));
                }
            }
        });
        let mut random = Random::new(62);
        let (mut position, mut succeeded) = (0, 0);
        loop {
            match attempt(&reader, &mut random) {
                None => _ = failed.fetch_add(1, Ordering::Relaxed),
                Some(bytes) if bytes.is_empty() => break,
                Some(bytes) => {
                    test_data::check(position, &bytes);
                    position += bytes.len();
                    succeeded += 1;
                }
            }
        }
        assert_eq!(position, TOTAL, "bytes were lost");
        let failed = failed.load(Ordering::Relaxed);
        assert!(failed > 20 && succeeded > 20, "no race: {failed} failed, {succeeded} succeeded");
    });
}

pub(crate) fn cancels_racing_with_data_lose_nothing(backend: Backend) {
    race(backend, |reader, random| {
        let op = reader.submit_read(vec![0; 1 + random.below(500)]);
        for _ in 0..random.below(200) {
            std::hint::spin_loop();
        }
        op.cancel();
        let (result, mut buffer) = op.wait();
        if is_cancelled(&result) {
            return None;
        }
        buffer.truncate(result.expect("cancelled or the real result"));
        Some(buffer)
    });
}

pub(crate) fn timeouts_racing_with_data_lose_nothing(backend: Backend) {
    race(backend, |reader, random| {
        let mut buffer = vec![0; 1 + random.below(500)];
        match reader.read_timeout(&mut buffer, Duration::from_micros(random.below(1200) as u64)) {
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            result => {
                buffer.truncate(result.unwrap());
                Some(buffer)
            }
        }
    });
}

pub(crate) fn cancel_all_wakes_a_thread_that_reads_a_clone(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let clone = reader.try_clone().unwrap();
    for way in Way::ALL {
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&clone, 10).map(|bytes| bytes.len()));
            until_reads_in_flight(&reader, 1);
            assert!(!read.is_finished());
            reader.cancel_all();
            let result = read.join().unwrap();
            assert!(is_cancelled(&result), "{way:?}: {result:?}");
        });
        // It was that one read, not the end.
        (&writer).write_all(b"on").unwrap();
        assert_eq!(way.read(&clone, 10).unwrap(), b"on", "{way:?}");
    }
}

pub(crate) fn cancel_all_wakes_a_thread_that_writes(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.small_pipe();
        let clone = writer.try_clone().unwrap();
        let error = thread::scope(|scope| {
            let write = scope.spawn(|| way.write(&clone, &test_data::bytes(0, 100_000)));
            until_writes_in_flight(&writer, 1);
            assert!(!write.is_finished());
            writer.cancel_all();
            let result = write.join().unwrap();
            assert!(is_cancelled(&result), "{way:?}: {result:?}");
            result.unwrap_err()
        });
        drop((writer, clone));
        check_remains(&rest(&reader), &error);
    }
}

pub(crate) fn cancel_all_ends_every_operation(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let clone = ours.try_clone().unwrap();
    let reads: Vec<_> = (0..10).map(|_| ours.submit_read(vec![0; 10])).collect();
    let writes: Vec<_> = (0..10).map(|_| clone.submit_write(vec![0; 300_000])).collect();
    ours.cancel_all();
    for op in reads.into_iter().chain(writes) {
        let (result, _) = op.wait();
        assert!(is_cancelled(&result), "{result:?}");
    }
    (&theirs).write_all(b"alive").unwrap();
    assert_eq!(ours.submit_read(vec![0; 10]).wait().0.unwrap(), 5);
}

pub(crate) fn cancel_all_of_a_half_spares_the_other(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let (reader, writer) = ours.split();
    let (read, write) = (reader.submit_read(vec![0; 10]), writer.submit_write(vec![0; 300_000]));
    writer.cancel_all();
    assert!(is_cancelled(&write.wait().0));
    thread::sleep(MOMENT);
    assert!(!read.is_complete(), "the reading half's");
    (&theirs).write_all(b"alive").unwrap();
    assert_eq!(read.wait().0.unwrap(), 5);
}

/// The system's code for an aborted operation is a timeout to std, so code that retries timeouts
/// retries what was ended on purpose (rust-lang/rust#71756, gyldlab/keld#97).
pub(crate) fn an_abort_is_no_timeout(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&reader, 10));
            until_reads_in_flight(&reader, 1);
            reader.cancel_all();
            check_abort(read.join().unwrap());
            let write = scope.spawn(|| way.write(&writer, &[0; 100_000]));
            until_writes_in_flight(&writer, 1);
            writer.cancel_all();
            check_abort(write.join().unwrap());
        });
    }
    let ((reader, _writer), (_reader, writer)) = (backend.pipe(), backend.small_pipe());
    let (read, write) = (reader.submit_read(vec![0; 10]), writer.submit_write(vec![0; 100_000]));
    read.cancel();
    write.cancel();
    check_abort(read.wait().0);
    check_abort(write.wait().0);
    let (reader, _writer) = backend.pipe();
    let read = reader.submit_read(vec![0; 10]);
    drop(reader);
    check_abort(read.wait().0);

    // And the other way round.
    let (reader, _writer) = backend.pipe();
    let result = reader.read_timeout(&mut [0; 10], MOMENT);
    assert!(!is_cancelled(&result));
    assert_eq!(kind(result), ErrorKind::TimedOut);
}
