//! The end of an input: what is in flight ends as the header says, and what came out is what went
//! in.

use std::time::Instant;

use super::calls::{ANONPIPE_E_TIMED_OUT, ANONPIPE_OK, Count, call, expect};
use super::world::{Owner, World};
use crate::fence::LIMIT;
use crate::plain;

const ROOM: usize = 1 << 16;

impl World {
    pub(super) fn say_goodbye(&mut self) {
        self.wait_for_the_cancelled();
        self.let_writes_finish();
        // The side of each pipe that was made first, and then the other.
        for first in [true, false] {
            self.let_go(first);
            let begun = Instant::now();
            while !self.all_are_complete() {
                self.drain();
                assert!(begun.elapsed() < LIMIT, "in flight, and without a peer: {self:?}");
                std::thread::yield_now();
            }
            while self.drain() {}
            for line in &self.lines {
                let reader = &self.sides[line.reader];
                line.ledger.check(line.writer % 2 == 0 && first && reader.owner != Owner::Gone);
            }
        }
        while !self.ops.is_empty() {
            self.release(Some(0));
        }
    }

    /// Reads until every write is complete that has a reader.
    fn let_writes_finish(&mut self) {
        let begun = Instant::now();
        loop {
            while self.drain() {}
            let mut left = false;
            for at in 0..self.ops.len() {
                let complete = self.ask(at);
                left |= !complete && !self.ops[at].reads;
            }
            if !left {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "writes in flight, and everything was read: {self:?}");
            std::thread::yield_now();
        }
    }

    /// Reads what there is, on every side. Whether that was anything.
    fn drain(&mut self) -> bool {
        let mut found = false;
        for at in 0..self.handles.len() {
            let handle = &self.handles[at];
            let Some(line) = self.sides[handle.side].reads else { continue };
            if let Some(bytes) = plain::read(&handle.descriptor, ROOM) {
                found |= !bytes.is_empty();
                self.took(line, &bytes);
            }
        }
        for at in 0..self.ends.len() {
            let end = &self.ends[at];
            let Some(line) = self.sides[end.side].reads else { continue };
            let mut buffer = vec![0; ROOM];
            let mut count = Count::new();
            let data = buffer.as_mut_ptr().cast();
            let code = call!(anonpipe_read(end.pointer, data, ROOM, 0, count.place(false)));
            expect(code, &[ANONPIPE_OK, ANONPIPE_E_TIMED_OUT]);
            if code == ANONPIPE_OK as i32 {
                found |= count.0 > 0;
                self.took(line, &buffer[..count.0]);
            }
        }
        found
    }

    /// Closes every end and handle of the sides that were made first, or of the others.
    fn let_go(&mut self, first: bool) {
        while let Some(at) = self.ends.iter().position(|end| (end.side % 2 == 0) == first) {
            self.close(Some(at));
        }
        for handle in self.handles.extract_if(.., |handle| (handle.side % 2 == 0) == first) {
            self.sides[handle.side].owner = Owner::Gone;
        }
    }

    /// Whether every operation is complete, now that one side of each pipe is closed.
    fn all_are_complete(&mut self) -> bool {
        let complete: Vec<_> = (0..self.ops.len()).map(|at| self.ask(at)).collect();
        !complete.contains(&false)
    }
}
