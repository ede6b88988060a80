//! What blocked threads do with an end.

use super::{Call, Run, World, milliseconds};
use crate::contract::Half;

impl<W: World> Run<W> {
    /// The calls of blocked threads may end up in the end that is in blocking mode.
    fn blocked(&self, half: Half, on: u8) -> Option<Option<usize>> {
        let is_for = |side: &usize| self.duplex || (*side == 0) == (half == Half::Read);
        let has_blocking = self.blocking.as_ref().is_some_and(|(_, side)| is_for(side));
        match self.handle(half, on) {
            Some(index) if !has_blocking || on.is_multiple_of(2) => Some(Some(index)),
            _ => has_blocking.then_some(None),
        }
    }

    pub(super) fn read(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.blocked(Half::Read, on) {
            None => return Ok(()),
            Some(Some(index)) => index,
            Some(None) => return self.read_for_long(units),
        };
        let side = self.handles[index].side;
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = self.handles[index].end.read_timeout(&mut buffer, milliseconds::<W>(timeout));
        self.ended(Half::Read, side, number, Call::Blocked, &outcome, &buffer)
    }

    /// Reads from the end in blocking mode, if there is certainly something to read.
    fn read_for_long(&mut self, units: u8) -> Result<(), String> {
        let Some((end, side)) = &mut self.blocking else { return Ok(()) };
        let side = *side;
        if self.promises[side].available() == 0 {
            return Ok(());
        }
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = W::read(end, &mut buffer);
        self.ended(Half::Read, side, number, Call::Patient, &outcome, &buffer)
    }

    pub(super) fn write(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.blocked(Half::Write, on) {
            None => return Ok(()),
            Some(Some(index)) => index,
            Some(None) => return self.write_for_long(units),
        };
        let side = self.handles[index].side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = self.handles[index].end.write_timeout(&bytes, milliseconds::<W>(timeout));
        self.ended(Half::Write, side, number, Call::Blocked, &outcome, &[])
    }

    /// Writes to the end in blocking mode, whose pipe has room for whole programs.
    fn write_for_long(&mut self, units: u8) -> Result<(), String> {
        let Some((end, side)) = &mut self.blocking else { return Ok(()) };
        let side = *side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = W::write(end, &bytes);
        self.ended(Half::Write, side, number, Call::Patient, &outcome, &[])
    }
}
