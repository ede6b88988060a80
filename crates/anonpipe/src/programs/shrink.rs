//! Makes a program that breaks the promise as short as possible.

use std::time::{Duration, Instant};

use super::{Program, World, run_once};
use crate::sim::chance::Source;

/// The most runs that a search takes, and the most time.
const MOST_RUNS: usize = 20_000;
const MOST_TIME: Duration = Duration::from_secs(60);

struct Search<W> {
    since: Instant,
    runs: usize,
    world: std::marker::PhantomData<fn() -> W>,
}

/// A shorter program that breaks the promise as well, and the kernel's decisions.
pub(super) fn shrink<W: World>(program: Program, decisions: Vec<u8>) -> (Program, Vec<u8>) {
    let mut search = Search::<W> { since: Instant::now(), runs: 0, world: std::marker::PhantomData };
    let mut best = (program, decisions);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    loop {
        let before = (best.0.steps.len(), best.1.iter().filter(|decision| **decision > 0).count());
        search.drop_steps(&mut best);
        search.expect_more(&mut best);
        let after = (best.0.steps.len(), best.1.iter().filter(|decision| **decision > 0).count());
        if after == before || search.runs > MOST_RUNS {
            break;
        }
    }
    std::panic::set_hook(hook);
    while best.1.last() == Some(&0) {
        best.1.pop();
    }
    best
}

impl<W: World> Search<W> {
    fn fails(&mut self, program: &Program, decisions: &[u8]) -> bool {
        self.runs += 1;
        self.runs < MOST_RUNS
            && self.since.elapsed() < MOST_TIME
            && run_once::<W>(program, Source::Record(decisions.to_vec()), false).0.is_err()
    }

    /// Leaves out steps, many at once at first.
    fn drop_steps(&mut self, best: &mut (Program, Vec<u8>)) {
        let mut length = best.0.steps.len().next_power_of_two();
        while length > 0 {
            let mut at = 0;
            while at < best.0.steps.len() {
                let mut shorter = best.0.clone();
                shorter.steps.drain(at..(at + length).min(best.0.steps.len()));
                if self.fails(&shorter, &best.1) {
                    best.0 = shorter;
                } else if !self.drop_with_decisions(best, &shorter) {
                    at += length;
                }
            }
            length /= 2;
        }
    }

    /// The decisions that belong to the steps have to go as well.
    fn drop_with_decisions(&mut self, best: &mut (Program, Vec<u8>), shorter: &Program) -> bool {
        for count in 1..4 {
            for at in 0..best.1.len().saturating_sub(count).min(40) {
                let mut decisions = best.1.clone();
                decisions.drain(at..at + count);
                if self.fails(shorter, &decisions) {
                    *best = (shorter.clone(), decisions);
                    return true;
                }
            }
        }
        false
    }

    /// Has the kernel do the expected thing more often.
    fn expect_more(&mut self, best: &mut (Program, Vec<u8>)) {
        let mut length = best.1.len().next_power_of_two();
        while length > 0 {
            let mut at = 0;
            while at < best.1.len() {
                let end = (at + length).min(best.1.len());
                if best.1[at..end].iter().any(|decision| *decision > 0) {
                    let mut decisions = best.1.clone();
                    decisions[at..end].fill(0);
                    if self.fails(&best.0, &decisions) {
                        best.1 = decisions;
                    }
                }
                at = end;
            }
            length /= 2;
        }
    }
}
