//! Ends and operations that change their executor, and executors that end.

use std::future::Future;
use std::io::Write;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use anonpipe::{Overlapped, Reader, Writer};

use crate::Backend;
use crate::executors::{Executor, Family, current_thread, multi_thread};
use crate::harness::{MOMENT, patience};
use crate::transfer_ways::is_cancelled;

/// Polls a read in an executor until it waits for the system, and leaves it.
fn begin_to_read(executor: Executor, family: Family, reader: &mut Reader<Overlapped>) {
    let mut buffer = [0; 8];
    let mut read = pin!(family.read(reader, &mut buffer));
    executor.run(std::future::poll_fn(|context| {
        for _ in 0..3 {
            assert!(read.as_mut().poll(context).is_pending(), "there is nothing to read");
        }
        Poll::Ready(())
    }));
}

fn read_after_a_moment(
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
        // It lives on while it is not run: what waits in its reactor would wait for ever.
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

pub(crate) fn a_runtime_shuts_down_with_a_read_waiting(backend: Backend) {
    for new in [current_thread, multi_thread] {
        let (mut reader, writer) = backend.pipe();
        let (ended, task) = std::sync::mpsc::channel();
        let (waits, waiting) = tokio::sync::oneshot::channel();
        let runtime = new();
        runtime.block_on(async {
            tokio::spawn(async move {
                let mut end = GiveBack(Some(reader), ended);
                let mut buffer = [0; 8];
                let mut read = pin!(Family::Tokio.read(end.0.as_mut().expect("the end"), &mut buffer));
                assert!(futures::poll!(&mut read).is_pending(), "there is nothing to read");
                waits.send(()).unwrap();
                let _ = read.await;
            });
            waiting.await.unwrap();
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < patience(), "the shutdown waits for the peer");
        reader = task.recv().expect("the end, when the task was dropped");
        // It works on in the next runtime, and on no runtime.
        for executor in Executor::ALL {
            read_after_a_moment(executor, Family::Tokio, &mut reader, &writer);
        }
        drop((reader, writer));
    }
}

/// Sends an end away when it is dropped: a task that is shut down gives its end back.
struct GiveBack(Option<Reader<Overlapped>>, std::sync::mpsc::Sender<Reader<Overlapped>>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(reader) = self.0.take() {
            let _ = self.1.send(reader);
        }
    }
}

pub(crate) fn operations_outlive_a_runtime(backend: Backend) {
    for new in [current_thread, multi_thread] {
        let (reader, writer) = backend.pipe();
        let runtime = new();
        let mut read = reader.submit_read(vec![0; 8]);
        runtime.block_on(async {
            let _ = tokio::time::timeout(MOMENT / 4, &mut read).await.unwrap_err();
        });
        runtime.shutdown_background();
        writer.submit_write("after").wait().0.unwrap();
        let (count, buffer) = pollster::block_on(&mut read);
        assert_eq!(&buffer[..count.unwrap()], b"after");
    }
}

pub(crate) fn ends_are_dropped_outside_their_runtime(backend: Backend) {
    for new in [current_thread, multi_thread] {
        let (mut reader, mut writer) = backend.small_pipe();
        let runtime = new();
        runtime.block_on(async {
            let _ = tokio::time::timeout(MOMENT / 4, Family::Tokio.read(&mut reader, &mut [0; 8])).await.unwrap_err();
            let all = Family::Tokio.write_all(&mut writer, &[7; 5_000_000]);
            let _ = tokio::time::timeout(MOMENT / 4, all).await.unwrap_err();
        });
        drop(writer);
        drop(runtime);
        drop(reader);
    }
}

/// A runtime without a reactor: tokio's trait panics there as tokio's own types do, where it would wait in the reactor. All else
/// works as it does without the feature `tokio`.
pub(crate) fn a_runtime_without_its_reactor(backend: Backend) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut reader, writer) = backend.pipe();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..4 {
                thread::sleep(MOMENT / 4);
                (&writer).write_all(b"driven").unwrap();
            }
        });
        runtime.block_on(async {
            for _ in 0..2 {
                assert_eq!(Family::Futures.read(&mut reader, &mut [0; 6]).await.unwrap(), 6);
                assert_eq!(reader.submit_read(vec![0; 6]).await.1, b"driven");
            }
        });
    });
    if cfg!(unix) {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // Past the hook, which would print.
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| ()));
            let read = runtime.block_on(async { tokio_read_once(&mut reader).await });
            std::panic::set_hook(hook);
            read
        }));
        assert!(panicked.is_err(), "tokio's own types panic here");
    }
}

async fn tokio_read_once(reader: &mut Reader<Overlapped>) -> std::io::Result<usize> {
    Family::Tokio.read(reader, &mut [0; 6]).await
}

/// In the middle of a tokio task, whose budget and reactor do not go on meanwhile: what does not come by tokio's trait needs
/// neither.
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

/// What is around a loop of ours does not turn meanwhile, so nothing waits in its reactor.
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

/// A driver is for ends that nobody has waited for yet, whoever would have told them.
pub(crate) fn an_end_that_waited_is_not_attached(backend: Backend) {
    for executor in [Executor::TokioCurrentThread, Executor::Smol] {
        let driver = anonpipe::Driver::new().unwrap();
        let (mut reader, _writer) = backend.pipe();
        begin_to_read(executor, Family::Tokio, &mut reader);
        let refused = reader.attach(&driver).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy, "{executor:?}");
    }
}

/// Nor does it live on the budget of a task around it, which gets no new one before the loop has ended.
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
