//! Each call to the system that may be refused, refused: the error says so, nothing is left, and it
//! works afterwards. Each rule has a process of its own.

use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;

use anonpipe::Driver;

use crate::Backend;
use crate::harness::{MOMENT, soon};
use crate::resources;
use crate::steps::{self, Action, Needs, Refusing};
use crate::system::{Refused, handles, threads};

/// What a process or a thread makes once is refused first: the port, the driver's thread, the event
/// of a thread that blocks, the writer that closed ends share. Then the nth call is refused, for
/// each n, until there are no more.
pub(crate) fn every_call_refused_in_turn(backend: Backend) {
    let mut refused = Refused::hook();
    let (mut failed, mut done_without) = (0, 0);
    drop(backend.pipe());
    let before = threads();
    for (call, action) in made_once() {
        refused.the_first(call);
        action.fails_with(backend, &mut refused);
        failed += 1;
    }
    assert_eq!(threads(), before, "no thread was left");
    let mut warm = 0;
    soon("the first use", || {
        made_once().for_each(|(_, action)| action.works(backend));
        warm = resources::warm_up(backend);
        handles() == warm
    });

    // A long write that is refused goes on in smaller pieces.
    for (call, name, fails) in [("ReadFile", "a submitted read", true), ("WriteFile", "a submitted write", false)] {
        refused.the_first(call);
        let tried = named(name).expect("one of them").try_with(backend, &mut refused, 0);
        assert!(tried.was_refused && tried.failed == fails, "without {call}");
        failed += usize::from(fails);
        done_without += usize::from(!fails);
    }
    for action in steps::all() {
        let before = failed + done_without;
        for place in 1.. {
            refused.the_nth(place);
            let tried = action.try_with(backend, &mut refused, 0);
            if !tried.was_refused {
                break;
            }
            failed += usize::from(tried.failed);
            done_without += usize::from(!tried.failed);
        }
        // These need nothing more.
        let is_content = action.needs == Needs::Nothing
            || action.name.starts_with("a blocked")
            || made_once().any(|(call, other)| call == CREATE && other.name == action.name);
        assert_eq!(failed + done_without == before, is_content, "{}", action.name);
    }
    let all = failed + done_without;
    let _ = writeln!(io::stderr(), "{all} calls refused in turn: {failed} errors, {done_without} done without");
}

const CREATE: &str = "NtCreateNamedPipeFile";

/// The calls that make what stays, and an action that cannot do without it.
fn made_once() -> impl Iterator<Item = (&'static str, &'static Action)> {
    let all = [
        ("CreateIoCompletionPort", "a submitted read"),
        ("CreateThread", "a submitted read"),
        ("CreateEventW", "a blocked read"),
        (CREATE, "closing a writer"),
    ];
    all.into_iter().filter_map(|(call, action)| Some((call, named(action)?)))
}

/// A notice is lost if the system has no memory for it. What it was to end then ends a little
/// later: the thread of a driver whose owner is gone, a turn without a limit, a future's wait.
pub(crate) fn a_lost_notice_is_made_up_for(backend: Backend) {
    const POST: &str = "PostQueuedCompletionStatus";
    let mut refused = Refused::hook();
    resources::warm_up(backend);
    let (handles_before, threads_before) = (handles(), threads());
    let (reader, writer) = backend.pipe();
    let driver = Driver::new().unwrap();
    reader.attach(&driver).unwrap();
    drop(driver);
    // Its thread waits.
    thread::sleep(MOMENT);
    refused.the_first(POST);
    refused.begin();
    drop(reader);
    assert!(refused.end().is_some(), "the last end of a driver is dropped without a notice");
    drop(writer);
    soon("its thread and its port are gone", || threads() <= threads_before && handles() <= handles_before);

    let driver = Driver::new().unwrap();
    thread::scope(|scope| {
        let turning = scope.spawn(|| driver.turn(None));
        thread::sleep(MOMENT);
        refused.begin();
        driver.notify();
        assert!(refused.end().is_some());
        soon("the turn ends", || turning.is_finished());
    });
    let woken = AtomicBool::new(false);
    let waker = Mutex::new(None);
    thread::scope(|scope| {
        let future = poll_fn(|context| {
            *waker.lock().unwrap() = Some(context.waker().clone());
            if woken.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        });
        let waiting = scope.spawn(|| driver.block_on(future));
        thread::sleep(MOMENT);
        woken.store(true, Ordering::SeqCst);
        let waker: Waker = waker.lock().unwrap().take().expect("it was polled");
        refused.begin();
        waker.wake();
        assert!(refused.end().is_some());
        soon("the future goes on", || waiting.is_finished());
    });
}

/// `None`: this build has no such action.
fn named(name: &str) -> Option<&'static Action> {
    steps::all().find(|action| action.name == name)
}
