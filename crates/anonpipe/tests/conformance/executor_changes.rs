//! Ends and operations that change their executor.

use std::future::Future;
use std::io::Write;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

use anonpipe::{Overlapped, Reader, Writer};

use crate::Backend;
use crate::executors::{Executor, Family, current_thread};
use crate::harness::MOMENT;

/// Polls a read in an executor until it waits for the system, and leaves it.
pub(crate) fn begin_to_read(executor: Executor, family: Family, reader: &mut Reader<Overlapped>) {
    let mut buffer = [0; 8];
    let mut read = pin!(family.read(reader, &mut buffer));
    executor.run(std::future::poll_fn(|context| {
        for _ in 0..3 {
            assert!(read.as_mut().poll(context).is_pending(), "there is nothing to read");
        }
        Poll::Ready(())
    }));
}

pub(crate) fn read_after_a_moment(
    executor: Executor,
    family: Family,
    reader: &mut Reader<Overlapped>,
    writer: &Writer<Overlapped>,
) {
    let mut buffer = [0; 8];
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT / 4);
            let mut writer = writer;
            writer.write_all(b"moved").unwrap();
        });
        assert_eq!(executor.run(family.read(reader, &mut buffer)).unwrap(), 5, "{executor:?}, {family:?}");
    });
    assert_eq!(&buffer[..5], b"moved");
}

pub(crate) fn an_end_moves_between_executors(backend: Backend) {
    for from in Executor::ALL {
        for to in Executor::ALL {
            let (mut reader, writer) = backend.pipe();
            begin_to_read(from, Family::Tokio, &mut reader);
            read_after_a_moment(to, Family::Futures, &mut reader, &writer);
            read_after_a_moment(from, Family::Tokio, &mut reader, &writer);
        }
    }
}

/// The same future, not only the same end.
pub(crate) fn a_read_moves_between_executors(backend: Backend) {
    for to in Executor::ALL {
        let (mut reader, writer) = backend.pipe();
        let mut buffer = [0; 8];
        // It lives on, but does not run: what waits in its reactor would wait for ever.
        let stopped = current_thread();
        {
            let mut read = pin!(Family::Tokio.read(&mut reader, &mut buffer));
            stopped.block_on(std::future::poll_fn(|context| {
                for _ in 0..3 {
                    assert!(read.as_mut().poll(context).is_pending());
                }
                Poll::Ready(())
            }));
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(MOMENT / 4);
                    (&writer).write_all(b"moved").unwrap();
                });
                assert_eq!(to.run(read).unwrap(), 5, "{to:?}");
            });
        }
        assert_eq!(&buffer[..5], b"moved");
    }
}

/// In the middle of a tokio task, whose budget and reactor stand still meanwhile: calls that do not
/// use tokio's trait need neither.
pub(crate) fn another_executor_inside_a_tokio_task(backend: Backend) {
    crate::executors::current_thread().block_on(async {
        let task = tokio::spawn(async move {
            let (mut reader, mut writer) = backend.pipe();
            let peer = thread::spawn(move || {
                for number in 0..400_u32 {
                    if number % 100 == 99 {
                        thread::sleep(MOMENT / 4);
                    }
                    futures::executor::block_on(Family::Futures.write_all(&mut writer, &number.to_le_bytes())).unwrap();
                }
            });
            futures::executor::block_on(async {
                for number in 0..200_u32 {
                    let mut bytes = [0; 4];
                    futures::AsyncReadExt::read_exact(&mut reader, &mut bytes).await.unwrap();
                    assert_eq!(bytes, (2 * number).to_le_bytes());
                    assert_eq!(reader.submit_read(vec![0; 4]).await.1, (2 * number + 1).to_le_bytes());
                }
            });
            peer.join().unwrap();
        });
        task.await.unwrap();
    });
}

pub(crate) fn an_operation_moves_between_executors(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut op = reader.submit_read(vec![0; 8]);
    for executor in Executor::ALL {
        executor.run(std::future::poll_fn(|context| {
            assert!(Pin::new(&mut op).poll(context).is_pending());
            Poll::Ready(())
        }));
    }
    assert!(Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    writer.submit_write("at last").wait().0.unwrap();
    assert_eq!(Executor::Smol.run(op).0.unwrap(), 7);
}
