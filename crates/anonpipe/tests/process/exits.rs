//! How a child ends, and those who wait for that.

use std::future::Future;
use std::io::Read;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::process::{Child, Stdio};
use anonpipe::{Driver, wait_any};

use crate::harness::{MOMENT, child, in_time, patience};

fn ending_with(code: &str) -> Child {
    child("exit", &[code]).spawn().unwrap()
}

pub(crate) fn exit_codes_arrive() {
    let codes: &[(&str, i32)] = if cfg!(windows) {
        // 259 is what Windows says of a process that runs.
        &[("0", 0), ("1", 1), ("255", 255), ("259", 259), ("3221225477", 0xC000_0005_u32 as i32), ("-1", -1)]
    } else {
        &[("0", 0), ("1", 1), ("255", 255), ("259", 3), ("-1", 255)]
    };
    for &(code, expected) in codes {
        let status = child("exit", &[code]).status().wait().unwrap();
        assert_eq!(status.code(), Some(expected), "{code}");
        assert_eq!(status.success(), expected == 0);
        let mut child = ending_with(code);
        assert_eq!(in_time(child.exit().wait_timeout(patience())).unwrap().code(), Some(expected));
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(expected));
    }
}

pub(crate) fn waiting_by_every_way() {
    let mut child = ending_with("3");
    assert_eq!(child.wait().wait().unwrap().code(), Some(3));
    assert_eq!(child.wait().wait().unwrap().code(), Some(3), "again");
    assert_eq!(child.exit().wait().unwrap().code(), Some(3), "as an operation");
    assert_eq!(pollster::block_on(child.wait()).unwrap().code(), Some(3));
    assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(3));
    let mut child = crate::harness::child("sleep", &["60000"]).spawn().unwrap();
    let start = Instant::now();
    assert!(child.wait().wait_timeout(MOMENT).is_none());
    assert!(child.exit().wait_timeout(MOMENT).is_none());
    assert!(start.elapsed() >= MOMENT * 2);
    assert!(child.try_wait().unwrap().is_none());
    assert!(!child.exit().is_complete());
    child.start_kill().unwrap();
    let mut call = child.wait();
    assert!(!in_time(call.wait_timeout(patience())).unwrap().success());
    drop(call);
    assert!(child.exit().is_complete());
}

pub(crate) fn waiting_on_every_executor() {
    async fn run() {
        assert_eq!(ending_with("4").exit().await.unwrap().code(), Some(4));
        assert_eq!(ending_with("5").wait().await.unwrap().code(), Some(5));
        assert_eq!(child("exit", &["6"]).status().await.unwrap().code(), Some(6));
        let output = child("say", &["word"]).output().await.unwrap();
        assert_eq!(output.stdout, b"word");
        let mut late = child("sleep", &["60000"]).spawn().unwrap();
        late.kill().await.unwrap();
        let mut two = [ending_with("7"), ending_with("7")];
        let [first, second] = &mut two;
        let (first, second) = futures::join!(first.wait(), second.wait());
        assert_eq!((first.unwrap().code(), second.unwrap().code()), (Some(7), Some(7)));
    }
    pollster::block_on(run());
    smol::block_on(run());
    futures::executor::block_on(run());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run());
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    threads.block_on(async { tokio::spawn(run()).await.unwrap() });
    Driver::new().unwrap().block_on(run());
}

/// The first of several: an end, or something to read.
pub(crate) fn an_exit_is_an_operation() {
    let mut talker = child("say_late", &["first", "60000", "late"]).stdout(Stdio::piped()).spawn().unwrap();
    let ending = ending_with("2");
    let stdout = talker.stdout.take().unwrap();
    let read = stdout.submit_read(vec![0; 16]);
    assert_eq!(wait_any(&[&talker.exit(), &read], Some(patience())), Some(1));
    assert_eq!(read.wait().0.unwrap(), 5);
    let read = stdout.submit_read(vec![0; 16]);
    let exits = [talker.exit(), ending.exit()];
    assert_eq!(wait_any(&[&exits[0], &read, &exits[1]], Some(patience())), Some(2));
    assert_eq!(wait_any(&[&exits[0], &read], Some(MOMENT)), None);
    talker.start_kill().unwrap();
    assert!(wait_any(&[&exits[0], &read], Some(patience())).is_some());
    let [exit, _] = exits;
    assert!(!exit.wait().unwrap().success());
}

pub(crate) fn an_exit_leaves_stdin_open() {
    let mut child = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    assert!(child.exit().wait_timeout(MOMENT).is_none());
    assert!(child.stdin.is_some());
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert_eq!(in_time(child.exit().wait_timeout(patience())).unwrap().code(), Some(7));
}

pub(crate) fn a_wait_closes_stdin() {
    for asynchronously in [false, true] {
        let mut child = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let status = if asynchronously {
            pollster::block_on(child.wait()).unwrap()
        } else {
            in_time(child.wait().wait_timeout(patience())).unwrap()
        };
        assert_eq!(status.code(), Some(7));
    }
}

pub(crate) fn several_wait_for_one_child() {
    let mut child = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let exits: Vec<_> = (0..6).map(|_| child.exit()).collect();
    thread::scope(|scope| {
        let waits: Vec<_> = exits
            .into_iter()
            .enumerate()
            .map(|(index, mut exit)| {
                scope.spawn(move || match index % 3 {
                    0 => exit.wait().unwrap(),
                    1 => pollster::block_on(exit).unwrap(),
                    _ => in_time(exit.wait_timeout(patience())).unwrap(),
                })
            })
            .collect();
        thread::sleep(MOMENT);
        assert!(waits.iter().all(|wait| !wait.is_finished()));
        assert_eq!(child.wait().wait().unwrap().code(), Some(7));
        for wait in waits {
            assert_eq!(wait.join().unwrap().code(), Some(7));
        }
    });
}

/// A waker that is kept keeps its task, and all that is in it.
pub(crate) fn a_wait_that_is_dropped_is_forgotten() {
    struct Count;
    impl std::task::Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let mut child = child("sleep", &["60000"]).spawn().unwrap();
    let count = std::sync::Arc::new(Count);
    let waker = Waker::from(std::sync::Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    {
        let mut exit = pin!(child.exit());
        assert!(exit.as_mut().poll(&mut context).is_pending());
        let mut wait = pin!(child.wait());
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(std::sync::Arc::strong_count(&count), 2, "this test's own");
    child.start_kill().unwrap();
}

pub(crate) fn an_attached_child_needs_no_thread_of_ours() {
    let driver = Driver::new().unwrap();
    let mut child = child("cat", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.attach(&driver).unwrap();
    let exit = child.exit();
    let read = child.stdout.as_ref().unwrap().submit_read(vec![0; 8]);
    child.stdin.as_ref().unwrap().submit_write("attached").wait().0.unwrap();
    driver.block_on(async { assert_eq!(read.await.0.unwrap(), 8) });
    let mut polled = pin!(exit);
    assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(child.attach(&driver).is_err(), "it is being waited for");
    drop(child.stdin.take());
    let start = Instant::now();
    // The loop that the driver is made for.
    while !polled.is_complete() {
        driver.turn(Some(patience())).unwrap();
        assert!(start.elapsed() < patience());
    }
    match polled.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(status) => assert!(status.unwrap().success()),
        Poll::Pending => panic!("it is complete"),
    }
    // The calls turn it themselves.
    let mut late = crate::harness::child("say_late", &["a", "100", "b"]).stdout(Stdio::piped()).spawn().unwrap();
    late.attach(&driver).unwrap();
    assert!(late.wait().wait_timeout(Duration::from_millis(1)).is_none());
    let output = late.wait_with_output().wait().unwrap();
    assert_eq!(output.stdout, b"ab");
}

pub(crate) fn an_id_is_there_until_the_status_was_returned() {
    let mut child = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let id = child.id().unwrap();
    assert!(id > 0);
    assert_eq!(child.id(), Some(id));
    drop(child.stdin.take());
    child.exit().wait().unwrap();
    assert_eq!(child.id(), Some(id), "an operation returns the status to others");
    child.wait().wait().unwrap();
    assert_eq!(child.id(), None);
    // After that there is nothing to be killed, and that is no error.
    child.start_kill().unwrap();
    child.kill().wait().unwrap();
}

pub(crate) fn kill_ends_it() {
    let mut child = child("stubborn", &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    child.kill().wait().unwrap();
    assert!(!child.try_wait().unwrap().unwrap().success());
    assert_eq!(child.stdout.take().unwrap().read(&mut [0; 8]).unwrap(), 0);
}
