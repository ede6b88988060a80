//! A random mix of everything, over many pairs and threads at once: reads and writes of every kind,
//! cancels, timeouts, conversions, halves, clones, executors, runtimes that shut down, drops. What
//! is checked: the bytes that come out are those that went in, in their order; ends of file and
//! broken pipes come where they must, and nowhere else; nothing hangs.
//!
//! A run is a series of rounds, each with a seed of its own: the first with the run's, the next
//! with that plus one, and so on. From a round's seed follow all its decisions ([`plan`],
//! [`steps`]), though not what the system's scheduler makes of them. What goes wrong is reported
//! with the round's seed, which `ANONPIPE_MIX_SEED` takes again; `ANONPIPE_MIX_SECONDS` makes a run
//! longer than a few seconds.
//!
//! Each end has a thread that decides what becomes of it ([`overlapped`], [`plain`]), and sends
//! actors ([`read`], [`write`], [`both`]) to threads and executors ([`venues`]) with it. What goes
//! into a direction, and what comes out, is noted in its [`stream`], and compared in [`check`].

#![allow(missing_docs, reason = "a module's documentation says what it is about")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are the tests' own, and small")]

#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "the conformance tests use the rest")]
mod backend;
#[path = "../conformance/executors.rs"]
#[allow(dead_code, reason = "the conformance tests use the rest")]
mod executors;
#[path = "../conformance/test_data.rs"]
#[allow(dead_code, reason = "the conformance tests use the rest")]
mod test_data;

mod both;
mod check;
mod coming_out;
mod control;
mod crew;
mod ends;
mod going_in;
mod goodbye;
mod guests;
mod inflight;
mod overlapped;
mod plain;
mod plan;
mod read;
mod reading;
mod round;
mod steps;
mod stream;
mod tally;
mod venues;
mod watch;
mod write;
mod writing;

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};
use std::{env, io};

use backend::Backend;

/// How long a run takes, in seconds, by default.
const SECONDS: u64 = 3;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, and should be a number")))
}

/// Runs rounds until the time is up, and at least one.
fn mix(name: &'static str, backend: Backend) {
    let seed = number("ANONPIPE_MIX_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000_000_000);
    let length = Duration::from_secs(number("ANONPIPE_MIX_SECONDS").unwrap_or(SECONDS));
    // Past the capture: a run that is killed has said it, too.
    let _ = writeln!(io::stderr(), "{name}: ANONPIPE_MIX_SEED={seed}, for {} s", length.as_secs());
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || start.elapsed() < length {
        round::run(name, backend, seed.wrapping_add(rounds));
        rounds += 1;
    }
    let _ = writeln!(io::stderr(), "{name}: {rounds} rounds, {}", tally::text());
    #[cfg(target_os = "linux")]
    nothing_is_left();
}

/// A pipe that is never closed shows in the end: there are more of them the longer it took. What
/// executors and drivers keep for good is less than this.
#[cfg(target_os = "linux")]
fn nothing_is_left() {
    const KEPT: usize = 60;
    let descriptors = || std::fs::read_dir("/proc/self/fd").expect("the list of descriptors").count();
    let start = Instant::now();
    while descriptors() > KEPT {
        assert!(start.elapsed() < Duration::from_secs(20), "there are still {} descriptors", descriptors());
        std::thread::sleep(Duration::from_millis(10));
    }
}

mod mixed {
    use super::{Backend, mix};

    #[cfg(unix)]
    #[test]
    fn unix() {
        mix("mixed::unix", Backend::Unix);
    }

    #[cfg(windows)]
    #[test]
    fn windows_unnamed() {
        mix("mixed::windows_unnamed", Backend::Unnamed);
    }

    #[cfg(windows)]
    #[test]
    fn windows_named() {
        mix("mixed::windows_named", Backend::Named);
    }
}
