//! Random programs, which compare a system with what the contract promises.
//!
//! A program makes a pipe, and calls one thing after another on handles to its ends: operations,
//! tasks, blocked threads, cancels, clones, conversions. At the end everything is let go of, and
//! the readers drained. A [`promise`] that knows neither a system nor a model says which answers
//! are right. The programs run on kernels in memory, whose decisions are random as well, and on the
//! system that this build is for.
//!
//! A program that breaks the promise is made as short as possible, and printed as a test.

#[cfg(test)]
mod found;
mod native;
mod promise;
mod run;
mod shrink;
mod step;

use std::any::type_name;
use std::io;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::channel::{System, WokenBy};
use crate::contract::Failure;
use crate::end::{Access, EndHandle};
use crate::sim::chance::{self, Random, Source};
use crate::sim::meanwhile;
pub(crate) use run::Run;
pub(crate) use step::{Program, Setup, Step};

type HandleOf<W> = <<W as World>::System as System>::Handle;
type ChannelOf<W> = <<W as World>::System as System>::Channel;
type DriverOf<W> = <<W as World>::System as System>::Driver;

/// A system, as a program uses it.
pub(crate) trait World: Sized + 'static {
    type System: System;
    /// An end in blocking mode.
    type Blocking;

    /// Nothing happens but in calls. So a program can check that it was told of everything.
    const IN_MEMORY: bool;
    /// How often in a row [`settle`](Self::settle) may change nothing although something is due.
    const PATIENCE: usize;
    /// What a program takes for a millisecond.
    const MILLISECOND: Duration;

    /// Makes a pipe.
    fn begin(setup: &Setup) -> (Self, [End<Self>; 2]);

    /// The bytes of a unit.
    fn unit(&self) -> usize;

    /// The program is over; everything that it made is gone.
    fn end(self);

    fn turn(&mut self);

    /// Turns until there is nothing left to be said, and does the expected thing from now on.
    fn settle(&mut self);

    /// The driver that [`turn`](Self::turn) turns.
    fn driver(&self) -> DriverOf<Self>;

    /// Polls a task; `runtime`: within a runtime that has a reactor.
    fn poll<R>(&self, runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R;

    fn take(channel: &ChannelOf<Self>) -> Result<Option<HandleOf<Self>>, Failure>;

    fn adopt(&self, handle: HandleOf<Self>, access: Access) -> EndHandle<Self::System>;

    /// What another thread does that turns the drivers, for a world where calls of several threads
    /// can overlap.
    fn turn_later(&self) -> Option<Box<dyn FnOnce()>>;

    /// Whether it is known how much went of a write that failed, with these bytes. `stream`: the
    /// end that reads them.
    fn knows_what_went(&self, stream: usize, bytes: RangeInclusive<u8>) -> bool;

    /// Calls `check` in a forked process, or as one would, where there are forks; with whether
    /// that process has a copy of the memory, as real ones have. Returns whether it passes.
    fn in_child(&self, check: impl FnOnce(bool) -> bool) -> bool;

    /// Takes steps, the last of which ends the thread; on a thread of their own, unless that is
    /// imitated.
    fn take_steps(run: &mut Run<Self>, steps: &[Step]) -> Result<(), String>;

    /// The thread ends, and another one goes on. Returns whether what is reported to it may be
    /// lost.
    fn end_thread(&mut self) -> bool;

    fn read(end: &mut Self::Blocking, buffer: &mut [u8]) -> io::Result<usize>;

    /// The same, while another thread turns [`driver`](Self::driver): the peer's end may only be
    /// closed then.
    fn read_to_the_end(&self, end: &mut Self::Blocking, buffer: &mut [u8]) -> io::Result<usize>;

    fn write(end: &mut Self::Blocking, bytes: &[u8]) -> io::Result<usize>;
}

pub(crate) enum End<W: World> {
    Overlapped(EndHandle<W::System>),
    #[allow(dead_code, reason = "kernels in memory have no such mode")]
    Blocking(W::Blocking),
}

/// A run of a program: how many calls and decisions it was, or what is wrong; and the decisions.
type Outcome = (Result<usize, String>, Vec<u8>);

/// Runs a program once, with the kernel's decisions from `source`.
fn run_once<W: World>(program: &Program, source: Source, log: bool) -> Outcome {
    // Ready polls are counted by thread, and the count changes what a poll does.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = crate::op::fairly(WokenBy::Driver, &mut context, |_| std::task::Poll::<()>::Pending);
    meanwhile::forget();
    chance::begin(source, program.setup.faults);
    let result = catch_unwind(AssertUnwindSafe(|| run::run::<W>(program, log)));
    let decisions = chance::end();
    let result = result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        Err(text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default())
    });
    (result.map(|calls| calls + decisions.len()), decisions)
}

/// Runs the program of a seed. Returns how many calls and decisions of the kernel that was.
///
/// # Panics
///
/// If the promise is broken, with a test that shows it.
pub(crate) fn run_seed<W: World>(seed: u64) -> usize {
    let program = Program::random(seed);
    let (result, decisions) = run_once::<W>(&program, Source::Random(Random::new(!seed)), false);
    match result {
        Ok(calls) => calls,
        Err(why) => {
            // In case the search itself comes to grief.
            eprintln!("seed {seed}: {why}");
            let (program, decisions) = shrink::shrink::<W>(program, decisions);
            let (again, _) = run_once::<W>(&program, Source::Record(decisions.clone()), true);
            let why = again.err().unwrap_or(why);
            panic!(
                "seed {seed}: {why}\n\n    replay::<{}>(\n        {:?},\n        &{:?},\n        &{decisions:?},\n    );\n",
                type_name::<W>(),
                program.setup,
                program.steps,
            );
        }
    }
}

/// Runs a program that was found, with the decisions that the kernel made.
///
/// # Panics
///
/// If the promise is broken.
#[cfg(test)]
pub(crate) fn replay<W: World>(setup: Setup, steps: &[Step], decisions: &[u8]) {
    let program = Program { setup, steps: steps.to_vec() };
    if let (Err(why), _) = run_once::<W>(&program, Source::Record(decisions.to_vec()), true) {
        panic!("{why}");
    }
}

/// How many calls and decisions of the kernel a program in memory has on average, at least.
#[cfg(test)]
const FEWEST_STEPS: u64 = 30;

/// So many programs have that average.
#[cfg(test)]
const ENOUGH: u64 = 1000;

/// `ANONPIPE_PROGRAMS` says how many programs run, or `ANONPIPE_PROGRAM_SECONDS` for how long, and
/// `ANONPIPE_SEED` which seed is the first.
#[cfg(test)]
fn run_many<W: World>(few: u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let first = number("ANONPIPE_SEED").unwrap_or(1);
    let seconds = number("ANONPIPE_PROGRAM_SECONDS");
    let most = number("ANONPIPE_PROGRAMS").unwrap_or(if seconds.is_some() { u64::MAX - first } else { few });
    let began = Instant::now();
    let (mut count, mut steps) = (0, 0);
    let watched = Watched::new();
    while count < most && seconds.is_none_or(|seconds| began.elapsed().as_secs() < seconds) {
        watched.begin(first + count);
        steps += run_seed::<W>(first + count) as u64;
        count += 1;
    }
    let (average, seconds) = (steps / count.max(1), began.elapsed().as_secs());
    println!("{}: {count} programs, {average} calls and decisions each, in {seconds} s", type_name::<W>());
    let are_long = !W::IN_MEMORY || count < ENOUGH || average >= FEWEST_STEPS;
    assert!(are_long, "programs have {average} calls and decisions on average, fewer than {FEWEST_STEPS}");
}

/// Ends the process if a program of a real system hangs, and says which one it is.
#[cfg(test)]
struct Watched(Arc<AtomicU64>);

#[cfg(test)]
impl Watched {
    /// How long a program may take, even on a machine with much else to do.
    const DEADLINE: Duration = Duration::from_secs(60);

    fn new() -> Self {
        let seed = Arc::new(AtomicU64::new(0));
        let weak = Arc::downgrade(&seed);
        std::thread::spawn(move || {
            let mut last = None;
            while let Some(seed) = weak.upgrade().map(|seed| seed.load(Ordering::Relaxed)) {
                if last == Some(seed) {
                    eprintln!("the program of seed {seed} hangs:\n{:?}", Program::random(seed));
                    std::process::exit(1);
                }
                last = Some(seed);
                std::thread::sleep(Self::DEADLINE);
            }
        });
        Self(seed)
    }

    fn begin(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{native, run_many};
    use crate::sim::world::World;
    use crate::sim::{completion, readiness};

    #[test]
    fn readiness() {
        run_many::<World<readiness::Sim>>(2000);
    }

    #[test]
    fn completion() {
        run_many::<World<completion::Sim>>(2000);
    }

    /// On Windows: a pair without a name.
    #[test]
    fn native() {
        run_many::<native::World<false>>(200);
    }

    #[cfg(windows)]
    #[test]
    fn native_named() {
        run_many::<native::World<true>>(200);
    }
}
