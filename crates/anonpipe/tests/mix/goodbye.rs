//! How the thread of an overlapped end closes it, and what must be so then.

use std::io::{ErrorKind, Read, Write};

use anonpipe::{Duplex, Overlapped, Reader, Writer};

use crate::control::Control;
use crate::executors::Family;
use crate::overlapped::Holder;
use crate::reading::Reading;
use crate::writing::Writing;

impl Holder {
    fn flips(&mut self) -> bool {
        self.random.below(2) == 0
    }

    pub(crate) fn close_reader(&mut self, mut reader: Reader<Overlapped>, mut reading: Reading) {
        if reading.ended() {
            reading.cancel_the_rest();
            return reading.is_at_the_end(|bytes| reader.read(bytes));
        }
        self.slot.doing("leaves with more to read");
        reading.stream.reader_is_leaving();
        if self.flips() {
            reading.cancel_the_rest();
        }
        drop(reader);
        reading.note_cancel();
        reading.take_the_rest();
    }

    pub(crate) fn close_writer(&mut self, mut writer: Writer<Overlapped>, mut writing: Writing) {
        if writing.stream.is_broken() {
            writing.take_the_rest();
            return writing.until_it_is_broken(|bytes| writer.write(bytes));
        }
        self.slot.doing("leaves with everything written");
        writing.stream.writer_is_leaving();
        match self.random.below(5) {
            0 => {
                while !writing.in_flight.is_empty() {
                    writing.detach();
                }
            }
            1 => {
                writing.take_the_rest();
                let flushed = writer.flush();
                writing.record_flush(flushed, &Control::default());
            }
            2 => close(&mut writing, &mut writer, Family::Tokio),
            3 => close(&mut writing, &mut writer, Family::Futures),
            // What is in flight goes on.
            _ => {}
        }
        drop(writer);
        writing.take_the_rest();
    }

    pub(crate) fn close_duplex(&mut self, duplex: Duplex<Overlapped>, mut reading: Reading, mut writing: Writing) {
        let early = !reading.ended();
        if early {
            self.slot.doing("leaves with more to read");
            reading.stream.reader_is_leaving();
        }
        if early || self.flips() {
            reading.cancel_the_rest();
        }
        // Else the peer leaves first, or has left.
        let leaves = early || self.plan.leaves_first && !writing.stream.is_broken();
        if leaves && !early && cfg!(unix) && reading.stream.writer_leaves() {
            // It half-closed, so it need not leave for this.
            let mut reader = &duplex;
            reading.is_at_the_end(|bytes| reader.read(bytes));
        }
        if self.plan.half_closes && !early && !writing.stream.is_broken() && !writing.stream.writer_leaves() {
            self.half_close(duplex, &mut reading, &mut writing, leaves);
        } else {
            self.leave(duplex, &mut reading, &mut writing, leaves);
        }
        reading.note_cancel();
        reading.take_the_rest();
        reading.stream.reader_is_done();
        writing.take_the_rest();
    }

    fn leave(&mut self, mut duplex: Duplex<Overlapped>, reading: &mut Reading, writing: &mut Writing, leaves: bool) {
        if !leaves {
            reading.is_at_the_end(|bytes| duplex.read(bytes));
            if !writing.stream.writer_leaves() {
                writing.take_the_rest();
                writing.until_it_is_broken(|bytes| duplex.write(bytes));
            }
        }
        self.slot.doing("leaves");
        writing.stream.writer_is_leaving();
        if self.flips() {
            let (reader, writer) = duplex.split();
            if self.flips() { drop((writer, reader)) } else { drop((reader, writer)) }
        }
    }

    /// Ends writing as the system can, and then leaves.
    fn half_close(&mut self, duplex: Duplex<Overlapped>, reading: &mut Reading, writing: &mut Writing, leaves: bool) {
        self.slot.doing("half-closes");
        if cfg!(unix) {
            writing.stream.writer_is_leaving();
        }
        if self.flips() {
            match duplex.shutdown_write() {
                Err(error) if cfg!(windows) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}"),
                shut => shut.expect("a half-close"),
            }
            return self.leave(duplex, reading, writing, leaves);
        }
        let (mut reader, mut writer) = duplex.split();
        let family = if self.flips() { Family::Tokio } else { Family::Futures };
        close(writing, &mut writer, family);
        if !leaves {
            reading.is_at_the_end(|bytes| reader.read(bytes));
        }
        writing.stream.writer_is_leaving();
    }
}

/// Closes a writer as a task does.
fn close(writing: &mut Writing, writer: &mut Writer<Overlapped>, family: Family) {
    writing.slot.doing("closes");
    let closed = pollster::block_on(family.close(writer));
    writing.record_flush(closed, &Control::default());
    let late = writer.write(b"late").expect_err("it was closed here");
    assert_eq!(late.kind(), ErrorKind::BrokenPipe, "{late:?}");
}
