//! The async traits: every executor, both families, by the contract.

use std::future::Future;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use anonpipe::{Overlapped, Reader};

use crate::Backend;
#[cfg(target_pointer_width = "64")]
use crate::buffers::{BEYOND, beyond_4_gib};
use crate::executors::{Executor, Family};
use crate::harness::{MOMENT, soon};
#[cfg(target_pointer_width = "64")]
use crate::manual_polls::at_once;
use crate::manual_polls::{Count, MUCH, WokenFlag, at_once_or_pending, poll_until_pending};
use crate::test_data::{self, Random};
use crate::transfer_ways::{check_abort, is_cancelled};

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

pub(crate) fn empty_buffers_do_nothing(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        assert_eq!(pollster::block_on(family.read(&mut reader, &mut [])).unwrap(), 0);
        assert_eq!(pollster::block_on(family.write(&mut writer, &[])).unwrap(), 0);
        pollster::block_on(family.flush(&mut writer)).unwrap();
        assert_eq!(reader.bytes_available().unwrap(), 0);
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

/// Even an early cancel counts: a read that was polled once waits, also between its polls.
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

/// The first poll reports what is there, and the end of file is there.
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

pub(crate) fn losing_a_race_loses_nothing(backend: Backend) {
    for executor in Executor::ALL {
        let (reader, mut writer) = backend.pipe();
        let (mut tasks_reader, mut tasks_writer) = backend.pipe();
        let count = 200_u32;
        let write = async move {
            for number in 0..count {
                Family::Futures.write_all(&mut writer, &number.to_le_bytes()).await.unwrap();
                Family::Futures.write_all(&mut tasks_writer, &number.to_le_bytes()).await.unwrap();
            }
            (writer, tasks_writer)
        };
        let read = async move {
            let (mut from_ops, mut from_tasks) = (0, 0);
            let mut op = reader.submit_read(vec![0; 4]);
            while from_ops < count || from_tasks < count {
                let mut buffer = [0; 4];
                let first = {
                    let read = pin!(Family::Tokio.read(&mut tasks_reader, &mut buffer));
                    match futures::future::select(&mut op, read).await {
                        futures::future::Either::Left((outcome, _)) => Ok(outcome),
                        // The operation that lost is still in flight, with its buffer.
                        futures::future::Either::Right((result, _)) => Err(result),
                    }
                };
                match first {
                    Ok((result, bytes)) => {
                        assert_eq!(result.unwrap(), 4);
                        assert_eq!(bytes, from_ops.to_le_bytes());
                        from_ops += 1;
                        op = reader.submit_read(bytes);
                    }
                    Err(result) => {
                        assert_eq!(result.unwrap(), 4);
                        assert_eq!(buffer, from_tasks.to_le_bytes());
                        from_tasks += 1;
                    }
                }
            }
            op.cancel();
            assert!(is_cancelled(&op.await.0));
        };
        executor.run_both(read, write);
    }
}

/// See [`an_abort_is_no_timeout`](crate::cancel_and_timeout::an_abort_is_no_timeout): a task's.
pub(crate) fn a_tasks_abort_is_no_timeout(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.small_pipe();
        let clones = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let flag = WokenFlag::new();
        let mut buffer = [0; 10];
        flag.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        clones.0.cancel_all();
        check_abort(flag.ready(|context| family.poll_read(&mut reader, context, &mut buffer)));

        while at_once_or_pending(|context| family.poll_write(&mut writer, context, &[7; MUCH])) {}
        flag.pend(|context| family.poll_write(&mut writer, context, &[7; MUCH]));
        clones.1.cancel_all();
        check_abort(flag.ready(|context| family.poll_write(&mut writer, context, &[7; MUCH])));
        // It was that one write.
        let rest = thread::spawn(move || (&reader).read_to_end(&mut Vec::new()).unwrap());
        pollster::block_on(family.write_all(&mut writer, &[7; MUCH])).unwrap();
        drop((writer, clones));
        assert!(rest.join().unwrap() >= MUCH);
    }
}

/// See [`our_own_close_is_no_end_of_file`](crate::drops::our_own_close_is_no_end_of_file): a
/// task's.
pub(crate) fn our_own_close_does_not_end_a_tasks_read(backend: Backend) {
    for family in Family::BOTH {
        let (mut ours, mut theirs) = backend.duplex();
        let flag = WokenFlag::new();
        let mut buffer = [0; 10];
        flag.pend(|context| family.poll_read(&mut ours, context, &mut buffer));
        drop(ours.try_clone().unwrap());
        // Our own writing direction, as far as the system can close it.
        pollster::block_on(family.close(&mut ours)).unwrap();
        thread::sleep(MOMENT);
        flag.pend(|context| family.poll_read(&mut ours, context, &mut buffer));
        pollster::block_on(family.write_all(&mut theirs, b"goes on")).unwrap();
        assert_eq!(flag.ready(|context| family.poll_read(&mut ours, context, &mut buffer)).unwrap(), 7);

        // A half that writes, while the other half reads.
        let (ours, mut theirs) = backend.duplex();
        let (mut reader, mut writer) = ours.split();
        flag.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        pollster::block_on(family.close(&mut writer)).unwrap();
        drop(writer);
        thread::sleep(MOMENT);
        flag.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        pollster::block_on(family.write_all(&mut theirs, b"goes on")).unwrap();
        assert_eq!(flag.ready(|context| family.poll_read(&mut reader, context, &mut buffer)).unwrap(), 7);
        drop(theirs);
        assert_eq!(pollster::block_on(family.read(&mut reader, &mut buffer)).unwrap(), 0);
    }
}

/// See [`a_length_beyond_4_gib_is_not_cut_short`][1]: a task's.
///
/// [1]: crate::buffers::a_length_beyond_4_gib_is_not_cut_short
#[cfg(target_pointer_width = "64")]
pub(crate) fn a_tasks_length_beyond_4_gib_is_not_cut_short(backend: Backend) {
    let Some(mut long) = beyond_4_gib() else { return };
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        if cfg!(unix) {
            (&writer).write_all(b"0123456789").unwrap();
            assert_eq!(at_once(|context| family.poll_read(&mut reader, context, &mut long)).unwrap(), 10);
        }
        let accepted = at_once(|context| family.poll_write(&mut writer, context, &long)).unwrap();
        assert!((4096..BEYOND).contains(&accepted), "{accepted} bytes");
        drop(writer);
        assert_eq!((&reader).read_to_end(&mut Vec::new()).unwrap(), accepted);
    }
}
