//! What a program consists of.

use crate::sim::chance::Random;

/// The pipe, and the kernel, of a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// A duplex pipe. Otherwise end 0 reads, and end 1 writes.
    pub(crate) duplex: bool,
    /// How many units the pipe holds, in each direction.
    pub(crate) capacity: u8,
    /// The ends were made here, and have no other handle. Otherwise they are adopted.
    pub(crate) exclusive: bool,
    /// The system may run out of something at any time.
    pub(crate) faults: bool,
    /// Which end is in blocking mode: 0, 1, 2 for none, or 3 for both. A system in memory has no
    /// such mode.
    pub(crate) blocking: u8,
    /// A unit is so large that some writes go in pieces. In memory the pieces are small instead.
    pub(crate) large: bool,
}

impl Setup {
    pub(crate) fn blocks(&self, side: u8) -> bool {
        self.blocking == side || self.blocking == 3
    }
}

/// One step. `on` says which of the handles, or operations, that are in question takes it: a number
/// modulo their count, so that a step makes sense in every program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Submits a read of that many units.
    SubmitRead {
        on: u8,
        units: u8,
    },
    SubmitWrite {
        on: u8,
        units: u8,
    },
    /// Polls an operation.
    Poll {
        on: u8,
    },
    /// Waits for an operation, for at most so many milliseconds.
    Wait {
        on: u8,
        timeout: u8,
    },
    Cancel {
        on: u8,
    },
    DropOperation {
        on: u8,
    },
    Detach {
        on: u8,
    },
    /// Reads as a task does; `runtime`: as one of a runtime that has a reactor.
    PollRead {
        on: u8,
        units: u8,
        runtime: bool,
    },
    PollWrite {
        on: u8,
        units: u8,
        runtime: bool,
    },
    PollFlush {
        on: u8,
    },
    PollClose {
        on: u8,
    },
    /// Reads like a blocked thread, for at most so many milliseconds.
    Read {
        on: u8,
        units: u8,
        timeout: u8,
    },
    Write {
        on: u8,
        units: u8,
        timeout: u8,
    },
    CancelAll {
        on: u8,
    },
    Clone {
        on: u8,
    },
    DropHandle {
        on: u8,
    },
    Split {
        on: u8,
    },
    Join {
        on: u8,
    },
    ShutDown {
        on: u8,
    },
    /// Takes the system's handle out of an end, and makes a new end of it.
    Convert {
        on: u8,
    },
    /// Attaches an end to a driver of the program's own.
    Attach {
        on: u8,
    },
    /// Uses an end in a forked process.
    Fork {
        on: u8,
    },
    /// The thread ends, and another one goes on.
    EndThread,
    /// The driver, or the runtime, passes on what there is.
    Turn,
}

/// The most units of a call, except a large write, which some systems get in pieces.
const MOST_UNITS: u8 = 8;

/// The most units of a large write.
pub(super) const MOST_WRITTEN: u8 = 3 * MOST_UNITS;

impl Step {
    /// The step where both ends are in blocking mode.
    pub(super) fn of_a_blocked_thread(self) -> Self {
        match self {
            Self::SubmitRead { on, units } | Self::PollRead { on, units, .. } => Self::Read { on, units, timeout: 0 },
            Self::SubmitWrite { on, units } | Self::PollWrite { on, units, .. } => {
                Self::Write { on, units, timeout: 0 }
            }
            step => step,
        }
    }

    pub(crate) fn random(random: &mut Random) -> Self {
        let timeout = |random: &mut Random| if random.one_in(3) { 3 } else { 0 };
        let (on, units) = (random.below(12), 1 + random.below(MOST_UNITS));
        let to_write = |random: &mut Random| if random.one_in(4) { 3 * units } else { units };
        match random.below(64) {
            0..=4 => Self::SubmitRead { on, units },
            5..=11 => Self::SubmitWrite { on, units: to_write(random) },
            12..=17 => Self::Poll { on },
            18 | 19 => Self::Wait { on, timeout: timeout(random) },
            20 | 21 => Self::Cancel { on },
            22 => Self::DropOperation { on },
            23 => Self::Detach { on },
            24..=29 => Self::PollRead { on, units, runtime: random.one_in(2) },
            30..=33 => Self::PollWrite { on, units: to_write(random), runtime: random.one_in(2) },
            34 | 35 => Self::PollFlush { on },
            36 if random.one_in(3) => Self::PollClose { on },
            36 => Self::Fork { on },
            37..=40 => Self::Read { on, units, timeout: timeout(random) },
            41..=43 => Self::Write { on, units: to_write(random), timeout: timeout(random) },
            44 => Self::CancelAll { on },
            45 | 46 => Self::Clone { on },
            47 | 48 => Self::DropHandle { on },
            49 => Self::Split { on },
            50 => Self::Join { on },
            51 if random.one_in(4) => Self::ShutDown { on },
            51 | 52 => Self::Convert { on },
            53 => Self::Attach { on },
            54 => Self::EndThread,
            _ => Self::Turn,
        }
    }
}

/// A program: the pipe, the steps, and what the kernel decides meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) setup: Setup,
    pub(crate) steps: Vec<Step>,
}

impl Program {
    /// One seed makes one program.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let setup = Setup {
            duplex: random.one_in(3),
            // Large ones take many pieces at once.
            capacity: 1 + random.below(12) + if random.one_in(4) { 16 } else { 0 },
            exclusive: random.one_in(2),
            faults: random.one_in(2),
            blocking: [0, 0, 0, 1, 1, 1, 3, 2, 2, 2, 2, 2][usize::from(random.below(12))],
            large: random.one_in(10),
        };
        let count = 12 + random.below(24);
        Self { setup, steps: (0..count).map(|_| Step::random(&mut random)).collect() }
    }
}
