//! The end of an input: what is in flight ends as the contract says, and what came out is what went
//! in.

use std::time::Instant;

use super::steps::Patience;
use super::world::{Op, World};
use crate::fence::LIMIT;
use crate::plain;

const ROOM: usize = 1 << 16;

/// What a look at a side found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Bytes,
    End,
}

impl World {
    pub(super) fn say_goodbye(&mut self) {
        self.cancel_what_has_no_reader();
        self.until("writes in flight, and everything is read", |world| {
            world.drain();
            world.ask_all(/* reads */ false)
        });
        for servers in [true, false] {
            self.let_go(servers);
            self.until("in flight, and without a peer", |world| {
                world.drain();
                world.ask_all(false) & world.ask_all(true)
            });
            self.check(servers);
        }
        self.drivers.clear();
    }

    /// Writes to a pipe that is open and that no end here can read.
    fn cancel_what_has_no_reader(&mut self) {
        for at in 0..self.ops.len() {
            let known = &self.ops[at].known;
            if !known.reads && self.sides[self.lines[known.line].reader].readers == 0 {
                self.ops[at].flight.cancel();
                self.ops[at].known.may_be_cancelled = true;
            }
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < LIMIT, "{what}: {self:#?}");
            self.turn_all();
            std::thread::yield_now();
        }
    }

    /// Whether every operation of that kind is complete.
    fn ask_all(&mut self, reads: bool) -> bool {
        let mut at = 0;
        while at < self.ops.len() {
            let Op { flight, known } = &self.ops[at];
            // If a task waits for it, it is to be woken by a turn of the driver.
            let later = known.reads != reads || known.waker.is_some() && !flight.is_complete();
            if later || !self.ask(at, Patience::Zero) {
                at += 1;
            }
        }
        self.ops.iter().all(|op| op.known.reads != reads)
    }

    fn drain(&mut self) {
        for side in 0..self.sides.len() {
            while self.look(side) == Found::Bytes {}
        }
    }

    /// Reads what there is on a side, by one of its holders.
    fn look(&mut self, side: usize) -> Found {
        let Some(line) = self.sides[side].reads else { return Found::Nothing };
        let found = |count| match count {
            None => Found::Nothing,
            Some(0) => Found::End,
            Some(_) => Found::Bytes,
        };
        if let Some(at) = self.handles.iter().position(|handle| handle.side == side) {
            return found(self.read_plainly(at, ROOM));
        }
        let Some(at) = self.ends.iter().position(|end| end.side == side && end.any.reads()) else {
            return Found::Nothing;
        };
        if self.sides[side].overlapped {
            return found(self.timed_read(at, line, ROOM, Patience::Zero));
        }
        if plain::can_read(self.ends[at].any.borrow()) {
            return found(Some(self.blocking_read(at, line, ROOM, false)));
        }
        Found::Nothing
    }

    /// Drops every end and handle of the servers' sides, or of the others.
    fn let_go(&mut self, servers: bool) {
        while let Some(at) = self.ends.iter().position(|end| (end.side % 2 == 0) == servers) {
            self.drop_end(Some(at));
        }
        while let Some(at) = self.handles.iter().position(|handle| (handle.side % 2 == 0) == servers) {
            self.close_handle_at(at);
        }
    }

    /// Reads each line to its end, if its writer was let go of, and looks at what came out.
    fn check(&mut self, servers: bool) {
        for number in 0..self.lines.len() {
            let (writer, reader) = (self.lines[number].writer, self.lines[number].reader);
            let whole = servers && writer % 2 == 0 && self.sides[reader].readers > 0 && !self.reader_is_gone(number);
            if whole {
                self.until("no end of file, and the writer is gone", |world| match world.look(reader) {
                    Found::End => true,
                    Found::Bytes | Found::Nothing => false,
                });
            }
            self.lines[number].ledger.check(whole);
        }
    }
}
