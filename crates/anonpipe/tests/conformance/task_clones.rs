//! Several tasks at one end: clones of it, and its two halves.

use std::future::Future;
use std::io::Read;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use anonpipe::Overlapped;

use crate::Backend;
use crate::executors::{Executor, Family};
use crate::manual_polls::{Count, poll_once_counted};
use crate::test_data::{self, Random};

pub(crate) fn several_tasks_read_clones(backend: Backend) {
    const TOTAL: usize = 30_000;
    for executor in [Executor::TokioMultiThread, Executor::TokioCurrentThread, Executor::Smol] {
        let (reader, mut writer) = backend.pipe();
        let readers = [reader.try_clone().unwrap(), reader.try_clone().unwrap(), reader];
        let counts = executor.run(async move {
            let tasks = readers.map(|mut reader| {
                let task = async move {
                    let (mut total, mut sum) = (0, 0_u64);
                    let mut buffer = [0; 7];
                    loop {
                        let count = Family::Futures.read(&mut reader, &mut buffer).await.unwrap();
                        if count == 0 {
                            return (total, sum);
                        }
                        total += count;
                        sum += buffer[..count].iter().map(|byte| u64::from(*byte)).sum::<u64>();
                    }
                };
                spawn(executor, task)
            });
            let mut random = Random::new(3);
            let mut position = 0;
            while position < TOTAL {
                let bytes = test_data::bytes(position, (1 + random.below(20)).min(TOTAL - position));
                Family::Tokio.write_all(&mut writer, &bytes).await.unwrap();
                position += bytes.len();
            }
            drop(writer);
            futures::future::join_all(tasks).await
        });
        let expected: u64 = test_data::bytes(0, TOTAL).iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(counts.iter().map(|(total, _)| total).sum::<usize>(), TOTAL, "{executor:?}");
        assert_eq!(counts.iter().map(|(_, sum)| sum).sum::<u64>(), expected, "{executor:?}");
    }
}

pub(crate) fn two_halves_flood_both_ways(backend: Backend) {
    const TOTAL: usize = 1_000_000;
    for executor in Executor::ALL {
        let (ours, theirs) = backend.duplex();
        let side = |end: anonpipe::Duplex<Overlapped>| async move {
            let (mut reader, mut writer) = end.split();
            let write = async {
                let mut position = 0;
                while position < TOTAL {
                    let chunk = test_data::bytes(position, 50_000.min(TOTAL - position));
                    position += Family::Tokio.write(&mut writer, &chunk).await.unwrap();
                }
                Family::Tokio.flush(&mut writer).await.unwrap();
            };
            let read = async {
                let mut position = 0;
                let mut buffer = vec![0; 70_000];
                while position < TOTAL {
                    let count = Family::Futures.read(&mut reader, &mut buffer).await.unwrap();
                    assert_ne!(count, 0, "the end of file, with the peer alive");
                    test_data::check(position, &buffer[..count]);
                    position += count;
                }
            };
            futures::join!(write, read);
            // Its half-closed or dropped end must not be the other side's end of file.
            (reader, writer)
        };
        executor.run_both(side(ours), side(theirs));
    }
}

/// One half waits to read while the other one writes without a pause: the reader is not woken.
pub(crate) fn a_busy_half_does_not_wake_the_other(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let sink = thread::spawn(move || {
        let mut buffer = [0; 1000];
        while (&theirs).read(&mut buffer).unwrap() > 0 {}
    });
    let (mut reader, mut writer) = ours.split();
    let count = Arc::new(Count::default());
    for run in [Executor::Futures, Executor::TokioCurrentThread] {
        run.run(async {
            let mut buffer = [0; 8];
            let mut read = pin!(Family::Futures.read(&mut reader, &mut buffer));
            let before = count.get();
            for _ in 0..3000 {
                if poll_once_counted(read.as_mut(), &count) {
                    panic!("there is nothing to read");
                }
                Family::Futures.write_all(&mut writer, &[1; 500]).await.unwrap();
            }
            let woken = count.get() - before;
            assert!(woken < 100, "{run:?}: woken {woken} times in vain, for 3000 writes of the other half");
        });
    }
    drop((reader, writer));
    sink.join().unwrap();
}

/// Reads that begin, are dropped, or lose against a clone while data comes: every byte arrives
/// once, in order for each.
pub(crate) fn reads_racing_with_data_and_clones_lose_nothing(backend: Backend) {
    const TOTAL: usize = 20_000;
    let (mut reader, mut writer) = backend.pipe();
    let rival = reader.try_clone().unwrap();
    let sender = thread::spawn(move || {
        let mut random = Random::new(11);
        let mut position = 0;
        while position < TOTAL {
            let bytes = test_data::bytes(position, (1 + random.below(5)).min(TOTAL - position));
            pollster::block_on(Family::Futures.write_all(&mut writer, &bytes)).unwrap();
            position += bytes.len();
        }
    });
    let thief = thread::spawn(move || {
        let (mut total, mut sum, mut buffer) = (0, 0_u64, [0; 3]);
        loop {
            let count = (&rival).read(&mut buffer).unwrap();
            if count == 0 {
                return (total, sum);
            }
            total += count;
            sum += buffer[..count].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
    });
    let (mut total, mut sum) = (0, 0_u64);
    let mut random = Random::new(12);
    loop {
        let mut buffer = [0; 4];
        let outcome = {
            let mut read = pin!(Family::Tokio.read(&mut reader, &mut buffer));
            if random.below(2) == 0 {
                // Given up after one poll, unless it was ready.
                match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(count) => Some(count.unwrap()),
                    Poll::Pending => None,
                }
            } else {
                Some(pollster::block_on(read).unwrap())
            }
        };
        match outcome {
            Some(0) => break,
            Some(count) => {
                total += count;
                sum += buffer[..count].iter().map(|byte| u64::from(*byte)).sum::<u64>();
            }
            None => {}
        }
    }
    sender.join().unwrap();
    let (stolen, stolen_sum) = thief.join().unwrap();
    assert_eq!(total + stolen, TOTAL);
    let expected: u64 = test_data::bytes(0, TOTAL).iter().map(|byte| u64::from(*byte)).sum();
    assert_eq!(sum + stolen_sum, expected);
}

fn spawn<T: Send + 'static>(
    executor: Executor,
    task: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    if executor == Executor::Smol {
        return Box::pin(smol::spawn(task));
    }
    let task = tokio::spawn(task);
    Box::pin(async move { task.await.expect("a task") })
}
