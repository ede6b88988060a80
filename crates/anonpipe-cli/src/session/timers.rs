//! The clock of a run.

use std::time::{Duration, Instant};

use crate::args::Run;

/// After the run was ended: how long nothing may move before our own output counts as blocked.
const STALL: Duration = Duration::from_millis(250);
/// How soon to look again whether what was told to end has done so, at first and at most. No system tells when a process group
/// is empty; this is for the short time between SIGTERM and SIGKILL, when the command itself has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_millis(100);

pub(super) struct Timers {
    kill_after: Duration,
    linger: Duration,
    timeout: Option<Instant>,
    kill: Option<Instant>,
    linger_end: Option<Instant>,
    stall: Option<Instant>,
    look_again: Option<Instant>,
    look_again_in: Duration,
    ending: bool,
    exited: bool,
    killed: bool,
    stalled: bool,
}

/// What it is time for.
pub(super) struct Due {
    pub(super) timeout: bool,
    pub(super) kill: bool,
    pub(super) linger: bool,
}

impl Timers {
    pub(super) fn new(run: &Run, started: Instant) -> Self {
        // As for timeout(1), 0 is no limit; and a time beyond the clock's end is none.
        let timeout = run.timeout.filter(|timeout| !timeout.is_zero()).and_then(|timeout| started.checked_add(timeout));
        Self {
            kill_after: run.kill_after,
            linger: run.linger,
            timeout,
            kill: None,
            linger_end: None,
            stall: None,
            look_again: None,
            look_again_in: LOOK_AGAIN,
            ending: false,
            exited: false,
            killed: false,
            stalled: false,
        }
    }

    /// The command has exited.
    pub(super) fn exited(&mut self) {
        self.exited = true;
        self.linger_end = Instant::now().checked_add(self.linger);
        self.progressed();
    }

    /// The command was told to end.
    pub(super) fn ending(&mut self) {
        self.ending = true;
        self.timeout = None;
        self.kill = Instant::now().checked_add(self.kill_after);
        self.progressed();
    }

    /// Something was written: our own output is not blocked.
    pub(super) fn progressed(&mut self) {
        if self.ending && self.exited {
            self.stalled = false;
            self.stall = Instant::now().checked_add(STALL);
        }
    }

    pub(super) fn has_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn has_killed(&self) -> bool {
        self.killed
    }

    /// Asks for a wake-up although nothing rings.
    pub(super) fn look_again(&mut self) {
        self.look_again = Instant::now().checked_add(self.look_again_in);
        self.look_again_in = (self.look_again_in * 2).min(LOOK_AGAIN_AT_MOST);
    }

    /// When the next of the times comes.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.timeout, self.kill, self.linger_end, self.stall, self.look_again].into_iter().flatten().min()
    }

    /// What it is time for; each comes once.
    pub(super) fn due(&mut self) -> Due {
        let now = Instant::now();
        let come = |timer: &mut Option<Instant>| timer.take_if(|at| *at <= now).is_some();
        come(&mut self.look_again);
        self.stalled |= come(&mut self.stall);
        let due =
            Due { timeout: come(&mut self.timeout), kill: come(&mut self.kill), linger: come(&mut self.linger_end) };
        self.killed |= due.kill;
        due
    }
}
