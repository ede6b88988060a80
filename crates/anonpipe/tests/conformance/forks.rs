//! Processes that fork and do not execute a program. The child has copies of its parent's ends,
//! operations and locks, but none of its threads.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use anonpipe::{Op, Reader, Writer, wait_any};

use crate::Backend;
use crate::system::{Handle, exit, fork};
use crate::transfer_ways::{LONG, kind};

/// Forks, and has the child call `check`: it must be done, without a panic, before the alarm ends
/// it.
fn in_a_child(what: &str, check: impl FnOnce()) {
    match fork() {
        None => exit(catch_unwind(AssertUnwindSafe(check)).is_ok()),
        Some(child) => assert!(child.succeeded(), "{what}: the child failed, or hung"),
    }
}

#[track_caller]
fn is_the_parents(outcome: (std::io::Result<usize>, Vec<u8>), length: usize) {
    assert_eq!(kind(outcome.0), ErrorKind::Unsupported);
    assert_eq!(outcome.1.len(), length, "the buffer comes back");
}

/// The operation goes on in the parent. A wait for it in the child ends at once.
pub(crate) fn an_operation_that_came_along_is_waited_for_in_no_time(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let op = || reader.submit_read(vec![0; 7]);
    let mut ops: Vec<Option<Op<Vec<u8>>>> = (0..8).map(|_| Some(op())).collect();
    let complete = backend.pipe();
    (&complete.1).write_all(b"before").unwrap();
    let mut before = Some(complete.0.submit_read(vec![0; 6]));
    in_a_child("operations", || {
        let mut next = || ops.iter_mut().find_map(Option::take).unwrap();
        is_the_parents(next().wait(), 7);
        is_the_parents(next().wait_timeout(LONG).unwrap(), 7);
        is_the_parents(pollster::block_on(next()), 7);
        next().cancel();
        next().detach();
        drop(next());
        let (one, other) = (next(), next());
        assert!(one.is_complete(), "it says so, because waiting for it does not block");
        assert_eq!(wait_any(&[&one, &other], None), Some(0));
        assert!(format!("{one:?}").contains("left in the parent"), "{one:?}");
        // An outcome from before the fork is still there.
        assert_eq!(before.take().unwrap().wait().1, b"before");
    });
    for op in ops.iter_mut().filter_map(Option::take) {
        (&writer).write_all(b"parents").unwrap();
        assert_eq!(op.wait().1, b"parents");
    }
}

/// The parent's threads may be doing anything then, and may hold any of their locks.
pub(crate) fn a_fork_amid_operations_hangs_nowhere(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let done = Arc::new(AtomicBool::new(false));
    let busy = thread::spawn({
        let (reader, writer, done) = (Arc::clone(&reader), Arc::clone(&writer), Arc::clone(&done));
        move || keep_busy(&reader, &writer, &done)
    });
    for round in 0..60 {
        let (quiet, _writer) = backend.pipe();
        let waiting: Vec<_> = (0..4).map(|_| quiet.submit_read(vec![0; 3])).collect();
        let clone = reader.try_clone().unwrap();
        in_a_child("amid operations", move || {
            // The child makes a driver of its own, although the parent's may be just being made.
            let (own_reader, own_writer) = backend.pipe();
            let read = own_reader.submit_read(vec![0; 5]);
            own_writer.submit_write("child").wait().0.unwrap();
            assert_eq!(read.wait().1, b"child");
            clone.cancel_all();
            let _ = format!("{clone:?}");
            drop(clone);
            for (number, op) in waiting.into_iter().enumerate() {
                match (number + round) % 4 {
                    0 => op.cancel(),
                    1 => is_the_parents(op.wait(), 3),
                    2 => drop(op),
                    _ => op.detach(),
                }
            }
            drop(quiet);
        });
    }
    done.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}

/// The parent's driver is in the middle of the very write that the child waits for.
pub(crate) fn a_fork_amid_a_write_hangs_no_wait(backend: Backend) {
    for round in 0..200 {
        let (reader, writer) = backend.pipe();
        let drain = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while (&reader).read(&mut buffer).is_ok_and(|count| count > 0) {}
        });
        let mut write = Some(writer.submit_write(vec![1; 16 << 20]));
        thread::sleep(Duration::from_micros(100 * (round % 20)));
        in_a_child("amid a write", || {
            let (outcome, buffer) = write.take().unwrap().wait();
            assert_eq!(buffer.len(), 16 << 20);
            let _ = outcome;
        });
        drop(write);
        drop(writer);
        drain.join().unwrap();
    }
}

fn keep_busy(reader: &Reader<anonpipe::Overlapped>, writer: &Writer<anonpipe::Overlapped>, done: &AtomicBool) {
    let mut writer = writer;
    while !done.load(Ordering::Relaxed) {
        let mut read = reader.submit_read(vec![0; 1]);
        let _ = Pin::new(&mut read).poll(&mut Context::from_waker(Waker::noop()));
        writer.write_all(b"x").unwrap();
        read.wait().0.unwrap();
    }
}

/// An end that came along is refused, and says how it can be used after all: as a descriptor.
pub(crate) fn an_end_that_came_along_is_refused_or_converted(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let pending = reader.submit_read(vec![0; 2]);
    let mut ends = Some((reader, writer, pending));
    let mut convertible = Some(backend.pipe());
    in_a_child("ends", || {
        let (reader, writer, pending) = ends.take().unwrap();
        assert_eq!(kind((&reader).read(&mut [0; 1])), ErrorKind::Unsupported);
        assert_eq!(kind(reader.read_timeout(&mut [0; 1], LONG)), ErrorKind::Unsupported);
        assert_eq!(kind((&writer).write(b"x")), ErrorKind::Unsupported);
        is_the_parents(reader.submit_read(vec![0; 5]).wait(), 5);
        is_the_parents(writer.submit_write(vec![0; 5]).wait(), 5);
        assert_eq!(kind(reader.attach(&anonpipe::Driver::new().unwrap())), ErrorKind::Unsupported);
        drop(pending);
        drop((reader, writer));
        let (reader, writer) = convertible.take().unwrap();
        let writer = Writer::<anonpipe::Overlapped>::try_from(Handle::try_from(writer).unwrap()).unwrap();
        let reader = Reader::<anonpipe::Overlapped>::try_from(Handle::try_from(reader).unwrap()).unwrap();
        let read = reader.submit_read(vec![0; 2]);
        writer.submit_write("ok").wait().0.unwrap();
        assert_eq!(read.wait().1, b"ok");
    });
    // The parent's ends are as before.
    let (_reader, writer, pending) = ends.unwrap();
    writer.submit_write("go").wait().0.unwrap();
    assert_eq!(pending.wait().1, b"go");
}

/// The driver's poller belongs to the parent. In the child a future that needs none runs to its
/// end, and `notify` does nothing.
pub(crate) fn a_driver_that_came_along_hangs_nowhere(backend: Backend) {
    let driver = anonpipe::Driver::new().unwrap();
    let (reader, _writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let mut op = Some(reader.submit_read(vec![0; 4]));
    thread::scope(|scope| {
        // This thread holds the turn all the time.
        scope.spawn(|| driver.turn(None).unwrap());
        thread::sleep(crate::harness::MOMENT);
        in_a_child("a driver", || {
            driver.notify();
            assert_eq!(kind(driver.turn(Some(Duration::ZERO))), ErrorKind::Unsupported);
            let mut polls = 0;
            driver.block_on(std::future::poll_fn(|context| {
                polls += 1;
                context.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            }));
            is_the_parents(op.take().unwrap().wait(), 4);
        });
        driver.notify();
    });
}

/// A child that drops its copy of an end closes the descriptor, even if the parent has operations
/// in flight there: otherwise the peer would not see the end of file before the child ends.
pub(crate) fn an_end_dropped_in_a_child_is_closed_there(backend: Backend) {
    type Op = anonpipe::Op<Vec<u8>>;
    let let_go: [fn(Op, Writer<anonpipe::Overlapped>); 5] = [
        |op, writer| drop((op, writer)),
        |op, writer| drop((writer, op)),
        |op, writer| {
            op.detach();
            drop(writer);
        },
        |op, writer| {
            is_the_parents(op.wait(), 200_000);
            drop(writer);
        },
        |op, writer| {
            drop(writer.try_clone().unwrap());
            let (reader, writer) = (writer.try_clone().unwrap(), writer);
            drop((writer, reader));
            op.cancel();
        },
    ];
    for (number, let_go) in let_go.into_iter().enumerate() {
        let (mut reader, writer) = backend.pipe();
        let op = writer.submit_write(vec![7; 200_000]);
        let (stay, leave) = std::io::pipe().unwrap();
        match fork() {
            None => {
                drop(leave);
                let_go(op, writer);
                // Until the parent has seen the end of file.
                let mut stay = stay;
                exit(stay.read(&mut [0; 1]).is_ok());
            }
            Some(child) => {
                let seen = thread::scope(|scope| {
                    let read = scope.spawn(|| {
                        let mut bytes = Vec::new();
                        reader.read_to_end(&mut bytes).map(|_| bytes.len())
                    });
                    drop(writer);
                    let written = op.wait().0.unwrap();
                    crate::harness::soon("the end of file", || read.is_finished());
                    (written, read.join().unwrap().unwrap())
                });
                assert_eq!(seen, (200_000, 200_000), "way {number}");
                drop(leave);
                assert!(child.succeeded());
            }
        }
    }
}

/// The future itself forks, and goes on in the child.
pub(crate) fn a_future_that_forks_goes_on(backend: Backend) {
    let driver = anonpipe::Driver::new().unwrap();
    let succeeded = driver.block_on(async {
        match fork() {
            None => {
                let (reader, writer) = backend.pipe();
                let writes = thread::spawn(move || {
                    thread::sleep(crate::harness::MOMENT);
                    (&writer).write_all(b"child").unwrap();
                });
                let read = reader.submit_read(vec![0; 5]).await.1;
                writes.join().unwrap();
                exit(read == b"child")
            }
            Some(child) => child.succeeded(),
        }
    });
    assert!(succeeded, "the child's future hung");
}

/// The locks of the parent's threads are held for ever in the child.
pub(crate) fn a_fork_amid_operations_can_close_its_ends(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let done = Arc::new(AtomicBool::new(false));
    let busy = thread::spawn({
        let (reader, writer, done) = (Arc::clone(&reader), Arc::clone(&writer), Arc::clone(&done));
        move || {
            while !done.load(Ordering::Relaxed) {
                let read = reader.submit_read(vec![0; 1]);
                (&*writer).write_all(b"x").unwrap();
                read.wait().0.unwrap();
            }
        }
    });
    for _ in 0..40 {
        let clones = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        match fork() {
            None => {
                reader.cancel_all();
                drop(clones);
                exit(true);
            }
            Some(child) => assert!(child.succeeded(), "a child could not let go of its copies"),
        }
        drop(clones);
    }
    done.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}
