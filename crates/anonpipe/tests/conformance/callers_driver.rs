//! Drivers that the caller turns: no thread of ours. Each rule has a process of its own.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Driver, wait_any};

use crate::Backend;
use crate::executor_changes::begin_to_read;
use crate::executors::{Executor, Family, current_thread};
use crate::harness::{MOMENT, patience, soon, until_reads_in_flight};
use crate::system::threads;
use crate::test_data;
use crate::transfer_ways::kind;

/// Operations and tasks of ends that are attached need only the thread that turns.
pub(crate) fn no_thread_of_ours(backend: Backend) {
    let before = threads();
    let driver = Driver::new().unwrap();
    let pairs: Vec<_> = (0..20).map(|_| backend.pipe()).collect();
    for (reader, writer) in &pairs {
        reader.attach(&driver).unwrap();
        writer.attach(&driver).unwrap();
    }
    let reads: Vec<_> = pairs.iter().map(|(reader, _)| reader.submit_read(vec![0; 8])).collect();
    driver.turn(Some(Duration::ZERO)).unwrap();
    assert!(reads.iter().all(|read| !read.is_complete()));
    for (number, (_, writer)) in pairs.iter().enumerate() {
        (&*writer).write_all(&[number as u8]).unwrap();
    }
    let start = Instant::now();
    while reads.iter().any(|read| !read.is_complete()) {
        driver.turn(Some(patience())).unwrap();
        assert!(start.elapsed() < patience(), "woken by the time, not by the completion");
    }
    for (number, read) in reads.into_iter().enumerate() {
        let (count, buffer) = read.wait();
        assert_eq!((count.unwrap(), buffer[0]), (1, number as u8));
    }
    let (mut reader, mut writer) = pairs.into_iter().next().unwrap();
    driver.block_on(async {
        let answer = async {
            let mut buffer = [0; 1];
            for round in 0..100_u8 {
                assert_eq!(Family::Futures.read(&mut reader, &mut buffer).await.unwrap(), 1);
                assert_eq!(buffer[0], round);
            }
        };
        let ask = async {
            for round in 0..100_u8 {
                Family::Tokio.write_all(&mut writer, &[round]).await.unwrap();
                yield_now().await;
                yield_now().await;
            }
        };
        futures::join!(answer, ask);
    });
    assert_eq!(threads(), before, "a thread of ours");
}

/// Lets the others of a `join` run.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

pub(crate) fn a_turn_ends_when_its_time_is_up_or_somebody_says_so(_: Backend) {
    let driver = Driver::new().unwrap();
    let start = Instant::now();
    driver.turn(Some(Duration::ZERO)).unwrap();
    assert!(start.elapsed() < patience());
    driver.turn(Some(MOMENT)).unwrap();
    assert!(start.elapsed() >= MOMENT);
    // Before the turn, and during it. A month is beyond 2^31 milliseconds, which some systems
    // refuse.
    driver.notify();
    driver.turn(None).unwrap();
    driver.notify();
    driver.turn(Some(Duration::from_secs(31 * 24 * 60 * 60))).unwrap();
    thread::scope(|scope| {
        let turns = [(); 2].map(|()| scope.spawn(|| driver.turn(None).unwrap()));
        // On a busy machine one of them may begin after a notice.
        soon("the end of both turns", || {
            thread::sleep(MOMENT);
            driver.notify();
            turns.iter().all(|turn| turn.is_finished())
        });
    });
}

/// `wait` and its like do not wait for a turn that no other thread makes.
pub(crate) fn waiting_for_an_operation_turns(backend: Backend) {
    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let mut read = reader.submit_read(vec![0; 4]);
    let start = Instant::now();
    assert!(read.wait_timeout(MOMENT).is_none());
    assert!(start.elapsed() >= MOMENT);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                thread::sleep(MOMENT / 2);
                (&writer).write_all(b"once").unwrap();
            }
        });
        assert_eq!(read.wait().0.unwrap(), 4);
        let read = reader.submit_read(vec![0; 4]);
        assert_eq!(wait_any(&[&read], Some(patience())), Some(0));
        drop(read);
        assert_eq!(reader.submit_read(vec![0; 4]).wait().0.unwrap(), 4);
    });
    // Blocking calls need no driver.
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
    let pending = reader.submit_read(vec![0; 4]);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT / 2);
            pending.cancel();
        });
        assert_eq!(wait_any(&[&pending], Some(patience())), Some(0));
    });
    assert!(start.elapsed() < patience(), "woken by the time, not by the completion");
}

pub(crate) fn an_end_is_attached_once_and_in_time(backend: Backend) {
    let (one, other) = (Driver::new().unwrap(), Driver::new().unwrap());
    let (ours, theirs) = backend.duplex();
    ours.attach(&one).unwrap();
    assert_eq!(kind(ours.attach(&other)), ErrorKind::ResourceBusy);
    let pending = theirs.submit_read(vec![0; 4]);
    let late = theirs.attach(&one).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::ResourceBusy);
    assert!(late.to_string().contains("before its first operation"), "{late}");
    // The halves are the same end.
    let (reader, writer) = ours.split();
    assert_eq!(kind(reader.attach(&other)), ErrorKind::ResourceBusy);
    reader.attach(&one).unwrap();
    writer.attach(&one).unwrap();
    writer.submit_write("four").wait().0.unwrap();
    assert_eq!(pending.wait().0.unwrap(), 4);
}

/// No thread turns it any more, and still nothing hangs.
pub(crate) fn a_dropped_driver_leaves_its_ends_in_good_hands(backend: Backend) {
    let before = threads();
    let driver = Driver::new().unwrap();
    let (mut reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let read = reader.submit_read(vec![0; 4]);
    drop(driver);
    (&writer).write_all(b"kept").unwrap();
    assert_eq!(pollster::block_on(read).1, b"kept");
    (&writer).write_all(b"on").unwrap();
    assert_eq!(Executor::Futures.run(Family::Futures.read(&mut reader, &mut [0; 8])).unwrap(), 2);
    assert_eq!(threads(), before + 1);
    drop(reader);
    soon("the thread ends with the last end", || threads() == before);
    // Without ends there is no thread at all.
    drop(Driver::new().unwrap());
    assert_eq!(threads(), before);
}

/// Two threads run futures on one driver: what one of them completes for the other wakes it.
pub(crate) fn two_threads_turn_one_driver(backend: Backend) {
    let driver = Driver::new().unwrap();
    let (mut ours, mut theirs) = backend.duplex();
    ours.attach(&driver).unwrap();
    theirs.attach(&driver).unwrap();
    thread::scope(|scope| {
        let driver = &driver;
        scope.spawn(move || {
            driver.block_on(async {
                for round in 0..500_u32 {
                    Family::Futures.write_all(&mut ours, &round.to_le_bytes()).await.unwrap();
                    let (count, answer) = ours.submit_read(vec![0; 4]).await;
                    assert_eq!((count.unwrap(), answer), (4, round.to_le_bytes().to_vec()));
                }
            });
        });
        scope.spawn(move || {
            driver.block_on(async {
                for _ in 0..500 {
                    let mut bytes = [0; 4];
                    assert_eq!(Family::Futures.read(&mut theirs, &mut bytes).await.unwrap(), 4);
                    theirs.submit_write(bytes.to_vec()).await.0.unwrap();
                }
            });
        });
    });
}

/// A blocked peer on a thread of its own, and a future that always wakes itself: the driver gets
/// its turns.
pub(crate) fn a_busy_future_starves_nobody(backend: Backend) {
    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let sender = thread::spawn(move || {
        thread::sleep(MOMENT);
        (&writer).write_all(b"through").unwrap();
    });
    driver.block_on(async {
        let mut read = reader.submit_read(vec![0; 8]);
        while futures::poll!(&mut read).is_pending() {
            yield_now().await;
        }
    });
    sender.join().unwrap();
    let mut rest = Vec::new();
    (&reader).read_to_end(&mut rest).unwrap();
}

/// It turns once even without any time, so a caller that never waits makes progress.
pub(crate) fn a_wait_of_no_time_turns_once(backend: Backend) {
    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let ready = |what: &str, mut poll: Box<dyn FnMut() -> bool + '_>| {
        assert!(!poll(), "{what}: there is nothing yet");
        (&writer).write_all(b"four").unwrap();
        assert!((0..1000).any(|_| poll()), "{what}: never");
    };
    let mut read = reader.submit_read(vec![0; 4]);
    ready("wait_timeout", Box::new(|| read.wait_timeout(Duration::ZERO).is_some()));
    let read = reader.submit_read(vec![0; 4]);
    ready("wait_any", Box::new(|| wait_any(&[&read], Some(Duration::ZERO)).is_some()));
    let mut read = reader.submit_read(vec![0; 4]);
    ready("a moment", Box::new(|| read.wait_timeout(Duration::from_nanos(1)).is_some()));
}

/// A write that blocks behind a large one waits for the driver, which issues the pieces where the
/// system needs that. No other thread is here to turn it.
pub(crate) fn a_write_behind_a_large_one_turns_the_driver(backend: Backend) {
    const LARGE: usize = (3 << 20) + 5;
    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    writer.attach(&driver).unwrap();
    thread::scope(|scope| {
        let large = writer.submit_write(test_data::bytes(0, LARGE));
        assert_eq!(kind(writer.write_timeout(b"never", MOMENT)), ErrorKind::TimedOut);
        let reading = scope.spawn(|| {
            let mut all = vec![0; LARGE + 4];
            (&reader).read_exact(&mut all).unwrap();
            all
        });
        (&writer).write_all(b"last").unwrap();
        let all = reading.join().unwrap();
        test_data::check(0, &all[..LARGE]);
        assert_eq!(&all[LARGE..], b"last");
        assert_eq!(large.wait().0.unwrap(), LARGE);
    });
}

/// Also behind an operation of an end whose driver no thread turns.
pub(crate) fn blocking_calls_need_no_driver(backend: Backend) {
    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let first = reader.submit_read(vec![0; 3]);
    assert_eq!(kind(reader.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
    thread::scope(|scope| {
        let read = |length: usize| {
            let reader = &reader;
            move || {
                let mut bytes = vec![0; length];
                { reader }.read_exact(&mut bytes).map(|()| bytes)
            }
        };
        // The first of three threads gives up: then the next one turns.
        let gives_up = scope.spawn(|| kind(reader.read_timeout(&mut [0; 4], MOMENT * 2)));
        until_reads_in_flight(&reader, 2);
        let second = scope.spawn(read(6));
        until_reads_in_flight(&reader, 3);
        let third = scope.spawn(read(5));
        until_reads_in_flight(&reader, 4);
        assert_eq!(gives_up.join().unwrap(), ErrorKind::TimedOut);
        (&writer).write_all(b"onesecondthird").unwrap();
        assert_eq!(second.join().unwrap().unwrap(), b"second");
        assert_eq!(third.join().unwrap().unwrap(), b"third");
    });
    assert_eq!(first.wait().1, b"one");
    // A write behind a write that did not fit.
    let (reader, writer) = backend.small_pipe();
    writer.attach(&driver).unwrap();
    let first = writer.submit_write(vec![1; 500_000]);
    thread::scope(|scope| {
        let read = scope.spawn(|| {
            let mut bytes = vec![0; 500_004];
            (&reader).read_exact(&mut bytes).unwrap();
            bytes
        });
        (&writer).write_all(b"last").unwrap();
        assert_eq!(read.join().unwrap()[500_000..], *b"last");
    });
    assert_eq!(first.wait().0.unwrap(), 500_000);
}

/// The runtime around a loop of ours does not turn meanwhile, so nothing waits in its reactor.
pub(crate) fn a_loop_of_ours_inside_a_runtime(backend: Backend) {
    let (mut reader, writer) = backend.pipe();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT);
            (&writer).write_all(b"inside").unwrap();
        });
        current_thread().block_on(async {
            let driver = anonpipe::Driver::new().unwrap();
            assert_eq!(driver.block_on(Family::Tokio.read(&mut reader, &mut [0; 8])).unwrap(), 6);
        });
    });
}

/// The loop does not use the budget of a task around it, which gets no new one before the loop
/// ends.
pub(crate) fn a_loop_of_ours_inside_a_task(backend: Backend) {
    for attached in [true, false] {
        current_thread().block_on(async move {
            let task = tokio::spawn(async move {
                let driver = anonpipe::Driver::new().unwrap();
                let (mut reader, mut writer) = backend.pipe();
                if attached {
                    reader.attach(&driver).unwrap();
                }
                driver.block_on(async {
                    for _ in 0..300 {
                        Family::Tokio.write_all(&mut writer, b"x").await.unwrap();
                        assert_eq!(Family::Futures.read(&mut reader, &mut [0]).await.unwrap(), 1);
                        writer.submit_write("x").await.0.unwrap();
                        assert_eq!(reader.submit_read(vec![0]).await.0.unwrap(), 1);
                    }
                });
            });
            task.await.unwrap();
        });
    }
}

/// A driver is for ends that were never waited for, neither by its caller nor by an executor.
pub(crate) fn an_end_that_waited_is_not_attached(backend: Backend) {
    for executor in [Executor::TokioCurrentThread, Executor::Smol] {
        let driver = anonpipe::Driver::new().unwrap();
        let (mut reader, _writer) = backend.pipe();
        begin_to_read(executor, Family::Tokio, &mut reader);
        let refused = reader.attach(&driver).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy, "{executor:?}");
    }
}
