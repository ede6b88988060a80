//! Compares the handles and threads of this process before and after a rule.
//!
//! With `ANONPIPE_TEST_LEFTOVERS` set, every rule is checked like this. That needs
//! `--test-threads=1`, because other rules have handles and threads, too. `scripts/test-leftovers`
//! does it.

use std::env;
use std::fmt::Write;
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::Backend;
use crate::harness::{MOMENT, patience};
use crate::resources;
use crate::system::{Thing, handles, open_handles, running_threads, threads};

/// Asks for the check.
const WANTED: &str = "ANONPIPE_TEST_LEFTOVERS";

/// Tells a process that runs one rule what is made once and stays: handles and threads.
const STAYS: &str = "ANONPIPE_TEST_STAYS";

pub(crate) fn are_looked_for() -> bool {
    env::var_os(WANTED).is_some()
}

/// What a process makes once and keeps: the driver and its thread, and the like of other libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stays {
    handles: usize,
    threads: usize,
}

impl Stays {
    const NOTHING: Self = Self { handles: 0, threads: 0 };

    /// As measured in this process, which has it from then on.
    fn measured() -> Self {
        static MEASURED: OnceLock<Stays> = OnceLock::new();
        *MEASURED.get_or_init(|| {
            let before = Found::now();
            on_a_thread(use_everything_once);
            let after = Found::when_steady(20);
            Self { handles: after.handles.saturating_sub(before.handles), threads: after.threads - before.threads }
        })
    }

    fn told() -> Option<Self> {
        let text = env::var(STAYS).ok()?;
        let (handles, threads) = text.split_once(' ')?;
        Some(Self { handles: handles.parse().ok()?, threads: threads.parse().ok()? })
    }
}

/// For a process that runs one rule, and must not have used the library before.
pub(crate) fn variable_for_another_process() -> (&'static str, String) {
    let stays = Stays::measured();
    (STAYS, format!("{} {}", stays.handles, stays.threads))
}

fn use_everything_once() {
    for backend in Backend::ALL {
        resources::use_once(*backend);
    }
    #[cfg(all(feature = "tokio", feature = "futures-io"))]
    {
        use crate::executors::{Executor, Family};

        for executor in Executor::ALL {
            // smol's thread stays, and with it what it waits with.
            executor.run_both(async { resources::use_once(Backend::ALL[0]) }, async {});
        }
        let (_reader, mut writer) = Backend::ALL[0].pipe();
        pollster::block_on(Family::Futures.close(&mut writer)).expect("a writer is closed");
    }
    #[cfg(windows)]
    {
        keep_the_thread_pool_waiting();
        // A waker that blocks keeps the event of the thread that it blocks: the driver's, or that
        // of the pool which waits for events of adopted handles.
        crate::wakers::a_waker_may_write_behind_a_large_write(Backend::ALL[0]);
        block_the_pools_thread_once();
    }
}

/// For an event of an adopted handle, for good. The pool's thread ends when it has had nothing to
/// wait for in 5 s, and every rule that made it would have to wait for that.
#[cfg(windows)]
fn keep_the_thread_pool_waiting() {
    static KEPT: OnceLock<Mutex<Box<dyn std::any::Any + Send>>> = OnceLock::new();
    KEPT.get_or_init(|| {
        let (reader, writer) = Backend::Adopted.pipe();
        let op = reader.submit_read(vec![0; 1]);
        Mutex::new(Box::new((reader, writer, op)))
    });
}

/// The event of the thread that calls wakers for adopted handles is there from then on. A read that
/// finds its byte when it is issued is told by the driver's thread, and has shown nothing.
#[cfg(windows)]
fn block_the_pools_thread_once() {
    use std::io::Write as _;
    use std::task::{Context, Wake, Waker};

    struct Blocks(anonpipe::Writer<anonpipe::Overlapped>, std::sync::mpsc::Sender<bool>);

    impl Wake for Blocks {
        fn wake(self: std::sync::Arc<Self>) {
            (&self.0).write_all(b"!").expect("it fits");
            let _ = self.1.send(thread::current().name().is_none());
        }
    }

    let (send, on_the_pools) = channel();
    loop {
        let ((reader, writer), (_other_reader, other)) = (Backend::Adopted.pipe(), Backend::Adopted.pipe());
        let waker = Waker::from(std::sync::Arc::new(Blocks(other, send.clone())));
        let mut op = std::pin::pin!(reader.submit_read(vec![0; 1]));
        if op.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::sleep(MOMENT);
            (&writer).write_all(b"!").expect("it fits");
            if on_the_pools.recv().expect("it is woken") {
                break;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    handles: usize,
    threads: usize,
}

impl Found {
    fn now() -> Self {
        Self { handles: handles(), threads: threads() }
    }

    /// When what is about to end has ended.
    fn when_steady(times: usize) -> Self {
        let (mut last, mut steady) = (Self::now(), 0);
        while steady < times {
            thread::sleep(Duration::from_millis(5));
            let now = Self::now();
            steady = if now == last { steady + 1 } else { 0 };
            last = now;
        }
        last
    }
}

/// How long what is about to end may take. Further threads of Wine's thread pool take 5 s.
fn time_to_end() -> Duration {
    patience() / 2
}

/// Runs a rule that shares its process with those before it. What they have in common is made
/// first. A thread of the pool may still make an event of its own, when a waker blocks it for the
/// first time. That stays once; what a rule leaves, it leaves again.
pub(crate) fn none_after(name: &str, rule: impl Fn() + Send + Sync) {
    Stays::measured();
    let Some(once) = left_by(&rule, Stays::NOTHING, time_to_end()) else { return };
    if let Some(again) = left_by(&rule, Stays::NOTHING, time_to_end()) {
        panic!("{name} leaves {once}\nand when it is run again {again}");
    }
}

/// Runs a rule that has a process of its own. What stays is made afterwards, if the rule has not
/// made it.
pub(crate) fn none_after_the_only(name: &str, rule: impl FnOnce() + Send) {
    let stays = Stays::told().expect("the process that started this one said so");
    let rule = || {
        on_a_thread(rule);
        use_everything_once();
    };
    if let Some(left) = left_by(rule, stays, time_to_end()) {
        panic!("{name} leaves {left}");
    }
}

/// A thread's own things go with it.
fn on_a_thread(run: impl FnOnce() + Send) {
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// What is there after a rule that was not there before, in words.
fn left_by(rule: impl FnOnce() + Send, stays: Stays, time_to_end: Duration) -> Option<String> {
    let (found, handles_before, threads_before) = (Found::now(), open_handles(), running_threads());
    on_a_thread(rule);
    let start = Instant::now();
    let left = loop {
        let now = Found::now();
        if now.handles <= found.handles + stays.handles && now.threads <= found.threads + stays.threads {
            return None;
        }
        if start.elapsed() > time_to_end {
            break now;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let mut text = format!(
        "{} handles (expected: {}) and {} threads (expected: {})",
        left.handles.saturating_sub(found.handles),
        stays.handles,
        left.threads.saturating_sub(found.threads),
        stays.threads
    );
    for (kind, now, before) in
        [("handle", open_handles(), handles_before), ("thread", running_threads(), threads_before)]
    {
        for Thing { number, is } in now.iter().filter(|thing| !before.contains(thing)) {
            let _ = write!(text, "\n  {kind} {number}: {is}");
        }
        for Thing { number, is } in before.iter().filter(|thing| !now.contains(thing)) {
            let _ = write!(text, "\n  gone: {kind} {number}: {is}");
        }
    }
    Some(text)
}

/// The check is none that always passes.
pub(crate) fn what_is_left_is_named(backend: Backend) {
    let left = |rule: &(dyn Fn() + Sync)| left_by(rule, Stays::NOTHING, MOMENT);
    on_a_thread(|| resources::use_once(backend));
    assert_eq!(left(&|| drop(backend.pipe())), None);

    let kept = Mutex::new(Vec::new());
    let text = left(&|| kept.lock().expect("no panic").push(backend.pipe())).expect("a pair is left");
    assert!(text.starts_with("2 handles (expected: 0) and 0 threads"), "{text}");
    assert!(!cfg!(target_os = "linux") || text.contains(": pipe:["), "{text}");
    assert!(!cfg!(windows) || text.contains(": File"), "{text}");
    drop(kept);
    assert_eq!(left(&|| drop(backend.pipe())), None);

    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(Some(waits));
    let text = left(&|| {
        let waits = waits.lock().expect("no panic").take().expect("once");
        thread::Builder::new().name("left behind".into()).spawn(move || waits.recv()).expect("a thread");
    });
    let text = text.expect("a thread is left");
    assert!(text.contains(" and 1 threads (expected: 0)") && text.contains("\n  thread "), "{text}");
    assert!(!cfg!(target_os = "linux") || text.contains(": left behind"), "{text}");
    drop(go_on);
}
