//! No task and no pipe holds up the others, be it busy or quiet.

use std::future::Future;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anonpipe::Overlapped;

use crate::Backend;
use crate::executors::{Executor, Family};
use crate::harness::{MOMENT, patience};
use crate::manual_polls::MUCH;

/// See [`a_pipe_that_nobody_reads_does_not_delay_the_end_of_another`][1]: tasks, on a runtime with
/// one thread to spare.
///
/// [1]: crate::queue::a_pipe_that_nobody_reads_does_not_delay_the_end_of_another
pub(crate) fn quiet_pipes_do_not_delay_the_end_of_another(backend: Backend) {
    for workers in [1, 2] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).max_blocking_threads(1).enable_all().build().unwrap();
        for family in Family::BOTH {
            let mut quiet = Vec::new();
            for _ in 0..50 {
                let (mut reader, peer) = backend.small_pipe();
                quiet.push((
                    runtime.spawn(async move { family.read(&mut reader, &mut [0; 8]).await.map(drop) }),
                    Err(peer),
                ));
                let (peer, mut writer) = backend.small_pipe();
                let write = async move { family.write_all(&mut writer, &vec![0; 10 * MUCH]).await };
                quiet.push((runtime.spawn(write), Ok(peer)));
            }
            let (mut reader, mut writer) = backend.pipe();
            let talk = runtime.spawn(async move {
                tokio::time::sleep(MOMENT / 2).await;
                family.write_all(&mut writer, b"last words").await
            });
            let end = runtime.spawn(async move {
                let mut all = Vec::new();
                let mut buffer = [0; 64];
                loop {
                    match family.read(&mut reader, &mut buffer).await.unwrap() {
                        0 => break all,
                        count => all.extend_from_slice(&buffer[..count]),
                    }
                }
            });
            let spare = runtime.spawn_blocking(|| "answers");
            let all = runtime.block_on(async { tokio::time::timeout(patience(), end).await });
            assert_eq!(all.expect("the end of file").unwrap(), b"last words");
            let spare = runtime.block_on(async { tokio::time::timeout(patience(), spare).await });
            assert_eq!(spare.expect("the thread to spare").unwrap(), "answers");
            runtime.block_on(talk).unwrap().unwrap();
            assert!(
                quiet.iter().all(|(task, _)| !task.is_finished()),
                "they must be pending for this to mean something"
            );
            quiet.iter().for_each(|(task, _)| task.abort());
        }
    }
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

/// On every executor, also on those that give their tasks no budget.
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
