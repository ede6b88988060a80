//! The thread of a blocking end: reads and writes as other programs do, and closes it.

use std::io::{IoSlice, Read, Write};

use anonpipe::{Blocking, Duplex, Reader, Writer};

use crate::ends::PlainEnd;
use crate::going_in::May;
use crate::overlapped::Holder;
use crate::reading::Reading;
use crate::steps::ReadStep;
use crate::writing::Writing;

impl Holder {
    fn between_plain<E: PlainEnd>(&mut self, end: E) -> E {
        match self.random.below(8) {
            0 => end.there_and_back(),
            1 => end.another(),
            _ => end,
        }
    }

    /// Reads once. Whether there may be more.
    fn read_plain<E: PlainEnd + Read>(&mut self, end: &mut E, reading: &mut Reading) -> bool {
        let limit = self.random.chunk().min(100_000);
        let how = ReadStep::Std(limit);
        self.slot.doing(how);
        let mut bytes = vec![0; limit];
        let turn = reading.stream.begin_read(how);
        let result = end.read(&mut bytes);
        reading.stream.record_read(turn.over(), result, bytes, May::default());
        !reading.ended() && !self.leaves(reading)
    }

    fn write_plain(&mut self, end: &mut impl Write, writing: &mut Writing) {
        let Some((turn, bytes)) = writing.stream.begin_write(self.random.chunk()) else { return };
        self.slot.doing(("writes", bytes.len()));
        let result = if self.random.below(3) == 0 {
            let (one, other) = bytes.split_at(bytes.len() / 2);
            end.write_vectored(&[IoSlice::new(one), IoSlice::new(other)])
        } else {
            end.write(&bytes)
        };
        writing.stream.record_written(turn.over(), result, May::default());
    }

    pub(crate) fn reads_plain(mut self, mut reader: Reader<Blocking>, mut reading: Reading) {
        while self.read_plain(&mut reader, &mut reading) {
            reader = self.between_plain(reader);
        }
        if reading.ended() {
            return reading.is_at_the_end(|bytes| reader.read(bytes));
        }
        reading.stream.reader_is_leaving();
    }

    pub(crate) fn writes_plain(mut self, mut writer: Writer<Blocking>, mut writing: Writing) {
        while !writing.is_used_up() {
            self.write_plain(&mut writer, &mut writing);
            writer = self.between_plain(writer);
        }
        if writing.stream.is_broken() {
            return writing.until_it_is_broken(|bytes| writer.write(bytes));
        }
        writing.stream.writer_is_leaving();
    }

    /// In turns: first writes all, then reads.
    pub(crate) fn reads_and_writes_plain(
        mut self,
        mut duplex: Duplex<Blocking>,
        mut reading: Reading,
        mut writing: Writing,
    ) {
        while !writing.is_used_up() {
            self.write_plain(&mut duplex, &mut writing);
            duplex = self.between_plain(duplex);
        }
        if !writing.stream.is_broken() {
            let (turn, bytes) = writing.stream.begin_trailer();
            let result = duplex.write(&bytes);
            writing.stream.record_written(turn.over(), result, May::default());
            if self.plan.half_closes && cfg!(unix) {
                writing.stream.writer_is_leaving();
                duplex.shutdown_write().expect("a half-close");
            }
        }
        while self.read_plain(&mut duplex, &mut reading) {
            duplex = self.between_plain(duplex);
        }
        if !reading.ended() {
            reading.stream.reader_is_leaving();
        } else if writing.stream.is_broken() || !self.plan.leaves_first {
            reading.is_at_the_end(|bytes| duplex.read(bytes));
            if !writing.stream.writer_leaves() {
                writing.until_it_is_broken(|bytes| duplex.write(bytes));
            }
        }
        writing.stream.writer_is_leaving();
        drop(duplex);
        reading.stream.reader_is_done();
    }
}
