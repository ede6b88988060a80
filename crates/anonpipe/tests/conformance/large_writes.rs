//! Writes that are far larger than any pipe. On Windows they go in pieces, which must not be seen:
//! its kernel copies each write, and may have no memory for a large one (python-trio/trio#883).

use std::io::{ErrorKind, Read, Write};
use std::thread;

use anonpipe::{Overlapped, Reader};

use crate::Backend;
use crate::harness::{MOMENT, at_once, soon, until_writes_in_flight};
use crate::test_data;
use crate::transfer_ways::{Way, is_cancelled, kind, transferred};

/// Five whole pieces and a bit.
const LARGE: usize = (5 << 20) + 3;

/// Everything up to the end of file.
fn rest(mut reader: &Reader<Overlapped>) -> Vec<u8> {
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    all
}

pub(crate) fn a_large_write_comes_whole_and_in_order(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        thread::scope(|scope| {
            let reading = scope.spawn(|| rest(&reader));
            assert_eq!(way.write(&writer, &test_data::bytes(0, LARGE)).unwrap(), LARGE, "{way:?}");
            drop(writer);
            let all = reading.join().unwrap();
            test_data::check(0, &all);
            assert_eq!(all.len(), LARGE, "{way:?}");
        });
    }
}

pub(crate) fn what_is_behind_a_large_write_comes_behind_it(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut position = 0;
    let mut next = |count| {
        position += count;
        test_data::bytes(position - count, count)
    };
    let ops: Vec<_> =
        [3, LARGE, 1, 70_000, LARGE, 5].into_iter().map(|count| writer.submit_write(next(count))).collect();
    let last = next(1_500_000);
    thread::scope(|scope| {
        let blocked = scope.spawn(|| (&writer).write(&last));
        // The first one goes without a reader.
        until_writes_in_flight(&writer, 6);
        let mut all = vec![0; position];
        (&reader).read_exact(&mut all).unwrap();
        test_data::check(0, &all);
        assert_eq!(blocked.join().unwrap().unwrap(), last.len());
    });
    for op in ops {
        let (result, buffer) = op.wait();
        assert_eq!(result.unwrap(), buffer.len());
    }
}

/// Of several threads' writes each comes in one.
pub(crate) fn large_writes_of_several_threads_do_not_mix(backend: Backend) {
    const EACH: usize = (1 << 20) + 77_777;
    let (reader, writer) = backend.pipe();
    thread::scope(|scope| {
        for way in Way::ALL {
            let writer = writer.try_clone().unwrap();
            scope.spawn(move || {
                for round in 0..2 {
                    let number = 1 + round * 4 + way as u8;
                    assert_eq!(way.write(&writer, &vec![number; EACH]).unwrap(), EACH);
                }
            });
        }
        drop(writer);
        let all = rest(&reader);
        assert_eq!(all.len(), 8 * EACH);
        let mut seen: Vec<u8> = all.chunks(EACH).map(|one| one[0]).collect();
        assert!(all.chunks(EACH).zip(&seen).all(|(one, number)| one.iter().all(|byte| byte == number)), "{seen:?}");
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
    });
}

/// What came of a write that was ended, between what was read before and what was written behind.
#[track_caller]
fn check_what_came(reader: &Reader<Overlapped>, mut some: Vec<u8>, transferred: Option<usize>) {
    some.extend(rest(reader));
    assert!(some.ends_with(b"behind"), "what was behind it is lost");
    some.truncate(some.len() - 6);
    test_data::check(0, &some);
    match transferred {
        None => assert_eq!(std::env::consts::OS, "windows", "the other systems tell"),
        Some(count) => assert_eq!(some.len(), count, "the error miscounts"),
    }
    assert!(some.len() < LARGE);
}

pub(crate) fn a_cancelled_large_write_says_what_went(backend: Backend) {
    for read in [0, 10_000, (2 << 20) + 500_000] {
        let (reader, writer) = backend.pipe();
        let op = writer.submit_write(test_data::bytes(0, LARGE));
        let behind = writer.submit_write("behind");
        let mut some = vec![0; read];
        (&reader).read_exact(&mut some).unwrap();
        op.cancel();
        let (result, buffer) = op.wait();
        test_data::check(0, &buffer);
        assert!(is_cancelled(&result), "{result:?}");
        drop(writer);
        check_what_came(&reader, some, transferred(&result.unwrap_err()));
        assert_eq!(behind.wait().0.unwrap(), 6);
    }
}

/// Also those that were not begun.
pub(crate) fn cancel_all_ends_large_writes_and_what_waits_behind(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let large = writer.submit_write(test_data::bytes(0, LARGE));
    let behind = [writer.submit_write(vec![0; 10]), writer.submit_write(vec![0; LARGE])];
    thread::scope(|scope| {
        let blocked = scope.spawn(|| (&writer).write(&[0; 10]));
        until_writes_in_flight(&writer, 4);
        writer.cancel_all();
        assert!(is_cancelled(&blocked.join().unwrap()));
    });
    assert!(is_cancelled(&large.wait().0));
    assert!(behind.into_iter().all(|op| is_cancelled(&op.wait().0)));
    thread::scope(|scope| {
        scope.spawn(|| {
            (&writer).write_all(b"works").unwrap();
            drop(writer);
        });
        let all = rest(&reader);
        assert!(all.ends_with(b"works"));
        test_data::check(0, &all[..all.len() - 5]);
    });
}

/// It ends at once: no peer has to read what is before it.
pub(crate) fn what_waits_behind_a_large_write_is_cancelled_at_once(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let large = writer.submit_write(test_data::bytes(0, LARGE));
    let behind = writer.submit_write("never");
    behind.cancel();
    let (result, _) = behind.wait();
    assert!(is_cancelled(&result), "{result:?}");
    assert_eq!(kind(writer.write_timeout(b"never", MOMENT)), ErrorKind::TimedOut);
    drop(writer);
    let all = rest(&reader);
    test_data::check(0, &all);
    assert_eq!((all.len(), large.wait().0.unwrap()), (LARGE, LARGE));
}

pub(crate) fn a_large_write_timeout_says_what_went(backend: Backend) {
    for read in [0, (1 << 20) + 500_000] {
        let (reader, writer) = backend.pipe();
        let time = MOMENT * 5;
        let (some, error) = thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let (mut some, mut buffer) = (Vec::new(), vec![0; read.max(1)]);
                // Less on a slow machine.
                while some.len() < read {
                    let left = read - some.len();
                    let Ok(count) = reader.read_timeout(&mut buffer[..left], time * 2) else { break };
                    some.extend_from_slice(&buffer[..count]);
                }
                some
            });
            let error = writer.write_timeout(&test_data::bytes(0, LARGE), time).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            (reading.join().unwrap(), error)
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                (&writer).write_all(b"behind").unwrap();
                drop(writer);
            });
            check_what_came(&reader, some, transferred(&error));
        });
    }
}

pub(crate) fn a_dropped_large_write_leaves_the_rest(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let large = writer.submit_write(test_data::bytes(0, LARGE));
    let never = writer.submit_write(vec![1; LARGE]);
    let behind = writer.submit_write("behind");
    let mut some = vec![0; 1_500_000];
    (&reader).read_exact(&mut some).unwrap();
    drop(never);
    drop(large);
    drop(writer);
    some.extend(rest(&reader));
    assert_eq!(behind.wait().0.unwrap(), 6);
    assert!(some.ends_with(b"behind"));
    test_data::check(0, &some[..some.len() - 6]);
}

/// Neither their thread nor their end is needed, however many pieces there are.
pub(crate) fn detached_large_writes_outlive_their_thread_and_their_end(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let submitting = thread::spawn(move || {
        at_once(|| {
            writer.submit_write(test_data::bytes(0, LARGE)).detach();
            writer.submit_write(test_data::bytes(LARGE, LARGE)).detach();
        });
        drop(writer);
    });
    submitting.join().unwrap();
    let all = rest(&reader);
    // How often a slow machine has tried.
    for one in all.chunks(2 * LARGE) {
        test_data::check(0, one);
        assert_eq!(one.len(), 2 * LARGE);
    }
}

pub(crate) fn a_reader_that_leaves_a_large_write(backend: Backend) {
    for read in [0, 1 << 20, (2 << 20) + 500_000] {
        let (reader, writer) = backend.pipe();
        let large = writer.submit_write(test_data::bytes(0, LARGE));
        let behind = writer.submit_write("behind");
        (&reader).read_exact(&mut vec![0; read]).unwrap();
        drop(reader);
        let error = large.wait().0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(transferred(&error).is_none_or(|count| (read..LARGE).contains(&count)), "{error}");
        assert_eq!(kind(behind.wait().0), ErrorKind::BrokenPipe);
        soon("the end of all writes", || format!("{writer:?}").contains("writes_in_flight: 0"));
    }
}

/// The two directions of an end, and both at once.
pub(crate) fn large_writes_in_both_directions(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let (one, other) = (ours.submit_write(test_data::bytes(0, LARGE)), theirs.submit_write(test_data::bytes(7, LARGE)));
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut all = vec![0; LARGE];
            (&ours).read_exact(&mut all).unwrap();
            test_data::check(7, &all);
        });
        let mut all = vec![0; LARGE];
        (&theirs).read_exact(&mut all).unwrap();
        test_data::check(0, &all);
        reading.join().unwrap();
    });
    assert_eq!((one.wait().0.unwrap(), other.wait().0.unwrap()), (LARGE, LARGE));
}

/// A blocking end takes all of it in one call, as the system's own pipe does.
pub(crate) fn a_blocking_end_writes_it_in_one_call(backend: Backend) {
    let (reader, mut writer) = backend.options().client(anonpipe::End::blocking()).inbound().unwrap();
    thread::scope(|scope| {
        let reading = scope.spawn(|| rest(&reader));
        assert_eq!(writer.write(&test_data::bytes(0, LARGE)).unwrap(), LARGE);
        drop(writer);
        let all = reading.join().unwrap();
        test_data::check(0, &all);
        assert_eq!(all.len(), LARGE);
    });
}
