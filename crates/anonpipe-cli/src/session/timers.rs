//! The clock of a run.

use std::time::{Duration, Instant};

use crate::args::Run;

/// After the run was ended: how long nothing may move before our own output counts as blocked.
const STALL: Duration = Duration::from_millis(250);
/// How long the delivery of what is left may take, even if something moves; and how long SIGKILL
/// may.
const GRACE: Duration = Duration::from_secs(1);
/// How soon to look again whether what was told to end has done so, at first and at most. No system
/// tells when a process group is empty; this is for the short time between SIGTERM and SIGKILL,
/// when the command itself has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_millis(100);

/// How far the end of a run has got, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// The command runs, or what it left is being read.
    Running,
    /// The command and what it started were told to end.
    Ending,
    /// They were killed.
    Killed,
    /// What they wrote is delivered, as far as it is taken in time.
    Delivering,
    /// Nothing is waited for any more.
    Over,
}

pub(super) struct Timers {
    kill_after: Duration,
    linger: Duration,
    phase: Phase,
    timeout: Option<Instant>,
    kill: Option<Instant>,
    linger_end: Option<Instant>,
    stall: Option<Instant>,
    /// The end of [`Phase::Killed`] and [`Phase::Delivering`], in any case.
    deadline: Option<Instant>,
    look_again: Option<Instant>,
    look_again_in: Duration,
}

/// What it is time for.
pub(super) struct Due {
    pub(super) timeout: bool,
    pub(super) kill: bool,
    pub(super) linger: bool,
    /// SIGKILL did not help.
    pub(super) abandon: bool,
}

impl Timers {
    pub(super) fn new(run: &Run, started: Instant) -> Self {
        // As for timeout(1), 0 is no limit; and a time beyond the clock's end is none.
        let timeout = run.timeout.filter(|timeout| !timeout.is_zero()).and_then(|timeout| started.checked_add(timeout));
        Self {
            kill_after: run.kill_after,
            linger: run.linger,
            phase: Phase::Running,
            timeout,
            kill: None,
            linger_end: None,
            stall: None,
            deadline: None,
            look_again: None,
            look_again_in: LOOK_AGAIN,
        }
    }

    /// The command has exited.
    pub(super) fn exited(&mut self) {
        self.linger_end = Instant::now().checked_add(self.linger);
    }

    /// The command was told to end.
    pub(super) fn ending(&mut self) {
        self.phase = Phase::Ending;
        self.timeout = None;
        self.kill = Instant::now().checked_add(self.kill_after);
    }

    /// No process is left that has to end.
    pub(super) fn delivering(&mut self) {
        self.phase = Phase::Delivering;
        (self.timeout, self.kill, self.linger_end) = (None, None, None);
        self.deadline = Instant::now().checked_add(GRACE);
        self.progressed();
    }

    /// One short thing more is to be delivered.
    pub(super) fn last_words(&mut self) {
        if self.is_delivering() {
            self.phase = Phase::Delivering;
            self.progressed();
            self.deadline = self.stall;
        }
    }

    /// Something was written: our own output is not blocked.
    pub(super) fn progressed(&mut self) {
        if self.phase == Phase::Delivering {
            self.stall = Instant::now().checked_add(STALL);
        }
    }

    pub(super) fn has_killed(&self) -> bool {
        self.phase >= Phase::Killed
    }

    pub(super) fn is_delivering(&self) -> bool {
        self.phase >= Phase::Delivering
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Asks for a wake-up although nothing rings.
    pub(super) fn look_again(&mut self) {
        self.look_again = Instant::now().checked_add(self.look_again_in);
        self.look_again_in = (self.look_again_in * 2).min(LOOK_AGAIN_AT_MOST);
    }

    /// When the next of the times comes.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = [self.timeout, self.kill, self.linger_end, self.stall, self.deadline, self.look_again];
        all.into_iter().flatten().min()
    }

    /// What it is time for; each comes once.
    pub(super) fn due(&mut self) -> Due {
        let now = Instant::now();
        let come = |timer: &mut Option<Instant>| timer.take_if(|at| *at <= now).is_some();
        come(&mut self.look_again);
        let (stall, deadline) = (come(&mut self.stall), come(&mut self.deadline));
        let due = Due {
            timeout: come(&mut self.timeout),
            kill: come(&mut self.kill),
            linger: come(&mut self.linger_end),
            abandon: self.phase == Phase::Killed && deadline,
        };
        if due.kill {
            self.phase = Phase::Killed;
            self.deadline = now.checked_add(GRACE);
        }
        if self.phase == Phase::Delivering && (stall || deadline) {
            self.phase = Phase::Over;
        }
        due
    }
}
