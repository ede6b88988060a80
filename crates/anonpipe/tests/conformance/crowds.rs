//! Many pairs at once. Each rule has a process of its own.

use std::io::{self, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Duplex, Op, Overlapped, Reader, Writer};

use crate::Backend;
use crate::system::{is_wine, room_for_handles};

const BUSY: usize = 64;
const THREADS: usize = 8;

/// How many times as long something may take that takes as long as before: machines are busy.
const SLACK: u32 = 4;

/// A pair that waits: to be read, or to be written to.
struct Idle {
    reader: Reader<Overlapped>,
    writer: Writer<Overlapped>,
    op: Op<Vec<u8>>,
    is_read: bool,
}

/// In every tenth a write waits, which the peer does not read.
fn idle(backend: Backend, number: usize) -> Idle {
    let is_read = !number.is_multiple_of(10);
    let (reader, writer) = if is_read { backend.pipe() } else { backend.small_pipe() };
    let op = if is_read { reader.submit_read(vec![0; 4]) } else { writer.submit_write(vec![1; 20_000]) };
    Idle { reader, writer, op, is_read }
}

impl Idle {
    /// It was there all the time, and works.
    fn ends(mut self) {
        assert!(!self.op.is_complete(), "it must wait for this to mean something");
        if self.is_read {
            (&self.writer).write_all(b"last").expect("room");
            assert_eq!(self.op.wait().1, b"last");
        } else {
            let mut all = vec![0; 20_000];
            io::Read::read_exact(&mut self.reader, &mut all).expect("what was written");
            assert_eq!(self.op.wait().0.expect("it went"), 20_000);
        }
    }
}

/// A driver's work for some is no work for the others: round trips on 64 pairs take as long with
/// 10,000 pairs that wait as without them, within bounds.
pub(crate) fn ten_thousand_idle_pairs_do_not_delay_sixty_four(backend: Backend) {
    // Wine's server has all handles of all processes, and is slow.
    let wanted = if is_wine() { 1000 } else { 10_000 };
    let count = wanted.min(room_for_handles(2 * wanted + 2 * BUSY + 200).saturating_sub(2 * BUSY + 200) / 2);
    let busy: Vec<_> = (0..BUSY).map(|_| backend.duplex()).collect();
    let alone = best(&busy);
    let all: Vec<_> = (0..count).map(|number| idle(backend, number)).collect();
    let among_them = best(&busy);
    let _ = writeln!(io::stderr(), "{BUSY} busy pairs: {alone:?}; among {count} idle ones: {among_them:?}");
    assert!(count >= wanted / 20, "the system lets this process have {count} pairs, which is no crowd");
    assert!(among_them < alone * SLACK, "{alone:?}, and {among_them:?} among {count} idle pairs");
    all.into_iter().for_each(Idle::ends);
}

/// The best time of a few, for round trips on all pairs.
fn best(pairs: &[(Duplex<Overlapped>, Duplex<Overlapped>)]) -> Duration {
    let rounds = if is_wine() { 10 } else { 50 };
    let once = || {
        let start = Barrier::new(THREADS + 1);
        thread::scope(|scope| {
            for pairs in pairs.chunks(BUSY / THREADS) {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    (0..rounds).for_each(|_| round_trips(pairs));
                });
            }
            start.wait();
            Instant::now()
        })
        .elapsed()
    };
    (0..5).map(|_| once()).min().expect("five")
}

/// All pairs at once, each through the driver: the reads are there before the writes.
fn round_trips(pairs: &[(Duplex<Overlapped>, Duplex<Overlapped>)]) {
    let asked: Vec<_> = pairs.iter().map(|(_, theirs)| theirs.submit_read(vec![0; 8])).collect();
    let answered: Vec<_> = pairs.iter().map(|(ours, _)| ours.submit_read(vec![0; 8])).collect();
    for (ours, _) in pairs {
        (&*ours).write_all(b"question").expect("room");
    }
    for ((_, theirs), op) in pairs.iter().zip(asked) {
        assert_eq!(op.wait().1, b"question");
        (&*theirs).write_all(b"answered").expect("room");
    }
    for op in answered {
        assert_eq!(op.wait().1, b"answered");
    }
}
