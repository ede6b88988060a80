//! What a program has in its hands, and what it knows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use anonpipe::Driver;

use super::any_end::AnyEnd;
use super::flight::Flight;
use super::steps::Step;
use crate::ledger::Entry;
use crate::pipes::{Handle, Line};
use crate::size::Pick;

/// No input has more of anything.
pub(super) const MOST: usize = 64;

/// One of a pipe's two sides. The servers' have even numbers.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) reads: Option<usize>,
    pub(super) writes: Option<usize>,
    pub(super) overlapped: bool,
    /// How many ends and handles there are, and how many of them read.
    pub(super) holders: usize,
    pub(super) readers: usize,
    /// At some time none of them read. Then a duplex end with writes in flight ends its reading for
    /// good.
    pub(super) reads_no_more: bool,
    /// Writing was ended.
    pub(super) shut: bool,
    /// The number of the driver that its end is attached to.
    pub(super) driver: Option<usize>,
    /// An operation was submitted on its end, or a task polled it.
    pub(super) used: bool,
    /// Operations in flight that belong to no one.
    pub(super) detached: bool,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) any: AnyEnd,
    pub(super) side: usize,
    /// Closed by a task; and, as it only writes, without its pipe.
    pub(super) closed: bool,
    pub(super) empty: bool,
    /// A task's read waits; and since then everything was cancelled.
    pub(super) read_waits: Waits,
    pub(super) write_waits: Waits,
}

impl End {
    pub(super) fn new(any: AnyEnd, side: usize) -> Self {
        Self { any, side, closed: false, empty: false, read_waits: Waits::No, write_waits: Waits::No }
    }

    /// Whether it still has its side's pipe.
    pub(super) fn holds(&self) -> bool {
        !self.empty
    }
}

/// Whether a task waits for an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    No,
    Yes,
    /// The next poll may say that it was cancelled.
    Cancelled,
}

#[derive(Debug)]
pub(super) struct Op {
    pub(super) flight: Flight,
    pub(super) known: Known,
}

/// What is known of an operation.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) side: usize,
    pub(super) line: usize,
    pub(super) entry: Entry,
    pub(super) length: usize,
    pub(super) reads: bool,
    /// Something has happened that may cancel it.
    pub(super) may_be_cancelled: bool,
    /// It was submitted when writing had been ended.
    pub(super) too_late: bool,
    /// The waker of the last poll that found it pending.
    pub(super) waker: Option<Arc<Count>>,
}

/// A waker that counts.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicUsize);

impl Count {
    pub(super) fn is_woken(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) lines: Vec<Line>,
    pub(super) sides: Vec<Side>,
    pub(super) handles: Vec<Handle>,
    pub(super) ends: Vec<End>,
    pub(super) ops: Vec<Op>,
    pub(super) drivers: Vec<(usize, Driver)>,
    pub(super) drivers_made: usize,
    /// Writes that nothing keeps from finishing: the side, the line, the entry, the length.
    pub(super) detached: Vec<(usize, usize, Entry, usize)>,
    pub(super) bytes: usize,
}

impl World {
    pub(super) fn take(&mut self, step: &Step) {
        match *step {
            Step::Make(making) => self.make(making),
            Step::SubmitRead { end, length, memory } => self.submit_read(end, length.0, memory),
            Step::SubmitWrite { end, length, memory } => self.submit_write(end, length.0, memory),
            Step::ReadTimeout { end, length, patience } => self.read_timeout(end, length.0, patience),
            Step::WriteTimeout { end, length, patience } => self.write_timeout(end, length.0, patience),
            Step::Read { end, length, vectored } => self.read(end, length.0, vectored),
            Step::Write { end, length, vectored } => self.write(end, length.0, vectored),
            Step::Flush { end } => self.flush(end),
            Step::PollRead { end, length, tokio } => self.poll_read(end, length.0, tokio),
            Step::PollWrite { end, length, tokio } => self.poll_write(end, length.0, tokio),
            Step::PollFlush { end, tokio } => self.poll_flush(end, tokio),
            Step::PollClose { end, tokio } => self.poll_close(end, tokio),
            Step::Wait { op } => self.wait(op),
            Step::WaitTimeout { op, patience } => self.wait_timeout(op, patience),
            Step::PollOp { op } => self.poll_op(op),
            Step::WaitAny { ref ops, patience } => self.wait_any(ops, patience),
            Step::Cancel { op } => self.cancel(op),
            Step::DropOp { op } => self.drop_op(op),
            Step::Detach { op } => self.detach(op),
            Step::CancelAll { end } => self.cancel_all(end),
            Step::TryClone { end } => self.try_clone(end),
            Step::DropEnd { end } => self.drop_end(end.of(self.ends.len())),
            Step::Split { end } => self.split(end),
            Step::Unsplit { reader, writer } => self.unsplit(reader, writer),
            Step::ShutdownWrite { end } => self.shutdown_write(end),
            Step::BytesAvailable { end } => self.bytes_available(end),
            Step::Describe { end } => self.describe(end),
            Step::IntoHandle { end } => self.convert(end),
            Step::IntoStdio { end } => self.make_stdio(end),
            Step::Adopt { handle, kind, how } => self.adopt(handle, kind, how),
            Step::AdoptNoPipe { which, kind, how } => Self::adopt_no_pipe(which, kind, how),
            Step::CloseHandle { handle } => self.close_handle(handle),
            Step::PlainRead { handle, length } => self.plain_read(handle, length.0),
            Step::PlainWrite { handle, length } => self.plain_write(handle, length.0),
            Step::NewDriver => self.new_driver(),
            Step::DropDriver { driver } => self.drop_driver(driver),
            Step::Attach { end, driver } => self.attach(end.of(self.ends.len()), driver),
            Step::Turn { driver, patience } => self.turn(driver, patience),
            Step::NotifyAndTurn { driver } => self.notify_and_turn(driver),
            Step::BlockOn { driver, op } => self.block_on(driver, op),
        }
    }

    /// The place of an end, and the line that it reads.
    pub(super) fn reading(&self, end: Pick) -> Option<(usize, usize)> {
        let at = end.of(self.ends.len())?;
        if !self.ends[at].any.reads() {
            return None;
        }
        Some((at, self.sides[self.ends[at].side].reads.expect("the side reads")))
    }

    /// The place of an end, and the line that it writes.
    pub(super) fn writing(&self, end: Pick) -> Option<(usize, usize)> {
        let at = end.of(self.ends.len())?;
        if !self.ends[at].any.writes() {
            return None;
        }
        Some((at, self.sides[self.ends[at].side].writes.expect("the side writes")))
    }

    /// Whether a reader of the line may be at the end of the file.
    pub(super) fn writer_is_gone(&self, line: usize) -> bool {
        let side = &self.sides[self.lines[line].writer];
        side.shut || side.holders == 0 || self.reader_is_gone(line)
    }

    /// Whether writes to the line may fail.
    pub(super) fn reader_is_gone(&self, line: usize) -> bool {
        self.sides[self.lines[line].reader].reads_no_more
    }

    /// Whether operations of a side may be in flight in that direction.
    pub(super) fn may_be_in_flight(&self, side: usize, reads: bool) -> bool {
        self.sides[side].detached || self.ops.iter().any(|op| op.known.side == side && op.known.reads == reads)
    }
}
