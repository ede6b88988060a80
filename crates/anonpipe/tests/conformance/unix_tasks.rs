//! Tasks in a process that forks, and at a half-close.

use std::io::ErrorKind;
use std::task::Poll;
use std::thread;

use crate::Backend;
use crate::executors::{Executor, Family, current_thread};
use crate::harness::MOMENT;
use crate::system::{exit, fork};
use crate::transfer_ways::kind;

/// The child has copies of ends for which the parent's runtime and the parent's own driver wait, and drops them.
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

/// A half-close ends the writes that wait, too, whoever waits for them.
pub(crate) fn an_own_shutdown_ends_a_tasks_write(backend: Backend) {
    for executor in Executor::ALL {
        let (ours, theirs) = backend.duplex();
        let mut clone = ours.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(MOMENT / 2);
                ours.shutdown_write().unwrap();
            });
            let result = executor.run(Family::Futures.write_all(&mut clone, &[7; 5_000_000]));
            assert_eq!(kind(result), ErrorKind::BrokenPipe, "{executor:?}");
        });
        drop(theirs);
    }
}

/// One task's registration goes while another's of the same descriptor comes: it is heard all the same. (On a kqueue, which knows
/// descriptors and not who registered them, the one that goes would take the other with it.)
pub(crate) fn registrations_that_come_and_go_are_heard(backend: Backend) {
    let runtime = crate::executors::multi_thread();
    let (reader, writer) = backend.pipe();
    let rounds = 300;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let mut clone = reader.try_clone().unwrap();
                    let read = async { Family::Tokio.read(&mut clone, &mut [0; 1]).await };
                    // Long enough to hang the rule if nothing is heard, and no limit otherwise.
                    assert_eq!(runtime.block_on(read).unwrap(), 1);
                }
            });
        }
        for _ in 0..2 * rounds {
            thread::sleep(std::time::Duration::from_micros(100));
            writer.submit_write("x").wait().0.unwrap();
        }
    });
}
