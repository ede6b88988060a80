//! The async traits: every executor, both families, by the contract.

use std::future::Future;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use anonpipe::{Overlapped, Reader};

use crate::Backend;
use crate::executors::{Executor, Family};
use crate::harness::{MOMENT, patience, soon};
use crate::test_data::{self, Random};
use crate::transfer_ways::{is_cancelled, kind};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls until it waits for the system: a task may ask to be polled again at once a few times before.
fn poll_until_pending<T>(mut future: Pin<&mut impl Future<Output = T>>, count: &Arc<Count>) -> Poll<T> {
    let waker = Waker::from(Arc::clone(count));
    for _ in 0..10 {
        let before = count.get();
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        if poll.is_ready() || count.get() == before {
            return poll;
        }
    }
    panic!("it wakes itself for ever");
}

/// Polls a read once, so that it waits, and drops it.
fn begin_to_read(family: Family, reader: &mut Reader<Overlapped>) {
    let mut buffer = [0; 64];
    let mut read = pin!(family.read(reader, &mut buffer));
    assert!(poll_until_pending(read.as_mut(), &Arc::default()).is_pending(), "there is nothing to read");
}

pub(crate) fn random_chunks_on_every_executor(backend: Backend) {
    const TOTAL: usize = 1_500_000;
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let (mut reader, mut writer) = backend.pipe();
            let write = async move {
                let mut random = Random::new(7);
                let mut position = 0;
                while position < TOTAL {
                    let chunk = test_data::bytes(position, random.chunk().min(TOTAL - position));
                    position += family.write(&mut writer, &chunk).await.unwrap();
                }
                family.flush(&mut writer).await.unwrap();
                family.close(&mut writer).await.unwrap();
            };
            let read = async move {
                let mut random = Random::new(8);
                let mut position = 0;
                loop {
                    let mut buffer = vec![0; random.chunk()];
                    let count = family.read(&mut reader, &mut buffer).await.unwrap();
                    if count == 0 {
                        break;
                    }
                    test_data::check(position, &buffer[..count]);
                    position += count;
                }
                for _ in 0..3 {
                    assert_eq!(family.read(&mut reader, &mut [0; 8]).await.unwrap(), 0, "again and again");
                }
                position
            };
            let (position, ()) = executor.run_both(read, write);
            assert_eq!(position, TOTAL, "{executor:?}, {family:?}");
        }
    }
}

pub(crate) fn a_ping_pong_on_every_executor(backend: Backend) {
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let (mut ours, mut theirs) = backend.duplex();
            let ping = async move {
                for round in 0..300_u32 {
                    family.write_all(&mut ours, &round.to_le_bytes()).await.unwrap();
                    let mut answer = [0; 4];
                    assert_eq!(family.read(&mut ours, &mut answer).await.unwrap(), 4);
                    assert_eq!(u32::from_le_bytes(answer), round + 1);
                }
            };
            let pong = async move {
                for _ in 0..300 {
                    let mut question = [0; 4];
                    assert_eq!(family.read(&mut theirs, &mut question).await.unwrap(), 4);
                    let answer = u32::from_le_bytes(question) + 1;
                    family.write_all(&mut theirs, &answer.to_le_bytes()).await.unwrap();
                }
                theirs
            };
            executor.run_both(ping, pong);
        }
    }
}

pub(crate) fn the_peer_is_a_thread_that_blocks(backend: Backend) {
    for executor in Executor::ALL {
        let (mut ours, theirs) = backend.duplex();
        let echo = thread::spawn(move || {
            let mut buffer = [0; 100];
            loop {
                let count = (&theirs).read(&mut buffer).unwrap();
                if buffer[..count].contains(&b'!') {
                    return;
                }
                (&theirs).write_all(&buffer[..count]).unwrap();
            }
        });
        executor.run(async {
            for round in 0..50_u8 {
                Family::Futures.write_all(&mut ours, &[100 + round; 10]).await.unwrap();
                let mut answer = [0; 100];
                let mut count = 0;
                while count < 10 {
                    count += Family::Tokio.read(&mut ours, &mut answer[count..]).await.unwrap();
                }
                assert_eq!(answer[..count], [100 + round; 10], "{executor:?}");
            }
            Family::Tokio.write_all(&mut ours, b"!").await.unwrap();
        });
        echo.join().unwrap();
    }
}

pub(crate) fn nothing_is_read_ahead(backend: Backend) {
    let (mut reader, writer) = backend.pipe();
    (&writer).write_all(b"0123456789").unwrap();
    for (family, expected) in Family::BOTH.into_iter().zip([b"012", b"345"]) {
        let mut three = [0; 3];
        assert_eq!(Executor::Pollster.run(family.read(&mut reader, &mut three)).unwrap(), 3);
        assert_eq!(&three, expected);
    }
    assert_eq!(reader.bytes_available().unwrap(), 4);
    let mut two = [0; 2];
    reader.read_exact(&mut two).unwrap();
    assert_eq!(&two, b"67");
    assert_eq!(reader.submit_read(vec![0; 2]).wait().1, b"89");
}

pub(crate) fn a_dropped_read_consumed_nothing(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, writer) = backend.pipe();
        begin_to_read(family, &mut reader);
        (&writer).write_all(b"kept").unwrap();
        thread::sleep(MOMENT);
        assert_eq!(reader.bytes_available().unwrap(), 4, "nobody polled, so nobody read");
        assert_eq!(reader.submit_read(vec![0; 4]).wait().1, b"kept");
        // Another one waits, and is dropped with the end.
        begin_to_read(family, &mut reader);
        drop(reader);
        soon("the peer is gone", || kind_of_write(&writer) == Some(ErrorKind::BrokenPipe));
    }
}

fn kind_of_write(mut writer: &anonpipe::Writer<Overlapped>) -> Option<ErrorKind> {
    writer.write(b"x").err().map(|error| error.kind())
}

pub(crate) fn what_was_submitted_before_goes_first(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, writer) = backend.pipe();
        let before = reader.submit_read(vec![0; 3]);
        let count = Arc::new(Count::default());
        let mut buffer = [0; 8];
        {
            let mut read = pin!(family.read(&mut reader, &mut buffer));
            assert!(poll_until_pending(read.as_mut(), &count).is_pending());
            (&writer).write_all(b"onetwo").unwrap();
            assert_eq!(before.wait().1, b"one");
            soon("a wake", || count.get() > 0);
            assert_eq!(pollster::block_on(read).unwrap(), 3);
        }
        assert_eq!(&buffer[..3], b"two");
    }
}

pub(crate) fn writes_wait_their_turn(backend: Backend) {
    for family in Family::BOTH {
        let (reader, mut writer) = backend.small_pipe();
        let submitted = writer.submit_write(test_data::bytes(0, 200_000));
        let sender = thread::spawn(move || {
            Executor::Futures.run(async {
                family.write_all(&mut writer, &test_data::bytes(200_000, 100_000)).await.unwrap();
                family.flush(&mut writer).await.unwrap();
            });
            writer
        });
        let mut all = Vec::new();
        while all.len() < 300_000 {
            let mut buffer = [0; 10_000];
            let count = (&reader).read(&mut buffer).unwrap();
            all.extend_from_slice(&buffer[..count]);
        }
        test_data::check(0, &all);
        assert_eq!(submitted.wait().0.unwrap(), 200_000);
        drop(sender.join().unwrap());
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 0);
    }
}

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

/// One half reads and finds nothing, the other writes and writes: the reader is left alone.
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

/// Polls if it was woken since the last time.
fn poll_once_counted<T>(future: Pin<&mut impl Future<Output = T>>, count: &Arc<Count>) -> bool {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(count)))).is_ready()
}

pub(crate) fn what_is_accepted_is_bounded(backend: Backend) {
    for family in Family::BOTH {
        let (reader, mut writer) = backend.pipe();
        let chunk = vec![5; 100_000];
        let mut accepted = 0;
        loop {
            let mut write = pin!(family.write(&mut writer, &chunk));
            match poll_until_pending(write.as_mut(), &Arc::default()) {
                Poll::Ready(count) => accepted += count.unwrap(),
                Poll::Pending => break,
            }
            assert!(accepted < 2_000_000, "accepted {accepted} bytes that nobody reads");
        }
        // All of it arrives, and nothing of the write that was dropped.
        drop(writer);
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), accepted);
    }
}

pub(crate) fn vectored_writes_go_together(backend: Backend) {
    let (mut reader, mut writer) = backend.pipe();
    let slices = [IoSlice::new(b""), IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
    let count = pollster::block_on(tokio::io::AsyncWriteExt::write_vectored(&mut writer, &slices)).unwrap();
    assert_eq!(count, 13);
    let count = pollster::block_on(futures::AsyncWriteExt::write_vectored(&mut writer, &slices)).unwrap();
    assert_eq!(count, 13);
    assert!(tokio::io::AsyncWrite::is_write_vectored(&writer));
    let mut text = [0; 26];
    reader.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"one two threeone two three");
}

pub(crate) fn empty_buffers_do_nothing(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        assert_eq!(pollster::block_on(family.read(&mut reader, &mut [])).unwrap(), 0);
        assert_eq!(pollster::block_on(family.write(&mut writer, &[])).unwrap(), 0);
        pollster::block_on(family.flush(&mut writer)).unwrap();
        assert_eq!(reader.bytes_available().unwrap(), 0);
    }
}

pub(crate) fn late_writes_are_broken_pipes(backend: Backend) {
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let (reader, mut writer) = backend.pipe();
            drop(reader);
            for _ in 0..3 {
                assert_eq!(kind(executor.run(family.write(&mut writer, b"late"))), ErrorKind::BrokenPipe);
            }
            executor.run(family.close(&mut writer)).unwrap();
        }
    }
}

pub(crate) fn closing_a_writer_is_the_end_of_file(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        let mut clone = writer.try_clone().unwrap();
        pollster::block_on(async {
            family.write_all(&mut writer, b"last words").await.unwrap();
            family.close(&mut writer).await.unwrap();
            family.close(&mut writer).await.unwrap();
            assert_eq!(kind(family.write(&mut writer, b"more").await), ErrorKind::BrokenPipe);
            family.flush(&mut writer).await.unwrap();
        });
        let (refused, buffer) = writer.submit_write(b"more".to_vec()).wait();
        assert_eq!((kind(refused), buffer), (ErrorKind::BrokenPipe, b"more".to_vec()), "the buffer comes back");
        let mut ten = [0; 10];
        reader.read_exact(&mut ten).unwrap();
        assert_eq!(&ten, b"last words");
        // The clone is a handle of its own.
        (&clone).write_all(b"!").unwrap();
        assert_eq!(reader.read(&mut ten).unwrap(), 1);
        pollster::block_on(family.close(&mut clone)).unwrap();
        assert_eq!(reader.read(&mut ten).unwrap(), 0);
        // What is closed says so, and can still be asked for a handle, which is nobody's pipe.
        let text = (&writer).write(b"x").unwrap_err().to_string();
        assert!(text.contains("it was closed here"), "{text}");
        assert_eq!(kind((&writer.try_clone().unwrap()).write(b"x")), ErrorKind::BrokenPipe);
        let refused = crate::system::Handle::try_from(writer).unwrap_err();
        assert_eq!(kind((&refused.into_inner()).write(b"x")), ErrorKind::BrokenPipe);
    }
}

pub(crate) fn closing_a_duplex_end_as_the_system_can(backend: Backend) {
    for split in [false, true] {
        let (ours, theirs) = backend.duplex();
        let (mut ours_reads, ours_whole) = if split {
            let (reader, mut writer) = ours.split();
            pollster::block_on(async {
                Family::Futures.write_all(&mut writer, b"question").await.unwrap();
                Family::Futures.close(&mut writer).await.unwrap();
                assert_eq!(kind(Family::Futures.write(&mut writer, b"x").await), ErrorKind::BrokenPipe);
            });
            let (refused, (reader, _)) = anonpipe::Duplex::unsplit(reader, writer).unwrap_err().into_parts();
            assert!(refused.to_string().contains("the writer was closed"), "{refused}");
            (Some(reader), None)
        } else {
            let mut ours = ours;
            pollster::block_on(async {
                Family::Tokio.write_all(&mut ours, b"question").await.unwrap();
                Family::Tokio.close(&mut ours).await.unwrap();
                assert_eq!(kind(Family::Tokio.write(&mut ours, b"x").await), ErrorKind::BrokenPipe);
            });
            (None, Some(ours))
        };
        let mut buffer = [0; 8];
        (&theirs).read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"question");
        #[cfg(unix)]
        assert_eq!((&theirs).read(&mut buffer).unwrap(), 0, "half-closed");
        #[cfg(windows)]
        assert_eq!(kind(theirs.read_timeout(&mut buffer, MOMENT)), ErrorKind::TimedOut, "there is no half-close");
        (&theirs).write_all(b"answer").unwrap();
        drop(theirs);
        let mut text = String::new();
        match (&mut ours_reads, ours_whole) {
            (Some(reader), _) => reader.read_to_string(&mut text).unwrap(),
            (None, Some(mut ours)) => ours.read_to_string(&mut text).unwrap(),
            (None, None) => unreachable!(),
        };
        assert_eq!(text, "answer");
    }
}

pub(crate) fn cancel_all_ends_a_tasks_read(backend: Backend) {
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let (mut reader, writer) = backend.pipe();
            let other = reader.try_clone().unwrap();
            let mut buffer = [0; 8];
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    // More than once, in case it has not begun by then.
                    while !done.load(Ordering::Acquire) {
                        thread::sleep(MOMENT / 4);
                        other.cancel_all();
                    }
                });
                let result = executor.run(family.read(&mut reader, &mut buffer));
                done.store(true, Ordering::Release);
                assert!(is_cancelled(&result), "{executor:?}, {family:?}: {result:?}");
            });
            // That was one read. The next one reads.
            (&writer).write_all(b"on").unwrap();
            assert_eq!(executor.run(family.read(&mut reader, &mut buffer)).unwrap(), 2);
        }
    }
}

/// Reads that begin, are dropped, or lose against a clone while data comes: every byte arrives once, in order for each.
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

pub(crate) fn halves_keep_what_was_accepted(backend: Backend) {
    let (mut ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let mut accepted = pollster::block_on(Family::Tokio.write(&mut ours, &test_data::bytes(0, 100_000))).unwrap();
    let (reader, mut writer) = ours.split();
    let drain = thread::spawn(move || {
        let mut all = Vec::new();
        (&theirs).read_to_end(&mut all).unwrap();
        all
    });
    pollster::block_on(async {
        accepted += Family::Futures.write(&mut writer, &test_data::bytes(accepted, 1000)).await.unwrap();
        let mut ours = anonpipe::Duplex::unsplit(reader, writer).unwrap();
        accepted += Family::Tokio.write(&mut ours, &test_data::bytes(accepted, 1000)).await.unwrap();
        Family::Tokio.flush(&mut ours).await.unwrap();
    });
    let all = drain.join().unwrap();
    assert_eq!(all.len(), accepted);
    test_data::check(0, &all);
}

/// However early it comes: a read that was polled once waits, whatever it does between its polls.
pub(crate) fn a_cancel_between_two_polls_is_not_lost(backend: Backend) {
    for polls in 1..4 {
        let (mut reader, _writer) = backend.pipe();
        let other = reader.try_clone().unwrap();
        let mut buffer = [0; 8];
        let mut read = pin!(Family::Futures.read(&mut reader, &mut buffer));
        for _ in 0..polls {
            assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        other.cancel_all();
        let result = pollster::block_on(read);
        assert!(is_cancelled(&result), "after {polls} polls: {result:?}");
    }
}

/// The first poll sees what is there, and the end of file is something.
pub(crate) fn the_first_poll_sees_the_end_of_file(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, writer) = backend.pipe();
        drop(writer);
        let mut buffer = [0; 8];
        let mut read = pin!(family.read(&mut reader, &mut buffer));
        match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => assert_eq!(result.unwrap(), 0),
            Poll::Pending => panic!("it waits for the end of file, which is there"),
        }
    }
}

/// Transferring nothing would look like the end of file.
pub(crate) fn many_empty_slices_do_not_look_like_the_end(backend: Backend) {
    let (reader, mut writer) = backend.pipe();
    let mut empty = [[0; 0]; 3000];
    let mut eight = [0; 8];
    let mut slices: Vec<_> = empty.iter_mut().map(|slice| std::io::IoSliceMut::new(slice)).collect();
    slices.push(std::io::IoSliceMut::new(&mut eight));
    let mut written = vec![IoSlice::new(b""); 3000];
    written.push(IoSlice::new(b"hello"));
    assert_eq!(pollster::block_on(tokio::io::AsyncWriteExt::write_vectored(&mut writer, &written)).unwrap(), 5);
    assert_eq!((&reader).read_vectored(&mut slices).unwrap(), 5);
    assert_eq!(writer.write_vectored(&written).unwrap(), 5);
    let mut reader = reader;
    assert_eq!(pollster::block_on(futures::AsyncReadExt::read_vectored(&mut reader, &mut slices)).unwrap(), 5);
}

/// A peer that is always faster does not keep a runtime from its timers.
pub(crate) fn a_busy_task_lets_the_runtime_go_on(backend: Backend) {
    let time_is_up = |future: Pin<Box<dyn Future<Output = ()>>>| {
        let start = std::time::Instant::now();
        let done = crate::executors::current_thread().block_on(async { tokio::time::timeout(MOMENT, future).await });
        assert!(done.is_err() && start.elapsed() < patience(), "{:?}", start.elapsed());
    };
    let flood = |writer: anonpipe::Writer<Overlapped>| {
        thread::spawn(move || while (&writer).write_all(&[1; 60_000]).is_ok() {});
    };
    let (mut reader, writer) = backend.pipe();
    flood(writer);
    time_is_up(Box::pin(async move {
        loop {
            let _ = Family::Tokio.read(&mut reader, &mut [0; 4]).await;
        }
    }));
    let (reader, writer) = backend.pipe();
    flood(writer);
    time_is_up(Box::pin(async move {
        loop {
            let _ = reader.submit_read(vec![0; 4]).await;
        }
    }));
    let (reader, mut writer) = backend.pipe();
    thread::spawn(move || while (&reader).read(&mut [0; 60_000]).is_ok_and(|count| count > 0) {});
    time_is_up(Box::pin(async move {
        loop {
            let _ = Family::Tokio.write(&mut writer, b"x").await;
        }
    }));
}

/// Its failure is told by the conversion or by the flush, whoever is faster.
pub(crate) fn a_conversion_racing_with_a_failure_loses_nothing(backend: Backend) {
    for round in 0..200 {
        let (reader, mut writer) = backend.options().capacity(1).inbound().unwrap();
        let accepted = pollster::block_on(Family::Tokio.write(&mut writer, &[7; 100_000])).unwrap();
        let peer = thread::spawn(move || drop(reader));
        let told = loop {
            match crate::system::Handle::try_from(writer) {
                Ok(_) => break accepted < 100_000,
                Err(refused) => {
                    let busy = refused.error().kind() == ErrorKind::ResourceBusy;
                    let broken = refused.error().kind() == ErrorKind::BrokenPipe;
                    writer = refused.into_inner();
                    if broken {
                        break true;
                    }
                    if !busy {
                        // It is bound to our port, so it is still ours to ask.
                        break pollster::block_on(Family::Tokio.flush(&mut writer)).is_err();
                    }
                }
            }
        };
        peer.join().unwrap();
        assert!(told || cfg!(unix), "round {round}: the failure was lost");
    }
}

/// On every executor: one that has nothing but tasks has no budget of its own for them.
pub(crate) fn a_busy_task_lets_the_others_run(backend: Backend) {
    for executor in Executor::ALL {
        let (mut reader, mut writer) = backend.pipe();
        let (ops_reader, ops_writer) = backend.pipe();
        let done = Arc::new(AtomicBool::new(false));
        let busy = {
            let done = Arc::clone(&done);
            async move {
                let mut rounds = 0_u64;
                // Never anything but ready.
                while !done.load(Ordering::Acquire) {
                    Family::Futures.write_all(&mut writer, b"x").await.unwrap();
                    assert_eq!(Family::Futures.read(&mut reader, &mut [0; 1]).await.unwrap(), 1);
                    (&ops_writer).write_all(b"x").unwrap();
                    assert_eq!(ops_reader.submit_read(vec![0; 1]).await.0.unwrap(), 1);
                    rounds += 1;
                    assert!(rounds < 1_000_000, "{executor:?}: the other task was never polled");
                }
            }
        };
        executor.run_both(busy, async move { done.store(true, Ordering::Release) });
    }
}
