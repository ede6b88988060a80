//! Runtimes that shut down, have no reactor, or are left by an end. Each rule has a process of its
//! own.

use std::io::{Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Duplex, Overlapped, Reader};
use tokio::runtime::Runtime;

use crate::executor_changes::read_after_a_moment;
use crate::executors::{Executor, Family, current_thread, multi_thread};
use crate::harness::{MOMENT, patience, soon};
use crate::manual_polls::WokenFlag;
use crate::resources::{none_left, warm_up};
use crate::system::threads;
use crate::transfer_ways::{LONG, is_cancelled};
use crate::{Backend, test_data};

/// The ways to end a runtime. None has anything to wait for.
const ENDINGS: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| runtime.shutdown_timeout(LONG)];

#[track_caller]
fn ends_at_once(end: fn(Runtime), runtime: Runtime) {
    let start = Instant::now();
    end(runtime);
    assert!(start.elapsed() < patience(), "it waited for the peer: {:?}", start.elapsed());
}

/// Has tasks wait for a peer that says and reads nothing, in every way; returns the peer's ends.
/// `token` is held by each task.
fn wait_for_a_silent_peer(runtime: &Runtime, backend: Backend, token: &Arc<()>) -> Vec<Duplex<Overlapped>> {
    let mut peers = Vec::new();
    let mut pair = || {
        let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        peers.push(theirs);
        (ours, Arc::clone(token))
    };
    for family in Family::BOTH {
        let (mut ours, token) = pair();
        runtime.spawn(async move {
            let _token = token;
            family.read(&mut ours, &mut [0; 8]).await
        });
        let (mut ours, token) = pair();
        runtime.spawn(async move {
            let _token = token;
            family.write_all(&mut ours, &[7; 3_000_000]).await
        });
        let (mut ours, token) = pair();
        runtime.spawn(async move {
            let _token = token;
            let accepted = family.write(&mut ours, &[7; 100_000]).await.unwrap();
            assert!(accepted > 0);
            family.flush(&mut ours).await?;
            family.read(&mut ours, &mut [0; 8]).await
        });
        let (ours, token) = pair();
        runtime.spawn(async move {
            let _token = token;
            let (mut reader, mut writer) = ours.split();
            let mut buffer = [0; 8];
            let read = family.read(&mut reader, &mut buffer);
            futures::join!(read, family.write_all(&mut writer, &[7; 3_000_000]))
        });
    }
    let (ours, token) = pair();
    runtime.spawn(async move {
        let _token = token;
        let (read, write) = (ours.submit_read(vec![0; 8]), ours.submit_write(vec![7; 3_000_000]));
        let mut left = ours.submit_write(vec![7; 300_000]);
        assert!(futures::poll!(&mut left).is_pending());
        left.detach();
        futures::join!(read, write)
    });
    // Until they all wait.
    runtime.block_on(async { tokio::time::sleep(MOMENT).await });
    peers
}

/// A program must come to its end although a pipe is quiet (tokio-rs/tokio#589,
/// tokio-rs/tokio#2318), and a runtime that ends amid operations leaves no handle behind
/// (tokio-rs/mio#1944).
pub(crate) fn a_runtime_ends_though_its_pipes_are_quiet(backend: Backend) {
    // Makes what a first runtime makes for good.
    let token = Arc::new(());
    for new in [current_thread, multi_thread] {
        let runtime = new();
        let peers = wait_for_a_silent_peer(&runtime, backend, &token);
        drop(runtime);
        drop(peers);
    }
    soon("the tasks are gone", || Arc::strong_count(&token) == 1);
    let before = warm_up(backend);
    let threads_before = threads();
    for new in [current_thread, multi_thread] {
        for end in ENDINGS {
            let runtime = new();
            let peers = wait_for_a_silent_peer(&runtime, backend, &token);
            assert!(Arc::strong_count(&token) > 1, "the tasks must be waiting for this to mean something");
            ends_at_once(end, runtime);
            soon("the tasks are gone", || Arc::strong_count(&token) == 1);
            soon("their threads are gone", || threads() <= threads_before);
            // What was accepted keeps its end open as long as the peer might read it. All other
            // ends are closed.
            none_left(before + peers.len() + if cfg!(windows) { 7 } else { 1 });
            // What was accepted is the peer's to read; with the peer goes the rest.
            drop(peers);
            none_left(before);
        }
    }
}

/// The end of one runtime is not the end of the pipe: what was accepted goes out, what comes
/// meanwhile is kept, and its next owner goes on, whether the runtime has ended or only stands
/// still (tokio-rs/tokio#7056 is about what else there can be to see).
pub(crate) fn an_end_outlives_its_runtimes(backend: Backend) {
    let (mut ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let (mut sent, mut received) = (0, 0);
    let mut stopped = Vec::new();
    for (round, new) in [current_thread, multi_thread, current_thread].into_iter().enumerate() {
        for end in ENDINGS.into_iter().map(Some).chain([None]) {
            let family = Family::BOTH[round % 2];
            let runtime = new();
            let (op, accepted) = runtime.block_on(async {
                let waits = tokio::time::timeout(MOMENT / 8, family.read(&mut ours, &mut [0; 8])).await;
                assert!(waits.is_err(), "there is nothing to read");
                let op = ours.submit_read(vec![0; 8]);
                // Waits behind the operation.
                let waits = tokio::time::timeout(MOMENT / 8, family.read(&mut ours, &mut [0; 8])).await;
                assert!(waits.is_err(), "there is nothing to read");
                (op, family.write(&mut ours, &test_data::bytes(sent, 10_000)).await.unwrap())
            });
            match end {
                Some(end) => ends_at_once(end, runtime),
                None => stopped.push(runtime),
            }
            assert!(!op.is_complete());
            op.cancel();
            assert!(is_cancelled(&op.wait().0));
            sent += accepted;
            let mut found = vec![0; accepted];
            (&theirs).read_exact(&mut found).unwrap();
            test_data::check(received, &found);
            received += accepted;
            for executor in Executor::ALL {
                let mut buffer = [0; 9];
                let read = thread::scope(|scope| {
                    scope.spawn(|| {
                        // Half of the time it is there before the read.
                        thread::sleep(if round == 0 { Duration::ZERO } else { MOMENT / 8 });
                        (&theirs).write_all(b"meanwhile").unwrap();
                    });
                    executor.run(family.read(&mut ours, &mut buffer))
                });
                assert_eq!((read.unwrap(), &buffer), (9, b"meanwhile"));
                executor.run(family.flush(&mut ours)).unwrap();
            }
        }
    }
    drop(ours);
    assert_eq!((&theirs).read(&mut [0; 8]).unwrap(), 0);
}

/// A thread waits with the runtime's reactor, and the runtime ends: the thread must go on waiting
/// with something else.
pub(crate) fn a_task_outlives_the_runtime_whose_reactor_it_waits_in(backend: Backend) {
    for family in Family::BOTH {
        for end in ENDINGS {
            let (mut reader, mut writer) = backend.small_pipe();
            let (mut silent, _peer) = backend.duplex();
            let runtime = multi_thread();
            let handle = runtime.handle().clone();
            let reading = thread::spawn(move || {
                // Polled here, but with the runtime at hand.
                let _entered = handle.enter();
                pollster::block_on(async {
                    let (mut buffer, mut never) = ([0; 16], [0; 16]);
                    let count = {
                        let silent = pin!(family.read(&mut silent, &mut never));
                        let read = pin!(family.read(&mut reader, &mut buffer));
                        futures::future::select(read, silent).await.factor_first().0
                    };
                    assert_eq!(&buffer[..count.unwrap()], b"at last");
                });
                reader
            });
            thread::sleep(MOMENT);
            ends_at_once(end, runtime);
            thread::sleep(MOMENT);
            assert!(!reading.is_finished(), "nothing was written yet");
            pollster::block_on(family.write_all(&mut writer, b"at last")).unwrap();
            let mut reader = reading.join().expect("a read that goes on without its runtime");
            // And a task that is never woken again does no harm.
            let flag = WokenFlag::new();
            flag.pend(|context| family.poll_read(&mut reader, context, &mut [0; 4]));
            let mut polled = family.poll_read(&mut reader, &mut Context::from_waker(Waker::noop()), &mut [0; 4]);
            (&writer).write_all(b"more").unwrap();
            soon("bytes", || {
                if polled.is_pending() {
                    polled = family.poll_read(&mut reader, &mut Context::from_waker(Waker::noop()), &mut [0; 4]);
                }
                matches!(polled, Poll::Ready(Ok(4)))
            });
        }
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

async fn tokio_read_once(reader: &mut Reader<Overlapped>) -> std::io::Result<usize> {
    Family::Tokio.read(reader, &mut [0; 6]).await
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
        // It goes on working in the next runtime, and without a runtime.
        for executor in Executor::ALL {
            read_after_a_moment(executor, Family::Tokio, &mut reader, &writer);
        }
        drop((reader, writer));
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

/// A runtime without a reactor: tokio's trait panics there as tokio's own types do, where it would
/// wait in the reactor. All else works as it does without the feature `tokio`.
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
