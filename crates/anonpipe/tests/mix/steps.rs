//! The steps that actors take, each drawn at random.

use std::time::Duration;

use crate::executors::Family;
use crate::plan::{Random, microseconds, one_in, one_of};

/// How an operation is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Collect {
    Wait,
    /// And left in flight when the time is up.
    WaitTimeout(Duration),
    WaitAny(Duration),
    Await,
    /// Polled a few times, and left in flight.
    Glance(usize),
}

impl Collect {
    fn random(random: &mut Random, blocking: bool) -> Self {
        match random.below(if blocking { 6 } else { 3 }) {
            0 | 1 => Self::Await,
            2 => Self::Glance(1 + random.below(4)),
            3 => Self::Wait,
            4 => Self::WaitTimeout(microseconds(random, &[0, 100, 2000])),
            _ => Self::WaitAny(microseconds(random, &[0, 100, 2000])),
        }
    }
}

/// One step of an actor that reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ReadStep {
    Std(usize),
    Vectored(usize),
    Timeout(usize, Duration),
    Submit(usize),
    Collect(Collect),
    Cancel(usize),
    CancelAll,
    Task(Family, usize),
    /// Polled a few times, and given up.
    Glance(Family, usize, usize),
    /// Lets the pipe fill.
    Pause(Duration),
    Clone,
    Look,
}

fn family(random: &mut Random) -> Family {
    one_of(random, &Family::BOTH)
}

/// How much is read at most: anything from a byte on.
fn limit(random: &mut Random) -> usize {
    random.chunk().min(100_000)
}

impl ReadStep {
    /// `blocking`: of those that block the thread, too.
    pub(crate) fn random(random: &mut Random, blocking: bool) -> Self {
        if blocking && one_in(random, 2) {
            return match random.below(4) {
                0 | 1 => Self::Std(limit(random)),
                2 => Self::Vectored(limit(random)),
                _ => Self::Timeout(limit(random), microseconds(random, &[0, 50, 1000, 1_000_000])),
            };
        }
        match random.below(17) {
            16 => Self::Pause(microseconds(random, &[100, 1000, 3000])),
            0..=3 => Self::Submit(1 + random.below(4)),
            4..=7 => Self::Collect(Collect::random(random, blocking)),
            8 => Self::Cancel(random.below(4)),
            9 if one_in(random, 3) => Self::CancelAll,
            10 | 11 => Self::Glance(family(random), limit(random), 1 + random.below(4)),
            12 => Self::Clone,
            13 => Self::Look,
            _ => Self::Task(family(random), limit(random)),
        }
    }
}

impl ReadStep {
    /// Whether it ends only when there is something to read, or nothing any more.
    pub(crate) fn waits_for_bytes(self) -> bool {
        matches!(self, Self::Std(_) | Self::Vectored(_) | Self::Task(..))
    }
}

/// One step of an actor that writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WriteStep {
    Std(usize),
    Vectored(usize),
    Timeout(usize, Duration),
    Flush,
    Submit(usize),
    Collect(Collect),
    Cancel(usize),
    Drop(usize),
    Detach,
    CancelAll,
    Task(Family, usize),
    TaskVectored(Family, usize),
    Glance(Family, usize, usize),
    TaskFlush(Family),
    /// Lets the readers wait.
    Pause(Duration),
    Clone,
    Look,
}

impl WriteStep {
    pub(crate) fn random(random: &mut Random, blocking: bool) -> Self {
        if blocking && one_in(random, 2) {
            return match random.below(5) {
                0 | 1 => Self::Std(random.chunk()),
                2 => Self::Vectored(random.chunk()),
                3 => Self::Timeout(random.chunk(), microseconds(random, &[0, 50, 1000, 1_000_000])),
                _ => Self::Flush,
            };
        }
        match random.below(24) {
            22 | 23 => Self::Pause(microseconds(random, &[100, 1000, 3000])),
            0..=5 => Self::Submit(1 + random.below(4)),
            6..=8 => Self::Collect(Collect::random(random, blocking)),
            9..=11 => Self::Cancel(random.below(4)),
            12 => Self::Drop(random.below(4)),
            13 => Self::Detach,
            14 => Self::CancelAll,
            15 => Self::Glance(family(random), random.chunk(), 1 + random.below(4)),
            16 => Self::TaskFlush(family(random)),
            17 => Self::Clone,
            18 => Self::Look,
            19 => Self::TaskVectored(family(random), random.chunk()),
            _ => Self::Task(family(random), random.chunk()),
        }
    }
}

/// One step of an actor that reads and writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BothStep {
    SubmitReads(usize),
    SubmitWrites(usize),
    CancelRead(usize),
    CancelWrite(usize),
    DropWrite(usize),
    DetachWrite,
    CancelAll,
    Clone,
    Look,
    /// A task's write and read, each polled twice and given up.
    Glances(Family, usize),
    Wait(Duration),
}

impl BothStep {
    pub(crate) fn random(random: &mut Random) -> Self {
        match random.below(18) {
            0..=2 => Self::SubmitReads(1 + random.below(3)),
            3..=5 => Self::SubmitWrites(1 + random.below(3)),
            6 => Self::CancelRead(random.below(4)),
            7 => Self::CancelWrite(random.below(4)),
            8 => Self::DropWrite(random.below(4)),
            9 => Self::DetachWrite,
            10 if one_in(random, 3) => Self::CancelAll,
            11 => Self::Clone,
            12 => Self::Look,
            13 => Self::Glances(family(random), limit(random)),
            _ => Self::Wait(microseconds(random, &[0, 100, 2000])),
        }
    }
}
