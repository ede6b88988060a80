//! The heap after a thousand repetitions of a rule: it holds no more than before. Each rule has a
//! process of its own.

use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Driver, Overlapped, Reader};

use crate::Backend;
use crate::harness::{rounds, soon};
use crate::system::heap_in_use;
use crate::transfer_ways::kind;

/// A rule, and its name.
type Named = (&'static str, fn(Backend));

macro_rules! chosen {
    ($name:ident: $($topic:ident::$rule:ident),+ $(,)?) => {
        const $name: &[Named] =
            &[$((concat!(stringify!($topic), "::", stringify!($rule)), crate::$topic::$rule),)+];
    };
}

// The quick ones, so that a thousand repetitions are quick, too: what ends well, is cancelled,
// fails, is dropped or converted in the middle.
chosen!(OF_OPERATIONS:
    cancel_and_timeout::a_cancelled_read_leaves_the_others_in_order,
    cancel_and_timeout::a_cancelled_write_says_what_went,
    drops::a_dropped_end_cancels_its_reads,
    drops::a_dropped_operation_leaves_the_rest,
    eof::data_queued_at_close_stays_readable,
    eof::late_writes_are_broken_pipes,
    wakers::a_waker_may_drop_everything,
);

chosen!(OF_PAIRS:
    conversion::refused_while_clones_live,
    conversion::there_and_back_again,
    creation::a_capacity_beyond_the_system_is_refused,
    creation::default_pairs_are_overlapped_and_private,
    errors::the_systems_error_is_the_source,
);

#[cfg(all(feature = "tokio", feature = "futures-io"))]
chosen!(OF_TASKS:
    task_flushes::an_accepted_writes_failure_is_reported,
    task_writes::closing_a_writer_is_the_end_of_file,
    task_writes::halves_keep_what_was_accepted,
    tasks::a_cancel_between_two_polls_is_not_lost,
    tasks::what_was_submitted_before_goes_first,
);

/// What operations need is given back, however they end.
pub(crate) fn operations_keep_nothing(backend: Backend) {
    all_keep_nothing(backend, OF_OPERATIONS);
    all_keep_nothing(backend, &[("timeouts", timeouts), ("drivers", drivers)]);
}

pub(crate) fn pairs_keep_nothing(backend: Backend) {
    all_keep_nothing(backend, OF_PAIRS);
}

#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn tasks_keep_nothing(backend: Backend) {
    all_keep_nothing(backend, OF_TASKS);
}

fn timeouts(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    assert_eq!(kind(reader.read_timeout(&mut [0; 8], Duration::ZERO)), ErrorKind::TimedOut);
    let mut op = reader.submit_read(vec![0; 8]);
    assert!(op.wait_timeout(Duration::ZERO).is_none());
    assert_eq!(kind(writer.write_timeout(&[0; 20_000], Duration::ZERO)), ErrorKind::TimedOut);
}

/// Of the caller's, dropped with ends that go on for a while.
fn drivers(backend: Backend) {
    let attached = |driver: &Driver| {
        let (reader, writer) = backend.pipe();
        reader.attach(driver).expect("it was never used");
        let op = reader.submit_read(vec![0; 8]);
        (reader, writer, op)
    };
    let driver = Driver::new().expect("a driver");
    let (reader, writer, op) = attached(&driver);
    (&writer).write_all(b"abc").expect("room");
    assert_eq!(op.wait().0.expect("bytes"), 3);
    let left: (Reader<Overlapped>, _, _) = attached(&driver);
    drop((driver, reader, left));
}

/// Less than a byte each, in a thousand repetitions: what grows now and then.
const NOISE: usize = 1000;

fn all_keep_nothing(backend: Backend, chosen: &[Named]) {
    // Under Wine each takes twenty times as long.
    let repetitions = rounds(if crate::system::is_wine() { 100 } else { 1000 });
    for (name, rule) in chosen {
        let start = Instant::now();
        // On threads of their own: a thread's tasks let others run when they have long found
        // everything ready, and a rule is about the first polls.
        let act = || thread::scope(|scope| scope.spawn(|| rule(backend)).join().expect("the rule holds"));
        match kept_by(act, repetitions) {
            None => {
                if std::env::var_os("ANONPIPE_TEST_TIMES").is_some() {
                    let _ = writeln!(io::stderr(), "{name}: {:?}", start.elapsed());
                }
            }
            Some(kept) => panic!("{repetitions} repetitions of {name} keep {kept}"),
        }
    }
}

/// What repetitions keep of the heap, in words.
fn kept_by(mut act: impl FnMut(), repetitions: usize) -> Option<String> {
    // Until what grows to a certain size has done so.
    for _ in 0..repetitions.min(50) {
        act();
    }
    let (bytes, blocks) = at_rest();
    for _ in 0..repetitions {
        act();
    }
    let (mut more, start) = ((0, 0), Instant::now());
    while start.elapsed() < Duration::from_secs(2) {
        let (bytes_now, blocks_now) = at_rest();
        more = (bytes_now.saturating_sub(bytes), blocks_now.saturating_sub(blocks));
        if more.0 < NOISE {
            return None;
        }
    }
    Some(format!("{} bytes in {} blocks", more.0, more.1))
}

/// The heap when the driver has done what it had to do.
fn at_rest() -> (usize, usize) {
    let (mut last, mut steady) = (heap_in_use(), 0);
    soon("a steady heap", || {
        let now = heap_in_use();
        steady = if now == last { steady + 1 } else { 0 };
        last = now;
        steady == 20
    });
    last
}

/// The check is none that always passes: one small block each.
pub(crate) fn what_is_kept_is_noticed(backend: Backend) {
    let kept = Mutex::new(Vec::with_capacity(2000));
    let keep = || {
        drop(backend.pipe());
        kept.lock().expect("no panic").push(Box::new(1_u8));
    };
    let text = kept_by(keep, 1000).expect("a thousand blocks are kept");
    assert_eq!(text, "1000 bytes in 1000 blocks");
    assert_eq!(kept_by(|| drop(backend.pipe()), 1000), None);
}
