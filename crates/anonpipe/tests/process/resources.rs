//! What children cost this process, and what they leave in it. Each of these tests has a process of
//! its own.

use std::env;
use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use anonpipe::process::{Child, Command, Stdio};

use crate::harness::{child, patience, soon};

fn rounds(usually: usize) -> usize {
    env::var("ANONPIPE_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usually)
}

/// How many descriptors, or handles, this process has.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn handles() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many threads this process has.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Not counted.
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
pub(crate) fn handles() -> usize {
    0
}

/// Not counted.
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
fn threads() -> usize {
    0
}

#[cfg(windows)]
use crate::windows::{handles, threads};

pub(crate) fn failed_spawns_leave_nothing() {
    fn fail() {
        let piped = |command: &mut Command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).own_group(true).spawn()
        };
        let mut missing = Command::new("anonpipe-no-such-program");
        piped(&mut missing).unwrap_err();
        missing.input("x").timeout(Duration::from_secs(1)).output().wait().unwrap_err();
        piped(child("say", &["x"]).current_dir("/anonpipe-no-such-folder")).unwrap_err();
        piped(&mut child("say", &["a\0b"])).unwrap_err();
        piped(child("say", &["x"]).env("A\0", "x")).unwrap_err();
    }
    fail();
    let before = handles();
    for _ in 0..20 {
        fail();
    }
    assert_eq!(handles(), before);
}

pub(crate) fn many_short_children_leave_nothing() {
    let run = || {
        assert!(child("exit", &["0"]).status().wait().unwrap().success());
        assert_eq!(child("say", &["x"]).output().wait().unwrap().stdout, b"x");
        assert_eq!(pollster::block_on(child("say", &["y"]).own_group(true).output()).unwrap().stdout, b"y");
        drop(child("exit", &["0"]).stdout(Stdio::piped()).spawn().unwrap());
        let spawned = child("cat", &[]).stdin(Stdio::piped()).spawn().unwrap();
        assert!(spawned.shutdown(patience()).wait().unwrap().success());
        let mut late = child("sleep", &["60000"]).spawn().unwrap();
        assert!(late.exit().wait_timeout(Duration::from_millis(1)).is_none());
        drop(child("sleep", &["60000"]).kill_on_drop(true).spawn().unwrap());
        late.kill().wait().unwrap();
    };
    run();
    run();
    // The dropped ones end when they do.
    let settled = || {
        let mut count = handles();
        soon("as many handles as before", || {
            std::thread::sleep(Duration::from_millis(50));
            std::mem::replace(&mut count, handles()) == count
        });
        count
    };
    let before = settled();
    for _ in 0..rounds(if cfg!(windows) { 8 } else { 60 }) {
        run();
    }
    soon("no more handles than before", || handles() <= before);
}

fn quiet_children(count: usize) -> Vec<Child> {
    (0..count).map(|_| child("cat", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()).collect()
}

pub(crate) fn quiet_children_cost_no_thread() {
    fn listen(children: &[Child]) -> Vec<Box<dyn std::any::Any>> {
        let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
        for child in children {
            let mut exit = child.exit();
            assert!(Pin::new(&mut exit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            kept.push(Box::new((exit, child.stdout.as_ref().unwrap().submit_read(vec![0; 8]))));
        }
        kept
    }
    let mut few = quiet_children(3);
    let heard = listen(&few);
    std::thread::sleep(Duration::from_millis(200));
    let before = threads();
    let mut many = quiet_children(24);
    let heard_too = listen(&many);
    std::thread::sleep(Duration::from_millis(200));
    assert!(threads() <= before, "{} threads, and before that {before}", threads());
    drop((heard, heard_too));
    for mut child in few.drain(..).chain(many.drain(..)) {
        assert!(child.wait().wait().unwrap().success());
    }
}

pub(crate) fn a_blocking_wait_starts_no_thread() {
    let before = threads();
    assert!(child("exit", &["0"]).status().wait().unwrap().success());
    let mut late = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    assert!(late.exit().wait_timeout(Duration::from_millis(30)).is_none());
    assert_eq!(late.wait().wait().unwrap().code(), Some(7));
    let mut all = String::new();
    late.stdout.take().unwrap().read_to_string(&mut all).unwrap();
    assert_eq!(all, "ready\n");
    assert_eq!(threads(), before);
}

/// Nothing but the child's end makes the driver return.
pub(crate) fn an_attached_child_starts_no_thread() {
    let driver = anonpipe::Driver::new().unwrap();
    let before = threads();
    let late = child("sleep", &["300"]).spawn().unwrap();
    late.attach(&driver).unwrap();
    let mut exit = late.exit();
    assert!(Pin::new(&mut exit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let start = std::time::Instant::now();
    while !exit.is_complete() {
        driver.turn(Some(patience())).unwrap();
    }
    assert!(start.elapsed() < patience(), "{:?}", start.elapsed());
    // On Windows a thread of the system's pool has told of it.
    assert!(cfg!(windows) || threads() == before);
}
