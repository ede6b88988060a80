//! The end of a program: everything is let go of, and the readers are drained.

use std::time::Duration;

use super::{Call, Pending, Run, World};
use crate::contract::Half;

impl<W: World> Run<W> {
    /// Everything that was begun comes to its end.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.world.settle();
        self.check_cancels()?;
        self.check_wakes()?;
        self.drain(false)?;
        // Now the writers go.
        let mut index = 0;
        while index < self.handles.len() {
            if self.handles[index].is_for(Half::Write) {
                self.poll_flush(index)?;
            }
            index += 1;
        }
        // End 1 goes, and end 0 keeps a handle that reads.
        let mut keeps = false;
        let mut index = 0;
        while index < self.handles.len() {
            let handle = &self.handles[index];
            if handle.side == 0 && handle.is_for(Half::Read) && !keeps {
                keeps = true;
                index += 1;
            } else {
                self.drop_at(index);
            }
        }
        if self.blocking[1].take().is_some() {
            self.promises[0].no_writer = true;
            self.promises[1].reader_goes();
        }
        self.drain(true)?;
        for promise in &self.promises {
            promise.check()?;
        }
        Ok(())
    }

    /// What was cancelled is over, in one way or another.
    fn check_cancels(&mut self) -> Result<(), String> {
        let mut index = 0;
        while index < self.pending.len() && W::IN_MEMORY {
            let Pending { half, side, number, .. } = self.pending[index];
            let promise = &self.promises[if half == Half::Read { side } else { 1 - side }];
            if !promise.is_cancelled(half, number) {
                index += 1;
            } else if !self.poll(index)? {
                return Err(format!("{half:?} {number} of end {side} was cancelled, and is not over"));
            }
        }
        Ok(())
    }

    /// If an operation or a task may go on, it was woken.
    fn check_wakes(&mut self) -> Result<(), String> {
        if !W::IN_MEMORY {
            return Ok(());
        }
        let mut index = 0;
        while index < self.pending.len() {
            let silent = self.pending[index].bell.as_ref().is_some_and(|bell| !bell.rang());
            let (half, number) = (self.pending[index].half, self.pending[index].number);
            if silent && self.poll(index)? {
                return Err(format!("{half:?} {number} is complete, and its task was not woken"));
            }
            index += 1;
        }
        for index in 0..self.handles.len() {
            for half in [Half::Read, Half::Write] {
                let handle = &self.handles[index];
                let waiting = if half == Half::Read { &handle.reads } else { &handle.writes };
                let Some(waiting) = waiting.as_ref().filter(|waiting| !waiting.bell.rang()) else { continue };
                let (units, runtime) = (waiting.units, waiting.runtime);
                let went_on = match half {
                    Half::Read => self.poll_read(index, units, runtime)?,
                    Half::Write if handle.is_for(half) => self.poll_write(index, units, runtime)?,
                    Half::Write => false,
                };
                let handle = &self.handles[index];
                let waiting = if half == Half::Read { &handle.reads } else { &handle.writes };
                let comes_back = waiting.as_ref().is_some_and(|waiting| waiting.bell.rang());
                // A task that is out of values tells nothing.
                if went_on && self.promises[1 - handle.side].has_values(half) {
                    return Err(format!("a task of end {} could {half:?}, and was not woken", handle.side));
                }
                if comes_back {
                    self.world.settle();
                }
            }
        }
        Ok(())
    }

    /// Reads what there is, until there is nothing more; with `to_the_end` until the end of file.
    fn drain(&mut self, to_the_end: bool) -> Result<(), String> {
        let (mut idle, mut at_end) = (0, [false; 2]);
        loop {
            let before = self.pending.len();
            let mut index = 0;
            while index < self.pending.len() {
                if !self.poll(index)? {
                    index += 1;
                }
            }
            let mut moved = self.pending.len() < before;
            let mut is_done = true;
            for (side, at_end) in at_end.iter_mut().enumerate() {
                let is_read = |pending: &Pending<W>| pending.side == side && pending.half == Half::Read;
                let waits = self.pending.iter().any(is_read);
                let blocks = self.blocking[side].is_some();
                let reader = self.handles.iter().position(|handle| handle.side == side && handle.is_for(Half::Read));
                if !(self.duplex || side == 0) || (reader.is_none() && !blocks) || *at_end {
                    continue;
                }
                let to_the_end = to_the_end && side == 0;
                let left = self.promises[side].available() > 0;
                is_done &= !(left || to_the_end);
                if waits {
                    continue;
                }
                if blocks {
                    if left || (to_the_end && self.promises[side].no_writer) {
                        let count = self.read_rest(side)?;
                        moved = true;
                        *at_end |= count == 0;
                    }
                    continue;
                }
                let Some(reader) = reader else { continue };
                let (number, length) = self.promises[side].read_begins(16);
                let mut buffer = vec![0xFF; length];
                let outcome = self.handles[reader].end.read_timeout(&mut buffer, Duration::ZERO);
                moved |= outcome.is_ok();
                *at_end |= matches!(outcome, Ok(0));
                self.ended(Half::Read, side, number, Call::Blocked, &outcome, &buffer)?;
            }
            if is_done && (!to_the_end || self.pending.is_empty()) {
                return Ok(());
            }
            self.world.settle();
            idle = if moved { 0 } else { idle + 1 };
            if idle > 100 && !W::IN_MEMORY {
                std::thread::sleep(Duration::from_millis(1));
            }
            if idle == W::PATIENCE / 2 && to_the_end {
                // Two duplex ends may stay open for writes that neither of them reads any more.
                for index in 0..self.pending.len() {
                    let Pending { half, side, .. } = self.pending[index];
                    if half == Half::Write && self.promises[1 - side].no_reader {
                        self.cancel(u8::try_from(index).unwrap_or(0));
                    }
                }
            }
            if idle > W::PATIENCE {
                return Err(format!(
                    "{} operations are not over, and {:?} bytes did not come",
                    self.pending.len(),
                    [self.promises[0].available(), self.promises[1].available()],
                ));
            }
        }
    }

    fn read_rest(&mut self, side: usize) -> Result<usize, String> {
        let Some(end) = &mut self.blocking[side] else { return Ok(0) };
        let (number, length) = self.promises[side].read_begins(16);
        let mut buffer = vec![0xFF; length];
        let outcome = self.world.read_to_the_end(end, &mut buffer);
        let count = *outcome.as_ref().unwrap_or(&0);
        self.ended(Half::Read, side, number, Call::Patient, &outcome, &buffer)?;
        Ok(count)
    }
}
