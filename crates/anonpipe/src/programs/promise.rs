//! What the contract promises about one stream of bytes, on every system.
//!
//! The bytes that calls try to write come in units, and each unit has a place of its own in the
//! stream, which is the value of its bytes. So what is read says what was written, and in which
//! order. Calls, operations and polls take their turns in the order in which they were made.

use std::io;
use std::ops::RangeInclusive;

use super::step::MOST_WRITTEN;
use crate::contract::{Error, Half};

/// As many units as have values of their own.
const MOST_UNITS: usize = 256;

/// How a call was made, as far as that says how it may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Operation,
    /// A task, whose wait may have been cancelled.
    Task {
        cancelled: bool,
    },
    /// A blocked thread whose time is up.
    Blocked,
    /// A thread that blocks for as long as it takes.
    Patient,
}

/// What the caller knows of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InFlight,
    Over,
}

struct Write {
    first_unit: usize,
    length: usize,
    /// How many of its bytes went, at least and at most.
    went: (usize, usize),
    /// Its cancellation was asked for.
    cancelled: bool,
    state: State,
    /// Its outcome is not known to the caller, but the system has it.
    on_its_own: bool,
}

struct Read {
    length: usize,
    cancelled: bool,
    state: State,
    /// The values of the bytes that it took, and how many there were of each in a row.
    took: Vec<(u8, usize)>,
    /// How many bytes it may have taken that no caller sees.
    lost: usize,
}

/// The promise about one stream.
pub(super) struct Promise {
    /// The bytes of a unit.
    unit: usize,
    /// Whether the system may run out of something.
    faults: bool,
    writes: Vec<Write>,
    reads: Vec<Read>,
    /// Failures that are those of one of these writes, and how many of its bytes went.
    failures: Vec<(Vec<usize>, usize)>,
    units: usize,
    /// The reading, or writing, end is gone or may be.
    pub(super) no_reader: bool,
    pub(super) no_writer: bool,
    /// A thread has ended, which may have lost what its operations were told.
    pub(super) thread_ended: bool,
}

impl Promise {
    pub(super) fn new(unit: usize, faults: bool) -> Self {
        Self {
            unit,
            faults,
            writes: Vec::new(),
            reads: Vec::new(),
            failures: Vec::new(),
            units: 0,
            no_reader: false,
            no_writer: false,
            thread_ended: false,
        }
    }

    // Writes.

    /// The bytes of a write, and its number. `None`: the values are used up.
    pub(super) fn write_begins(&mut self, units: u8) -> Option<(usize, Vec<u8>)> {
        let (first_unit, units) = (self.units, usize::from(units));
        if first_unit + units > MOST_UNITS {
            return None;
        }
        self.units += units;
        let length = units * self.unit;
        self.writes.push(Write {
            first_unit,
            length,
            went: (0, length),
            cancelled: false,
            state: State::InFlight,
            on_its_own: false,
        });
        let mut bytes = Vec::with_capacity(length);
        for unit in first_unit..first_unit + units {
            bytes.resize(bytes.len() + self.unit, u8::try_from(unit).unwrap_or_default());
        }
        Some((self.writes.len() - 1, bytes))
    }

    /// The bytes of a write.
    pub(super) fn bytes_of(&self, number: usize) -> RangeInclusive<u8> {
        let write = &self.writes[number];
        let byte = |unit| u8::try_from(unit).unwrap_or(u8::MAX);
        byte(write.first_unit)..=byte(write.first_unit + (write.length / self.unit).saturating_sub(1))
    }

    /// A write is over. `is_known`: if it failed, it says how many bytes went.
    pub(super) fn write_ended(
        &mut self,
        number: usize,
        call: Call,
        outcome: &io::Result<usize>,
        is_known: bool,
    ) -> Result<(), String> {
        let is_task = matches!(call, Call::Task { .. });
        let write = &mut self.writes[number];
        write.state = State::Over;
        let length = write.length;
        match outcome {
            Ok(count) if *count == length || (is_task && (1..length).contains(count)) => {
                // What was accepted from a task may still fail, if something does.
                write.went = (if is_task && self.faults { 0 } else { *count }, *count);
                Ok(())
            }
            Ok(count) => Err(format!("write {number} of {length} bytes says that {count} went")),
            Err(error) => {
                let transferred = Error::of(error).ok_or("an error that is not ours")?.transferred();
                match transferred {
                    Some(count) if count > length => return Err(format!("{count} of {length} bytes went")),
                    Some(1..) if is_task => return Err("a write that was not accepted says that bytes went".into()),
                    Some(count) => write.went = (count, count),
                    None if is_task => return Err("a write that was not accepted says that bytes may have gone".into()),
                    None if is_known => {
                        return Err(format!("write {number} does not say how many bytes went: {error}"));
                    }
                    None => {}
                }
                let asked = write.cancelled;
                self.check_reason(call, error, asked, self.no_reader || self.no_writer)
            }
        }
        .map_err(|why| format!("write {number}: {why}"))
    }

    /// Nothing of it was taken.
    pub(super) fn write_would_block(&mut self, number: usize) {
        self.writes[number].went = (0, 0);
        self.writes[number].state = State::Over;
    }

    /// Its outcome will not be known. A detached write is finished, unless something fails.
    pub(super) fn write_is_let_go(&mut self, number: usize, detached: bool) {
        let write = &mut self.writes[number];
        write.state = State::Over;
        write.on_its_own = detached;
        write.cancelled |= !detached;
        if detached && !write.cancelled && !self.faults && !self.no_reader && !self.no_writer {
            write.went.0 = write.length;
        }
    }

    pub(super) fn cancel_write(&mut self, number: usize) {
        self.writes[number].cancelled = true;
    }

    /// All writes in flight are cancelled, and those of which the caller knows only that they were
    /// accepted.
    pub(super) fn cancel_writes(&mut self, accepted: &[usize]) {
        for (number, write) in self.writes.iter_mut().enumerate() {
            write.cancelled = true;
            if write.on_its_own || accepted.contains(&number) {
                write.went.0 = 0;
            }
        }
    }

    /// The accepted writes of a handle: they went, or they may not have gone.
    pub(super) fn accepted_writes_went(&mut self, accepted: &[usize], went: bool) {
        for write in accepted {
            let write = &mut self.writes[*write];
            match went {
                true if !write.cancelled => write.went.0 = write.went.1,
                true => {}
                false => write.went.0 = 0,
            }
        }
    }

    /// One of these writes failed, and the others may have gone or not. `number`: it may be a write
    /// that was not accepted. `is_known`: it says how many bytes went, whichever it was.
    pub(super) fn one_failed(
        &mut self,
        accepted: Vec<usize>,
        number: Option<usize>,
        error: &io::Error,
        is_known: bool,
    ) -> Result<(), String> {
        self.accepted_writes_went(&accepted, false);
        let transferred = Error::of(error).ok_or("an error that is not ours")?.transferred();
        let writes: Vec<_> = accepted.into_iter().chain(number).collect();
        if is_known && transferred.is_none() {
            return Err(format!("one of the writes {writes:?} does not say how many bytes went: {error}"));
        }
        if let Some(count) = transferred.filter(|_| !writes.is_empty()) {
            self.failures.push((writes, count));
        }
        let broken = self.no_reader || self.no_writer;
        let checked = self.check_reason(Call::Task { cancelled: true }, error, false, broken);
        checked.map_err(|why| format!("an accepted write: {why}"))
    }

    /// Nothing tells the caller any more whether these accepted writes went.
    pub(super) fn writes_are_on_their_own(&mut self, accepted: &[usize]) {
        for write in accepted {
            self.writes[*write].on_its_own = true;
        }
    }

    /// Whether accepted writes may fail, by what has happened.
    pub(super) fn may_fail(&self) -> bool {
        self.faults || self.thread_ended || self.no_reader || self.no_writer
    }

    /// Whether there was a value for the last write.
    pub(super) fn has_values(&self, half: Half) -> bool {
        half == Half::Read || self.units + usize::from(MOST_WRITTEN) <= MOST_UNITS
    }

    /// The last reader is gone: what is written from now on may not come.
    pub(super) fn reader_goes(&mut self) {
        self.no_reader = true;
    }

    // Reads.

    pub(super) fn read_begins(&mut self, units: u8) -> (usize, usize) {
        let length = usize::from(units) * self.unit;
        self.reads.push(Read { length, cancelled: false, state: State::InFlight, took: Vec::new(), lost: 0 });
        (self.reads.len() - 1, length)
    }

    /// A read is over; `bytes` is its whole buffer.
    pub(super) fn read_ended(
        &mut self,
        number: usize,
        call: Call,
        outcome: &io::Result<usize>,
        bytes: &[u8],
    ) -> Result<(), String> {
        let read = &mut self.reads[number];
        read.state = State::Over;
        match outcome {
            Ok(0) if !self.no_writer => Err("the end of file, though there is a writer".into()),
            Ok(count) if *count <= read.length => {
                let runs = bytes[..*count].chunk_by(|one, next| one == next);
                read.took = runs.map(|run| (run[0], run.len())).collect();
                Ok(())
            }
            Ok(count) => Err(format!("{count} bytes, where {} were asked for", read.length)),
            Err(error) => {
                match Error::of(error).ok_or("an error that is not ours")?.transferred() {
                    Some(0) => {}
                    None if self.thread_ended => read.lost = read.length,
                    _ => return Err(format!("read {number} failed, and does not say that it took nothing: {error}")),
                }
                let asked = read.cancelled;
                self.check_reason(call, error, asked, false)
            }
        }
        .map_err(|why| format!("read {number}: {why}"))
    }

    pub(super) fn read_would_block(&mut self, number: usize) {
        self.reads[number].state = State::Over;
    }

    pub(super) fn read_is_let_go(&mut self, number: usize) {
        let read = &mut self.reads[number];
        read.state = State::Over;
        read.lost = read.length;
    }

    pub(super) fn cancel_read(&mut self, number: usize) {
        self.reads[number].cancelled = true;
    }

    pub(super) fn cancel_reads(&mut self) {
        for read in &mut self.reads {
            read.cancelled = true;
        }
    }

    // Both.

    /// Whether a call may fail in this way.
    fn check_reason(&self, call: Call, error: &io::Error, asked: bool, broken: bool) -> Result<(), String> {
        let is_cancelled = Error::of(error).is_some_and(Error::is_cancelled);
        let may = if is_cancelled {
            match call {
                Call::Operation => asked,
                Call::Task { cancelled } => cancelled || asked,
                // Another handle cannot cancel it meanwhile, with one thread.
                Call::Blocked | Call::Patient => false,
            }
        } else {
            match error.kind() {
                io::ErrorKind::TimedOut => call == Call::Blocked,
                io::ErrorKind::BrokenPipe => broken,
                _ => self.faults || self.thread_ended,
            }
        };
        if may { Ok(()) } else { Err(format!("it has no reason to fail with this: {error}")) }
    }

    pub(super) fn is_cancelled(&self, half: Half, number: usize) -> bool {
        match half {
            Half::Read => self.reads[number].cancelled,
            Half::Write => self.writes[number].cancelled,
        }
    }

    /// How many bytes are certainly there for a read that begins now, and comes first.
    pub(super) fn available(&self) -> usize {
        let went: usize = self.writes.iter().map(|write| write.went.0).sum();
        let gone: usize = self
            .reads
            .iter()
            .map(|read| match read.state {
                State::InFlight => read.length,
                State::Over => read.took.iter().map(|(_, count)| count).sum::<usize>() + read.lost,
            })
            .sum();
        went.saturating_sub(gone)
    }

    /// Whether what was read is what was written.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut came = vec![0; self.writes.len()];
        let (mut last, mut may_be_lost) = (None, 0);
        for (number, read) in self.reads.iter().enumerate() {
            if read.state == State::InFlight {
                return Err(format!("read {number} has no outcome"));
            }
            may_be_lost += read.lost;
            for &(byte, count) in &read.took {
                let unit = usize::from(byte);
                let write = self.writes.partition_point(|write| write.first_unit <= unit).checked_sub(1);
                let Some(index) = write.filter(|_| unit < self.units) else {
                    return Err(format!("read {number} took byte {byte}, which was never written"));
                };
                let write = &self.writes[index];
                if last > Some((index, unit)) {
                    return Err(format!("read {number} took unit {unit} after a later one"));
                }
                last = Some((index, unit));
                let offset: usize = came[index];
                came[index] += count;
                let last_offset = came[index] - 1;
                if last_offset >= write.went.1 {
                    return Err(format!("byte {last_offset} of write {index} came, though it did not go"));
                }
                let is_place = |offset: usize| offset / self.unit == unit - write.first_unit;
                if may_be_lost == 0 && !(is_place(offset) && is_place(last_offset)) {
                    return Err(format!("unit {unit} of write {index} came without those before"));
                }
            }
        }
        let missing: usize =
            self.writes.iter().zip(&came).map(|(write, came)| write.went.0.saturating_sub(*came)).sum();
        if self.no_reader {
            return Ok(());
        }
        if missing > may_be_lost {
            return Err(format!("{missing} bytes that went did not come, and {may_be_lost} may be lost"));
        }
        for (writes, count) in &self.failures {
            if may_be_lost == 0 && writes.iter().all(|write| came[*write] != *count) {
                return Err(format!("one of the writes {writes:?} failed, and does not say how much went: {count}"));
            }
        }
        Ok(())
    }
}
