//! Rounds in which ours and a peer take turns, so that the rest of what the machine does affects
//! both.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How long to measure, and what.
#[derive(Debug)]
pub struct Rounds {
    count: usize,
    each: Duration,
    only: String,
    alone: Option<Contender>,
}

/// The side that is measured alone, for a profiler.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Contender {
    Ours,
    Peer,
}

/// What the ratio of a comparison has to be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// Shown for comparison.
    None,
    /// For times.
    AtMost(f64),
    /// For throughput.
    AtLeast(f64),
}

const USAGE: &str = "\
usage: bench-times [--rounds N] [--milliseconds-each N] [--only PART-OF-A-LABEL] [--alone ours|peer]

--alone runs one side, for a profiler, and prints nothing.";

impl Rounds {
    /// What the program's arguments ask for.
    #[must_use]
    pub fn from_arguments() -> Self {
        let mut rounds = Self { count: 21, each: Duration::from_millis(60), only: String::new(), alone: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| usage());
            match option.as_str() {
                "--rounds" => rounds.count = value().parse().unwrap_or_else(|_| usage()),
                "--milliseconds-each" => {
                    rounds.each = Duration::from_millis(value().parse().unwrap_or_else(|_| usage()));
                }
                "--only" => rounds.only = value(),
                "--alone" => {
                    rounds.alone = match value().as_str() {
                        "ours" => Some(Contender::Ours),
                        "peer" => Some(Contender::Peer),
                        _ => usage(),
                    }
                }
                _ => usage(),
            }
        }
        rounds
    }

    /// Whether a comparison is wanted.
    #[must_use]
    pub fn wants(&self, label: &str) -> bool {
        label.contains(&self.only)
    }

    /// Compares times: `ours` and `peer` make as many round trips as they are told, and say how
    /// long it took.
    pub fn times(&self, label: &str, goal: Goal, ours: impl FnMut(u32) -> Duration, peer: impl FnMut(u32) -> Duration) {
        let figure = |seconds: f64| format!("{:.2} us", seconds * 1e6);
        report(label, goal, &self.measure(ours, peer), figure, |ours, peer| ours / peer);
    }

    /// Compares throughput: `ours` and `peer` move as many blocks of `bytes` as they are told, and
    /// say how long it took.
    pub fn throughput(
        &self,
        label: &str,
        goal: Goal,
        bytes: usize,
        ours: impl FnMut(u32) -> Duration,
        peer: impl FnMut(u32) -> Duration,
    ) {
        #[expect(clippy::cast_precision_loss, reason = "a block has less than 2^52 bytes")]
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        let figure = |seconds: f64| format!("{:.0} MiB/s", mebibytes / seconds);
        report(label, goal, &self.measure(ours, peer), figure, |ours, peer| peer / ours);
    }

    fn measure(&self, mut ours: impl FnMut(u32) -> Duration, mut peer: impl FnMut(u32) -> Duration) -> Vec<(f64, f64)> {
        if let Some(alone) = self.alone {
            let contender: &mut dyn FnMut(u32) -> Duration =
                if alone == Contender::Ours { &mut ours } else { &mut peer };
            let units = self.units(contender);
            (0..self.count).for_each(|_| _ = contender(units));
            return Vec::new();
        }
        let units = [self.units(&mut ours), self.units(&mut peer)];
        let mut ours = || ours(units[0]).as_secs_f64() / f64::from(units[0]);
        let mut peer = || peer(units[1]).as_secs_f64() / f64::from(units[1]);
        let start = Instant::now();
        let mut measured = Vec::new();
        for round in 0..self.count {
            // The machine is busy with something else, which ten rounds show as well.
            if round >= 10 && start.elapsed() > 6 * self.each * u32::try_from(round).unwrap_or(u32::MAX) {
                break;
            }
            measured.push(if round % 2 == 0 {
                (ours(), peer())
            } else {
                let peer = peer();
                (ours(), peer)
            });
        }
        measured
    }

    /// Warms up, and finds how many units take about as long as a round should.
    fn units(&self, contender: &mut dyn FnMut(u32) -> Duration) -> u32 {
        let mut units = 1;
        loop {
            let took = contender(units);
            if took * 2 >= self.each {
                return units;
            }
            units *= 2;
        }
    }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

/// Prints a row of the table: label, ours, the peer's, the ratio with its quartiles, the goal,
/// whether it is reached.
fn report(
    label: &str,
    goal: Goal,
    measured: &[(f64, f64)],
    figure: impl Fn(f64) -> String,
    ratio: impl Fn(f64, f64) -> f64,
) {
    if measured.is_empty() {
        return;
    }
    let sorted = |value: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let ratios = sorted(&|&(ours, peer)| ratio(ours, peer));
    let median = middle(&ratios);
    let (goal, reached) = match goal {
        Goal::None => (String::new(), ""),
        Goal::AtMost(limit) => (format!("<= {limit}"), if median <= limit { "yes" } else { "NO" }),
        Goal::AtLeast(limit) => (format!(">= {limit}"), if median >= limit { "yes" } else { "NO" }),
    };
    println!(
        "{label}\t{}\t{}\t{median:.2} ({:.2} to {:.2})\t{goal}\t{reached}",
        figure(middle(&sorted(&|pair| pair.0))),
        figure(middle(&sorted(&|pair| pair.1))),
        ratios[ratios.len() / 4],
        ratios[ratios.len() - 1 - ratios.len() / 4],
    );
}

fn middle(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// How long `f` takes.
pub fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// The other side, in another thread each time: where a system puts a thread decides how long it
/// takes to wake it, and stays so.
///
/// The threads end when this is dropped. What a thread has in flight when it ends may be lost
/// (observed under Wine 8, with tokio's named pipe).
#[derive(Debug)]
pub struct Far<'scope, 'env, F> {
    scope: &'scope Scope<'scope, 'env>,
    talk: Arc<Mutex<F>>,
    alive: Vec<Sender<()>>,
}

impl<'scope, 'env, F: FnMut(u32) + Send + 'scope> Far<'scope, 'env, F> {
    /// `talk` makes as many round trips or moves as many blocks as it is told.
    pub fn new(scope: &'scope Scope<'scope, 'env>, talk: F) -> Self {
        Self { scope, talk: Arc::new(Mutex::new(talk)), alive: Vec::new() }
    }

    /// How long `near` takes, while the other side talks.
    ///
    /// # Panics
    ///
    /// When the other side did.
    pub fn time(&mut self, units: u32, near: impl FnOnce()) -> Duration {
        let (alive, lives) = channel();
        let (ready, is_ready) = channel();
        let talk = Arc::clone(&self.talk);
        self.scope.spawn(move || {
            let mut talk = talk.lock().unwrap();
            ready.send(()).unwrap();
            talk(units);
            drop(talk);
            let _ = lives.recv();
        });
        self.alive.push(alive);
        is_ready.recv().unwrap();
        time(near)
    }
}
