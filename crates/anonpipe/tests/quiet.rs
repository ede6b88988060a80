//! A child that runs and says nothing costs no thread and next to no memory, and what it says at
//! its end arrives.
//!
//! The library is `tokio` if the variable `ANONPIPE_QUIET_LIBRARY` says so; on Windows, and under
//! Wine, this fails then. `examples/quiet_children.rs` prints the numbers for more children.

#![allow(missing_docs, reason = "a test's name says what it is about")]

#[path = "../examples/quiet_children/child.rs"]
mod child;
#[path = "../examples/quiet_children/listen.rs"]
mod listen;
#[path = "../examples/quiet_children/resources.rs"]
mod resources;

use std::io::{self, Write};
use std::process::{Command, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{env, thread};

use child::{Library, Started, last_words, persistently};
use listen::Listened;
use tokio::time::{sleep, timeout};

/// The variable that makes this test a child, with its number.
const CHILD: &str = "ANONPIPE_QUIET_CHILD";

const NAME: &str = "a_quiet_child_costs_no_thread";

/// How long the threads are given to come up.
const MOMENT: Duration = Duration::from_millis(500);

/// How long the test may take. A machine that is much slower than usual says so in the variable.
fn deadline() -> Duration {
    let seconds = env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(120))
}

/// How long a child that was told to end has for its last words.
fn patience() -> Duration {
    deadline() / 6
}

/// How much more memory 24 children more may take: their tasks and buffers, and pages that were not
/// touched before. Over `tokio::process` it is 48 MB under Wine.
const SLACK: u64 = 4_000_000;

type Start = fn(Command) -> io::Result<Started>;

/// Alone in its file, because it counts the threads of its process.
#[test]
fn a_quiet_child_costs_no_thread() {
    if let Ok(number) = env::var(CHILD) {
        // Without what the test harness would say afterwards.
        exit(i32::from(child::be(number.parse().unwrap()).is_err()));
    }
    watched(|| {
        resources::allow_files(32 * 4 + 100).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            for (way, start) in ways() {
                check(way, start).await;
            }
        });
    });
}

fn ways() -> Vec<(&'static str, Start)> {
    let library = env::var("ANONPIPE_QUIET_LIBRARY").unwrap_or_else(|_| Library::Anonpipe.name().to_owned());
    let library = Library::ALL.into_iter().find(|any| any.name() == library).expect("anonpipe or tokio");
    match library {
        Library::Anonpipe => vec![
            ("tokio's traits", |command| Library::Anonpipe.start(command)),
            #[cfg(feature = "futures-io")]
            ("the traits of futures-io", |command| {
                child::over_anonpipe(command, |reader| {
                    Box::new(tokio_util::compat::FuturesAsyncReadCompatExt::compat(reader))
                })
            }),
        ],
        Library::Tokio => vec![("tokio::process", |command| Library::Tokio.start(command))],
    }
}

async fn check(way: &str, start: Start) {
    let mut all = Vec::new();
    add(&mut all, 8, start).await;
    let (threads, memory) = usage();
    add(&mut all, 24, start).await;
    let (threads_of_more, memory_of_more) = usage();
    assert_eq!(threads_of_more, threads, "{way}: threads with 32 quiet children, and with 8");
    assert!(memory_of_more < memory + SLACK, "{way}: {memory_of_more} bytes with 32 quiet children, {memory} with 8");
    counts_one_more_thread(threads);

    // One after the other, while the rest stays quiet.
    for mut listened in all.into_iter().rev() {
        let words = last_words(listened.number);
        let said = timeout(patience(), listened.hear()).await.expect("the ends of both streams").unwrap();
        // On the first stream the test harness has spoken before.
        assert!(said[0].ends_with(&words[0]), "{way}: {said:?}, not {words:?}");
        assert_eq!(said[1], words[1], "{way}");
        let gone = async {
            while !listened.child.has_ended().unwrap() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        if timeout(patience(), gone).await.is_err() {
            listened.child.kill().unwrap();
            panic!("{way}: child {} has closed its streams, and lives", listened.number);
        }
    }
}

/// Starts `count` children more, which are this test in processes of their own, and returns when
/// all are being read.
async fn add(all: &mut Vec<Listened>, count: u32, start: Start) {
    let reads = Arc::new(AtomicU32::new(0));
    for _ in 0..count {
        let number = u32::try_from(all.len()).unwrap();
        let started = persistently(|| {
            let mut command = Command::new(env::current_exe()?);
            command.args([NAME, "--exact", "--nocapture", "--quiet"]).env(CHILD, number.to_string());
            start(command)
        });
        all.push(Listened::new(started.unwrap(), number, &reads));
    }
    let begun = async {
        while reads.load(Ordering::Relaxed) < count {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(patience(), begun).await.expect("all reads begin");
    sleep(MOMENT).await;
}

fn usage() -> (u64, u64) {
    (resources::threads().unwrap(), resources::memory().unwrap())
}

/// The count is none that always says the same.
fn counts_one_more_thread(before: u64) {
    let (go_on, waits) = channel::<()>();
    let another = thread::spawn(move || waits.recv());
    assert_eq!(resources::threads().unwrap(), before + 1, "with another thread");
    drop(go_on);
    another.join().unwrap().unwrap_err();
}

/// Runs the test, and ends the process if it hangs, wherever it does.
fn watched(test: impl FnOnce()) {
    let (running, ended) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(deadline()) == Err(RecvTimeoutError::Timeout) {
            let _ = writeln!(io::stderr(), "\ntest {NAME} hangs: not done after {:?}", deadline());
            exit(86);
        }
    });
    test();
    drop(running);
    watchdog.join().expect("the watchdog");
}
