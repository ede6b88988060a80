//! Clones and halves, half-closes, and drops.

use std::io::ErrorKind;

use anonpipe::Duplex;

use super::any_end::AnyEnd;
use super::making::expect_error;
use super::world::{End, MOST, Waits, World};
use crate::pipes::MOST_BYTES;
use crate::size::Pick;

impl World {
    pub(super) fn try_clone(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        if self.ends.len() + self.handles.len() > MOST {
            return;
        }
        let end = &self.ends[at];
        let any = end.any.try_clone().expect("it can be cloned");
        let clone = End { closed: end.closed, empty: end.empty, ..End::new(any, end.side) };
        if clone.holds() {
            let side = &mut self.sides[clone.side];
            side.holders += 1;
            side.readers += usize::from(clone.any.reads());
        }
        self.ends.push(clone);
    }

    pub(super) fn drop_end(&mut self, end: Option<usize>) {
        if let Some(at) = end {
            let end = self.ends.swap_remove(at);
            self.let_go_of(&end);
            drop(end);
        }
    }

    /// An end is about to be dropped, or to become something else.
    pub(super) fn let_go_of(&mut self, end: &End) {
        if end.holds() {
            self.one_holder_less(end.side, end.any.reads());
        }
    }

    pub(super) fn one_holder_less(&mut self, side: usize, reads: bool) {
        self.sides[side].holders -= 1;
        if reads {
            self.one_reader_less(side);
        }
    }

    pub(super) fn one_reader_less(&mut self, side: usize) {
        let known = &mut self.sides[side];
        known.readers -= 1;
        if known.readers == 0 {
            known.reads_no_more = true;
            for op in self.ops.iter_mut().filter(|op| op.known.side == side && op.known.reads) {
                op.known.may_be_cancelled = true;
            }
        }
    }

    pub(super) fn split(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let AnyEnd::Duplex(_) = self.ends[at].any else { return };
        let End { any, side, closed, read_waits, write_waits, .. } = self.ends.swap_remove(at);
        let AnyEnd::Duplex(duplex) = any else { unreachable!("it is one") };
        let (reader, writer) = duplex.split();
        self.ends.push(End { read_waits, closed, ..End::new(reader.into(), side) });
        self.ends.push(End { write_waits, closed, ..End::new(writer.into(), side) });
        self.sides[side].holders += 1;
    }

    pub(super) fn unsplit(&mut self, reader: Pick, writer: Pick) {
        let readers: Vec<_> = self.places(|any| matches!(any, AnyEnd::Reader(_)));
        let writers: Vec<_> = self.places(|any| matches!(any, AnyEnd::Writer(_)));
        let (Some(first), Some(second)) = (reader.of(readers.len()), writer.of(writers.len())) else { return };
        let (first, second) = (readers[first], writers[second]);
        // The later one first: the other stays where it is.
        let later = self.ends.remove(first.max(second));
        let earlier = self.ends.remove(first.min(second));
        let (reader, writer) = if first < second { (earlier, later) } else { (later, earlier) };
        let same = reader.side == writer.side && !writer.empty;
        let (AnyEnd::Reader(reading), AnyEnd::Writer(writing)) = (reader.any, writer.any) else {
            unreachable!("that is what was looked for")
        };
        match Duplex::unsplit(reading, writing) {
            Ok(duplex) => {
                assert!(same, "two ends were joined that do not belong together");
                self.sides[reader.side].holders -= 1;
                self.ends.push(End {
                    closed: writer.closed,
                    read_waits: reader.read_waits,
                    write_waits: writer.write_waits,
                    ..End::new(duplex.into(), reader.side)
                });
            }
            Err(failed) => {
                assert!(!same, "{}", failed.error());
                let (error, (reading, writing)) = failed.into_parts();
                expect_error(&error, &[ErrorKind::InvalidInput]);
                self.ends.push(End { any: reading.into(), ..reader });
                self.ends.push(End { any: writing.into(), ..writer });
            }
        }
    }

    fn places(&self, is: impl Fn(&AnyEnd) -> bool) -> Vec<usize> {
        (0..self.ends.len()).filter(|at| is(&self.ends[*at].any)).collect()
    }

    pub(super) fn shutdown_write(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let end = &self.ends[at];
        match end.any.shutdown_write() {
            None => {}
            Some(Ok(())) => self.sides[end.side].shut = true,
            Some(Err(error)) => {
                assert!(end.closed, "{error}, and it is open");
                expect_error(&error, &[ErrorKind::BrokenPipe]);
            }
        }
    }

    pub(super) fn bytes_available(&mut self, end: Pick) {
        let Some((at, line)) = self.reading(end) else { return };
        let count = self.ends[at].any.bytes_available().expect("an end that reads").expect("the system knows");
        assert!(count <= MOST_BYTES, "{count} bytes, which is more than were written");
        let side = self.ends[at].side;
        if count > 0 && !self.may_be_in_flight(side, true) && self.ends[at].read_waits == Waits::No {
            assert!(self.blocking_read(at, line, 1, false) == 1, "it can be read without waiting");
        }
    }
}
