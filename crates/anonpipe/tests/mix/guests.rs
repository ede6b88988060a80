//! Others who use an end while it is with its actors, through clones: they submit, cancel what they
//! submitted, and cancel everything.

use std::sync::Arc;

use anonpipe::{Overlapped, Reader, Writer};

use crate::going_in::May;
use crate::inflight::{Done, InFlight};
use crate::plan::Random;
use crate::reading::Reading;
use crate::steps::ReadStep;
use crate::stream::Stream;
use crate::writing::Writing;

/// A clone, its direction, and what a guest has in flight there.
#[derive(Debug)]
struct Guest<E> {
    end: E,
    stream: Arc<Stream>,
    /// How often all reads, and all writes, had been cancelled when it came.
    cancels: [usize; 2],
    in_flight: InFlight,
}

impl<E> Guest<E> {
    fn new(end: E, stream: &Arc<Stream>) -> Self {
        Self { end, stream: Arc::clone(stream), cancels: stream.cancels(), in_flight: InFlight::default() }
    }

    /// How what it had in flight may have ended.
    fn may(&self, done: &Done) -> May {
        May { time_out: false, be_cancelled: done.cancelled || self.stream.cancels() != self.cancels }
    }
}

/// The guests of one end, for one phase.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    reader: Option<Guest<Reader<Overlapped>>>,
    writer: Option<Guest<Writer<Overlapped>>>,
}

impl Guests {
    pub(crate) fn with_reader(mut self, end: Reader<Overlapped>, reading: &Reading) -> Self {
        self.reader = Some(Guest::new(end, &reading.stream));
        self
    }

    pub(crate) fn with_writer(mut self, end: Writer<Overlapped>, writing: &Writing) -> Self {
        self.writer = Some(Guest::new(end, &writing.stream));
        self
    }

    /// Cancels everything in the directions that are given.
    pub(crate) fn cancel_all(&mut self, reads: bool, writes: bool) {
        if let Some(guest) = self.reader.as_mut().filter(|_| reads) {
            guest.stream.cancels_reads();
            guest.end.cancel_all();
        }
        if let Some(guest) = self.writer.as_mut().filter(|_| writes) {
            guest.stream.cancels_writes();
            guest.end.cancel_all();
        }
    }

    /// One of them does something.
    pub(crate) fn act(&mut self, random: &mut Random) {
        let (choice, length) = (random.below(6), random.chunk());
        if let Some(guest) = &mut self.reader {
            match choice {
                0 | 1 if guest.in_flight.len() < 3 => guest.read(length.min(100_000)),
                2 => guest.in_flight.cancel(random.below(3)),
                _ => {}
            }
            guest.record_reads(false);
        }
        if let Some(guest) = &mut self.writer {
            match choice {
                3 | 4 if guest.in_flight.len() < 3 => guest.write(length),
                5 => guest.in_flight.cancel(random.below(3)),
                _ => {}
            }
            guest.record_writes(false);
        }
    }

    /// Whether one of them may take bytes that an actor waits for.
    pub(crate) fn may_read(&self) -> bool {
        self.reader.as_ref().is_some_and(|guest| !guest.in_flight.is_empty())
    }

    /// Whether there is nothing more to read, perhaps because one of them took the last of it.
    pub(crate) fn saw_the_end(&self) -> bool {
        self.reader.as_ref().is_some_and(|guest| guest.stream.coming_out.is_at_the_end())
    }

    /// They cancel their reads.
    pub(crate) fn stop_reading(&mut self) {
        if let Some(guest) = &mut self.reader {
            guest.record_reads(true);
        }
    }

    /// They cancel what they have in flight, and go.
    pub(crate) fn leave(mut self) {
        self.stop_reading();
        if let Some(guest) = &mut self.writer {
            guest.record_writes(true);
        }
    }
}

impl Guest<Reader<Overlapped>> {
    fn read(&mut self, length: usize) {
        if let Some(turn) = self.stream.try_begin_read(ReadStep::Submit(1)) {
            self.in_flight.push(self.end.submit_read(vec![0; length]), turn.over());
        }
    }

    /// Takes the outcomes that are there, or, after a cancel, all.
    fn record_reads(&mut self, cancel: bool) {
        if cancel {
            self.in_flight.cancel_each();
        }
        while let Some(done) = if cancel { self.in_flight.wait() } else { self.in_flight.first_complete() } {
            let may = self.may(&done);
            self.stream.record_read(done.number, done.result, done.bytes, may);
        }
    }
}

impl Guest<Writer<Overlapped>> {
    fn write(&mut self, length: usize) {
        if let Some((turn, bytes)) = self.stream.try_begin_write(length) {
            self.in_flight.push(self.end.submit_write(bytes), turn.over());
        }
    }

    fn record_writes(&mut self, cancel: bool) {
        if cancel {
            self.in_flight.cancel_each();
        }
        while let Some(done) = if cancel { self.in_flight.wait() } else { self.in_flight.first_complete() } {
            let may = self.may(&done);
            self.stream.record_written(done.number, done.result, may);
        }
    }
}
