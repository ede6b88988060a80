//! A process that forks goes on as before: what its child does with the copies changes nothing.

#[cfg(all(feature = "tokio", feature = "futures-io"))]
use std::io::ErrorKind;
use std::io::{Read, Write};
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use std::task::Poll;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use std::thread;

use crate::Backend;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::executors::{Executor, Family, current_thread};
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::harness::MOMENT;
use crate::system::{exit, fork};
use crate::transfer_ways::LONG;

/// The child has copies of the parent's ends and operations, and of the driver's poller, but not of
/// its thread.
pub(crate) fn a_fork_leaves_the_parents_operations_alone(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let read = reader.submit_read(vec![0; 6]);
    let (mut read, reader) = match fork() {
        None => {
            drop((read, reader));
            // Pairs that are made here work.
            let (reader, writer) = backend.pipe();
            let read = reader.submit_read(vec![0; 5]);
            let written = writer.submit_write("child").wait().0;
            exit(written.is_ok() && read.wait().1 == b"child");
        }
        Some(child) => {
            assert!(child.succeeded(), "the child's own pair does not work");
            (read, reader)
        }
    };
    writer.submit_write("parent").wait().0.unwrap();
    let (count, buffer) = read.wait_timeout(LONG).expect("the child took the parent's notifications");
    assert_eq!((count.unwrap(), &buffer[..]), (6, &b"parent"[..]));
    drop(reader);
}

/// A child that drops its copy of a duplex end with a write in flight leaves the parent's reading
/// as it was.
pub(crate) fn a_forked_copy_dropped_in_mid_write_leaves_the_parent_reading(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let write = ours.submit_write(vec![7; 3_000_000]);
    let (ours, write) = match fork() {
        None => {
            drop(ours);
            drop(write);
            exit(true);
        }
        Some(child) => {
            assert!(child.succeeded());
            (ours, write)
        }
    };
    (&theirs).write_all(b"still heard").unwrap();
    assert_eq!((&ours).read(&mut [0; 20]).unwrap(), 11);
    let mut rest = vec![0; 3_000_000];
    (&theirs).read_exact(&mut rest).unwrap();
    assert_eq!(write.wait().0.unwrap(), 3_000_000);
}

/// The child has copies of ends for which the parent's runtime and the parent's own driver wait,
/// and drops them.
#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn a_fork_leaves_the_parents_tasks_alone(backend: Backend) {
    let runtime = current_thread();
    let driver = anonpipe::Driver::new().unwrap();
    let (mut reader, writer) = backend.pipe();
    let (mut attached, attached_writer) = backend.pipe();
    attached.attach(&driver).unwrap();
    let wait = async |reader: &mut anonpipe::Reader<anonpipe::Overlapped>| {
        let mut buffer = [0; 8];
        let mut read = std::pin::pin!(Family::Tokio.read(reader, &mut buffer));
        std::future::poll_fn(|context| {
            for _ in 0..3 {
                assert!(read.as_mut().poll(context).is_pending());
            }
            Poll::Ready(())
        })
        .await;
    };
    runtime.block_on(wait(&mut reader));
    driver.block_on(wait(&mut attached));
    let (mut reader, mut attached, driver) = match fork() {
        None => {
            let inherited = driver.turn(None).is_err_and(|error| error.kind() == ErrorKind::Unsupported);
            drop((reader, attached, driver));
            let (mut reader, writer) = backend.pipe();
            writer.submit_write("child").wait().0.unwrap();
            let mut buffer = [0; 5];
            let count = Executor::Pollster.run(Family::Futures.read(&mut reader, &mut buffer));
            exit(inherited && count.is_ok_and(|count| count == 5));
        }
        Some(child) => {
            assert!(child.succeeded(), "the child's own pair does not work");
            (reader, attached, driver)
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for writer in [&writer, &attached_writer] {
                thread::sleep(MOMENT);
                writer.submit_write("parent").wait().0.unwrap();
            }
            thread::sleep(MOMENT);
            driver.notify();
        });
        assert_eq!(runtime.block_on(Family::Tokio.read(&mut reader, &mut [0; 8])).unwrap(), 6);
        assert_eq!(driver.block_on(Family::Futures.read(&mut attached, &mut [0; 8])).unwrap(), 6);
        // Nothing but `notify` ends this one.
        driver.turn(None).unwrap();
    });
}
