//! Ends and operations that are dropped with something in flight.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{ForeignBuffer, Overlapped, Reader};

use crate::Backend;
use crate::harness::{MOMENT, at_once, patience, rounds, soon, until_reads_in_flight};
use crate::system::Handle;
use crate::test_data::{self, Random};
use crate::transfer_ways::{Way, check_abort, is_cancelled};

pub(crate) fn a_dropped_end_cancels_its_reads(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let ops: Vec<_> = (0..5).map(|_| reader.submit_read(vec![0; 10])).collect();
    drop(reader);
    for op in ops {
        let (result, buffer) = op.wait();
        assert!(is_cancelled(&result), "{result:?}");
        assert_eq!(buffer.len(), 10);
    }
    // And with its last operation the end is closed.
    soon("the writer's news", || (&writer).write(b"x").is_err());
}

pub(crate) fn a_clone_keeps_reads_alive(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let clone = reader.try_clone().unwrap();
    let op = reader.submit_read(vec![0; 10]);
    drop(reader);
    thread::sleep(MOMENT);
    assert!(!op.is_complete());
    (&writer).write_all(b"for it").unwrap();
    assert_eq!(op.wait().0.unwrap(), 6);
    drop(clone);
}

pub(crate) fn a_dropped_operation_leaves_the_rest(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut ops: Vec<_> = (0..10).map(|_| Some(reader.submit_read(vec![0; 1]))).collect();
    for op in ops.iter_mut().step_by(2) {
        drop(op.take());
    }
    until_reads_in_flight(&reader, 5);
    (&writer).write_all(b"abcde").unwrap();
    let found: Vec<u8> = ops.into_iter().flatten().map(|op| op.wait().1[0]).collect();
    assert_eq!(found, b"abcde");
}

pub(crate) fn dropping_never_blocks(backend: Backend) {
    at_once(|| {
        let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let reads: Vec<_> = (0..10).map(|_| ours.submit_read(vec![0; 10])).collect();
        let writes: Vec<_> = (0..10).map(|_| ours.submit_write(vec![0; 300_000])).collect();
        ours.submit_write(vec![0; 300_000]).detach();
        drop(reads);
        drop(ours);
        drop(writes);
        drop(theirs);
    });
}

pub(crate) fn accepted_writes_arrive_after_the_end_is_gone(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    for chunk in 0..5 {
        writer.submit_write(test_data::bytes(chunk * 60_000, 60_000)).detach();
    }
    let held = writer.submit_write(test_data::bytes(300_000, 60_000));
    drop(writer);
    thread::sleep(MOMENT);
    let mut all = Vec::new();
    (&reader).read_to_end(&mut all).unwrap();
    test_data::check(0, &all);
    assert_eq!(all.len(), 360_000);
    assert_eq!(held.wait().0.unwrap(), 60_000);
}

/// As soon as they are submitted: neither their thread nor their end is needed any more.
pub(crate) fn detached_writes_outlive_their_thread(backend: Backend) {
    for round in 0..rounds(600) {
        let (reader, writer) = backend.pipe();
        let submitter = thread::spawn(move || {
            for chunk in 0..4 {
                writer.submit_write(test_data::bytes(chunk * 20_000, 20_000)).detach();
            }
        });
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 80_000, "round {round}");
        test_data::check(0, &all);
        submitter.join().unwrap();
    }
}

pub(crate) fn a_detached_read_takes_its_bytes(backend: Backend) {
    let (reader, writer) = backend.pipe();
    reader.submit_read(vec![0; 3]).detach();
    (&writer).write_all(b"onetwo").unwrap();
    assert_eq!(Way::Std.read(&reader, 10).unwrap(), b"two");
}

pub(crate) fn the_last_reading_half_cancels(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let (reader, writer) = ours.split();
    let clone = reader.try_clone().unwrap();
    let op = reader.submit_read(vec![0; 10]);
    drop(reader);
    thread::sleep(MOMENT);
    assert!(!op.is_complete());
    drop(clone);
    assert!(is_cancelled(&op.wait().0), "nobody is left to read, though somebody is left to write");
    (&writer).write_all(b"works").unwrap();
    assert_eq!(theirs.submit_read(vec![0; 10]).wait().0.unwrap(), 5);
    drop(writer);
    assert_eq!((&theirs).read(&mut [0; 10]).unwrap(), 0);
}

/// It only has to end without a crash or a hang, and with no bytes where they do not belong.
pub(crate) fn dropping_in_flight_in_every_order(backend: Backend) {
    for round in 0..60 {
        let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let mut things: Vec<Box<dyn FnOnce()>> = Vec::new();
        let reads: Vec<_> = (0..3).map(|_| ours.submit_read(vec![0; 4000])).collect();
        let writes: Vec<_> = (0..3).map(|_| ours.submit_write(vec![1; 40_000])).collect();
        let peers: Vec<_> = (0..3).map(|_| theirs.submit_read(vec![0; 4000])).collect();
        let partial = theirs.submit_write(vec![2; 10_000]);
        things.push(Box::new(move || drop(reads)));
        things.push(Box::new(move || drop(writes)));
        things.push(Box::new(move || drop(ours)));
        things.push(Box::new(move || drop(theirs)));
        things.push(Box::new(move || {
            for op in peers {
                let (result, buffer) = op.wait();
                assert!(result.is_err() || buffer[..result.unwrap()].iter().all(|byte| *byte == 1));
            }
        }));
        things.push(Box::new(move || drop(partial)));
        let mut random = Random::new(round);
        // The peer's reads end when they are filled or when either end goes, so that one comes
        // last.
        let waiting = things.remove(4);
        while !things.is_empty() {
            things.swap_remove(random.below(things.len()))();
        }
        waiting();
    }
}

/// An operation that is dropped may have taken its bytes; what the others get is still in order,
/// and whole.
pub(crate) fn dropped_operations_racing_with_data_keep_the_order(backend: Backend) {
    const RECORDS: u32 = 20_000;
    let (reader, writer) = backend.small_pipe();
    thread::scope(|scope| {
        scope.spawn(move || {
            for first in (0..RECORDS).step_by(20) {
                let bytes: Vec<u8> = (first..first + 20).flat_map(u32::to_le_bytes).collect();
                (&writer).write_all(&bytes).unwrap();
            }
        });
        let mut random = Random::new(71);
        let mut next = 0;
        loop {
            let dropped = reader.submit_read(vec![0; 4 * (1 + random.below(10))]);
            let op = reader.submit_read(vec![0; 4 * (1 + random.below(50))]);
            for _ in 0..random.below(100) {
                std::hint::spin_loop();
            }
            drop(dropped);
            let (result, buffer) = op.wait();
            let bytes = &buffer[..result.unwrap()];
            if bytes.is_empty() {
                break;
            }
            for record in bytes.chunks(4) {
                let record = u32::from_le_bytes(record.try_into().expect("a whole record"));
                assert!((next..RECORDS).contains(&record), "{record} came after {next}");
                next = record + 1;
            }
        }
    });
}

/// A queue that was searched from its front alone would take quadratic time for one of the orders:
/// a thousand times what it takes to submit them. It is three times that.
pub(crate) fn many_operations_are_dropped_in_no_time(backend: Backend) {
    let (reader, _writer) = backend.pipe();
    let many = if cfg!(windows) { 2_000 } else { 30_000 };
    for backwards in [false, true] {
        let began = Instant::now();
        let mut reads: Vec<_> = (0..many).map(|_| reader.submit_read(vec![0; 1])).collect();
        // Where the driver's thread issues them: until it has come to the last.
        let last = reader.submit_read(vec![0; 1]);
        last.cancel();
        assert!(is_cancelled(&last.wait().0));
        if backwards {
            reads.reverse();
        }
        let submitting = began.elapsed();
        let began = Instant::now();
        drop(reads);
        let dropping = began.elapsed();
        assert!(dropping < submitting * 50, "backwards: {backwards}, {dropping:?} after {submitting:?}");
    }
}

/// A caller who closes an end while it is read has not met the end of what the peer says, and a
/// record that was cut off is not whole (python-trio/trio#341, python-trio/trio#661;
/// microsoft/go-winio#95 asks for the opposite).
///
/// On Windows, closing the handle under a read completes it as the peer's close does.
pub(crate) fn our_own_close_is_no_end_of_file(backend: Backend) {
    let mut random = Random::new(81);
    for round in 0..60 {
        let (reader, _writer) = backend.pipe();
        let op = reader.submit_read(vec![0; 10]);
        let closer = thread::spawn({
            let spins = random.below(3000);
            move || {
                (0..spins).for_each(|_| std::hint::spin_loop());
                drop(reader);
            }
        });
        let (result, _) = if round % 2 == 0 { op.wait() } else { pollster::block_on(op) };
        check_abort(result);
        closer.join().unwrap();
    }
    // All of it but the operations, at once.
    let (ours, theirs) = backend.duplex();
    let ops: Vec<_> = (0..5).map(|_| ours.submit_read(vec![0; 10])).collect();
    let (reader, writer) = ours.split();
    let clone = writer.try_clone().unwrap();
    drop((writer, clone, reader));
    for op in ops {
        check_abort(op.wait().0);
    }
    drop(theirs);

    // A read that goes on: another handle, or another direction, was closed.
    let (ours, theirs) = backend.duplex();
    let op = ours.submit_read(vec![0; 10]);
    let (reader, writer) = ours.split();
    let clone = reader.try_clone().unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| Way::Std.read(&reader, 10));
        until_reads_in_flight(&reader, 2);
        drop((clone, writer));
        thread::sleep(MOMENT);
        assert!(!op.is_complete() && !blocked.is_finished(), "a handle that was not the last");
        (&theirs).write_all(b"first").unwrap();
        assert_eq!(op.wait().0.unwrap(), 5);
        (&theirs).write_all(b"second").unwrap();
        assert_eq!(blocked.join().unwrap().unwrap(), b"second");
    });
}

/// A read that was dropped is over for its owner, not for the system: a conversion that comes right
/// after it either is refused, or nothing writes to the memory any more (tokio-rs/mio#1967,
/// tokio-rs/mio#2004).
pub(crate) fn nothing_writes_to_a_dropped_reads_memory_after_a_conversion(backend: Backend) {
    for round in 0..60 {
        let (reader, writer) = backend.pipe();
        // Ours all along, so that it can be looked at afterwards.
        let memory = Box::into_raw(Box::new([5_u8; 4096]));
        let end: Result<Handle, _> = {
            #[allow(unsafe_code, reason = "only with memory of our own can be seen who writes to it")]
            // SAFETY: initialised; it is not read before the operation is over, and it is never
            // freed.
            let buffer = unsafe { ForeignBuffer::new(memory.cast(), 4096) };
            drop(reader.submit_read(buffer));
            reader.try_into()
        };
        let reader: Reader<Overlapped> = match end {
            Ok(handle) => handle.try_into().unwrap(),
            Err(failed) => {
                let expected = [ErrorKind::ResourceBusy, ErrorKind::Unsupported];
                assert!(expected.contains(&failed.error().kind()), "round {round}: {failed}");
                let reader = failed.into_inner();
                soon("the dropped read is over", || format!("{reader:?}").contains("reads_in_flight: 0"));
                reader
            }
        };
        (&writer).write_all(&[7; 100]).unwrap();
        // Time for a stray read that might take them.
        thread::sleep(Duration::from_millis(1));
        assert_eq!(reader.read_timeout(&mut [0; 4096], patience()).expect("bytes that went elsewhere"), 100);
        #[allow(unsafe_code, reason = "see above")]
        // SAFETY: allocated above, and not freed; the operation is over.
        let memory = unsafe { &*memory };
        assert!(memory.iter().all(|byte| *byte == 5), "round {round}: the system wrote to it after the conversion");
    }
}
