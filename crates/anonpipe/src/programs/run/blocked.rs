//! What blocked threads do with an end.

use super::{Call, Run, World, milliseconds};
use crate::contract::Half;

/// What a blocked thread calls.
enum Target {
    /// The handle with this index.
    Overlapped(usize),
    /// The end of this side, which is in blocking mode.
    Blocking(usize),
}

impl<W: World> Run<W> {
    /// The calls of blocked threads may end up in an end that is in blocking mode.
    fn target(&self, half: Half, on: u8) -> Option<Target> {
        let is_for = |side: &usize| self.duplex || (*side == 0) == (half == Half::Read);
        let sides = || (0..2).filter(|side| self.blocking[*side].is_some()).filter(is_for);
        let any = Self::any(sides().count(), on / 2);
        match self.handle(half, on) {
            Some(index) if any.is_none() || on.is_multiple_of(2) => Some(Target::Overlapped(index)),
            _ => sides().nth(any?).map(Target::Blocking),
        }
    }

    pub(super) fn read(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.target(Half::Read, on) {
            None => return Ok(()),
            Some(Target::Overlapped(index)) => index,
            Some(Target::Blocking(side)) => return self.read_for_long(side, units),
        };
        let side = self.handles[index].side;
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = self.handles[index].end.read_timeout(&mut buffer, milliseconds::<W>(timeout));
        self.ended(Half::Read, side, number, Call::Blocked, &outcome, &buffer)
    }

    /// Reads from an end in blocking mode, if there is certainly something to read.
    fn read_for_long(&mut self, side: usize, units: u8) -> Result<(), String> {
        let Some(end) = &mut self.blocking[side] else { return Ok(()) };
        if self.promises[side].available() == 0 {
            return Ok(());
        }
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = W::read(end, &mut buffer);
        self.ended(Half::Read, side, number, Call::Patient, &outcome, &buffer)
    }

    pub(super) fn write(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.target(Half::Write, on) {
            None => return Ok(()),
            Some(Target::Overlapped(index)) => index,
            Some(Target::Blocking(side)) => return self.write_for_long(side, units),
        };
        let side = self.handles[index].side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = self.handles[index].end.write_timeout(&bytes, milliseconds::<W>(timeout));
        self.ended(Half::Write, side, number, Call::Blocked, &outcome, &[])
    }

    /// Writes to an end in blocking mode, whose pipe has room for whole programs.
    fn write_for_long(&mut self, side: usize, units: u8) -> Result<(), String> {
        let Some(end) = &mut self.blocking[side] else { return Ok(()) };
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = W::write(end, &bytes);
        self.ended(Half::Write, side, number, Call::Patient, &outcome, &[])
    }
}
