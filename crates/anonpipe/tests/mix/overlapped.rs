//! The thread of an overlapped end: sends it out with actors, does this and that with it in between, and closes it.

use std::io::ErrorKind;
use std::sync::{Arc, Weak};
use std::thread;

use anonpipe::{Driver, Duplex, Overlapped, Reader, Writer};

use crate::both::BothActor;
use crate::control::Phase;
use crate::ends::AnyEnd;
use crate::plan::{EndPlan, Errand, LEAVES_WITH_WRITES_IN_FLIGHT, Move, Random};
use crate::read::{Reading, ReadingActor};
use crate::tally::Tally;
use crate::venues::Home;
use crate::watch::Slot;
use crate::write::WritingActor;
use crate::writing::Writing;

/// What the thread of an end knows.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) plan: EndPlan,
    pub(crate) random: Random,
    pub(crate) slot: Arc<Slot>,
    /// The round's driver, while it is there.
    pub(crate) driver: Weak<Driver>,
}

impl Holder {
    pub(crate) fn attach(&self, end: &impl AnyEnd) {
        if let Some(driver) = self.driver.upgrade().filter(|_| self.plan.attached) {
            end.give_to(&driver);
        }
    }

    fn leaves(&self, reading: &Reading) -> bool {
        self.plan.leaves_after.is_some_and(|after| reading.stream.count_out() >= after)
    }

    /// What is done between two phases.
    fn between<E: AnyEnd>(&mut self, end: E, reading: Option<&Reading>, writing: Option<&Writing>) -> E {
        let chosen = Move::random(&mut self.random);
        self.slot.doing(chosen);
        match chosen {
            Move::Nothing => end,
            Move::Clone => {
                let clone = end.another();
                if let Some(writing) = writing {
                    writing.stream.nobody_is_told();
                }
                clone
            }
            Move::SplitAndJoin => end.halves_and_back(),
            Move::Look => {
                end.look();
                end
            }
            Move::Convert => self.convert(end, reading, writing),
        }
    }

    fn convert<E: AnyEnd>(&mut self, end: E, reading: Option<&Reading>, writing: Option<&Writing>) -> E {
        let is_idle = || {
            reading.is_none_or(|reading| reading.in_flight.is_complete())
                && writing.is_none_or(|writing| writing.in_flight.is_complete())
        };
        let loose = writing.is_some_and(|writing| writing.loose);
        let may_be_busy = loose || !is_idle();
        match end.into_handle() {
            Ok(handle) => {
                Tally::Converted.one();
                // Nothing was in flight, though who completed the last of them may not have said so yet.
                self.slot.doing("waits for completions after a conversion");
                while !is_idle() {
                    thread::yield_now();
                }
                let end = E::of_handle(handle, self.random.below(2));
                self.attach(&end);
                end
            }
            Err(failed) => {
                let (error, end) = failed.into_parts();
                let allowed = match error.kind() {
                    ErrorKind::ResourceBusy => may_be_busy,
                    // It was bound to our port.
                    ErrorKind::Unsupported => cfg!(windows),
                    // What a task had accepted was cancelled, or is not read any more.
                    _ => cfg!(windows) && loose,
                };
                assert!(allowed, "a conversion failed: {error:?}");
                Tally::Refused.one();
                end
            }
        }
    }

    pub(crate) fn reads(mut self, mut reader: Reader<Overlapped>, mut reading: Reading) {
        self.attach(&reader);
        while !reading.ended && !self.leaves(&reading) {
            reader = self.between(reader, Some(&reading), None);
            self.slot.doing("is with its actor");
            let mut phase = Phase::new(&mut self.random, true);
            let clone = reader.another();
            self.send_reader(&phase, reader, reading);
            let Home::Reader(actor) = phase.next_home(|| clone.cancel_all()) else { unreachable!("it is a reader") };
            (reader, reading) = (actor.reader, actor.reading);
            if phase.control.may_cancel() {
                reading.note_cancel();
            }
        }
        self.close_reader(reader, reading);
    }

    pub(crate) fn writes(mut self, mut writer: Writer<Overlapped>, mut writing: Writing) {
        self.attach(&writer);
        while !writing.is_used_up() {
            writer = self.between(writer, None, Some(&writing));
            self.slot.doing("is with its actor");
            let mut phase = Phase::new(&mut self.random, true);
            let clone = writer.another();
            self.send_writer(&phase, writer, writing, false);
            let Home::Writer(actor) = phase.next_home(|| clone.cancel_all()) else { unreachable!("it is a writer") };
            (writer, writing) = (actor.writer, actor.writing);
            writing.settle_unreported();
            if phase.control.may_cancel() {
                writing.note_cancel();
            }
        }
        self.close_writer(writer, writing);
    }

    fn send_reader(&mut self, phase: &Phase, reader: Reader<Overlapped>, reading: Reading) {
        let errand = Errand::random(&mut self.random);
        let control = Arc::clone(&phase.control);
        reading.slot.is_at(errand);
        phase.send_out(errand, ReadingActor { reader, reading, control, steps: errand.steps });
    }

    fn send_writer(&mut self, phase: &Phase, writer: Writer<Overlapped>, writing: Writing, finishes: bool) {
        let errand = Errand::random(&mut self.random);
        let control = Arc::clone(&phase.control);
        writing.slot.is_at(errand);
        phase.send_out(errand, WritingActor { writer, writing, control, steps: errand.steps, finishes });
    }

    pub(crate) fn reads_and_writes(
        mut self,
        mut duplex: Duplex<Overlapped>,
        mut reading: Reading,
        mut writing: Writing,
    ) {
        self.attach(&duplex);
        while !(self.leaves(&reading) || reading.ended && writing.is_finished()) {
            duplex = self.between(duplex, Some(&reading), Some(&writing));
            self.slot.doing("is with its actors");
            let with_both = !reading.ended && !writing.is_used_up() && self.random.below(3) == 0;
            (duplex, reading, writing) = if with_both {
                self.both_in_one(duplex, reading, writing)
            } else {
                self.one_for_each_half(duplex, reading, writing)
            };
        }
        self.close_duplex(duplex, reading, writing);
    }

    fn both_in_one(
        &mut self,
        duplex: Duplex<Overlapped>,
        reading: Reading,
        writing: Writing,
    ) -> (Duplex<Overlapped>, Reading, Writing) {
        let mut phase = Phase::new(&mut self.random, true);
        let clone = duplex.another();
        let errand = Errand::random(&mut self.random);
        let random = Random::new(self.random.next());
        let control = Arc::clone(&phase.control);
        reading.slot.is_at(errand);
        phase.send_out(errand, BothActor { duplex, reading, writing, control, steps: errand.steps, random });
        let Home::Both(actor) = phase.next_home(|| clone.cancel_all()) else { unreachable!("it is for both") };
        let BothActor { duplex, mut reading, mut writing, .. } = *actor;
        writing.settle_unreported();
        if phase.control.may_cancel() {
            reading.note_cancel();
            writing.note_cancel();
        }
        (duplex, reading, writing)
    }

    /// One that writes for a while, and one that reads as long as that does: the peer may do the same.
    fn one_for_each_half(
        &mut self,
        duplex: Duplex<Overlapped>,
        reading: Reading,
        writing: Writing,
    ) -> (Duplex<Overlapped>, Reading, Writing) {
        let finishes = writing.is_used_up();
        let mut phase = Phase::new(&mut self.random, !finishes);
        let (reader, writer) = duplex.split();
        let (clone_of_reader, clone_of_writer) = (reader.another(), writer.another());
        let (mut reader, mut writer) = (Some((reader, reading)), Some((writer, writing)));
        let mut writes = writer.as_ref().is_some_and(|(_, writing)| !writing.is_finished());
        if writes && let Some((writer, writing)) = writer.take() {
            self.send_writer(&phase, writer, writing, finishes);
        }
        let mut reads = false;
        loop {
            let reads_on = reader.as_ref().is_some_and(|(_, reading)| !reading.ended && !self.leaves(reading));
            if reads_on
                && (writes || !reads)
                && let Some((reader, reading)) = reader.take()
            {
                reads = true;
                self.send_reader(&phase, reader, reading);
            } else if LEAVES_WITH_WRITES_IN_FLIGHT && reader.as_ref().is_some_and(|(_, reading)| self.leaves(reading)) {
                phase.stop();
            }
            let (reader_is_out, writer_is_out) = (reader.is_none(), writer.is_none());
            if !reader_is_out && !writer_is_out {
                break;
            }
            let stops = phase.control.is_stopped();
            let home = phase.next_home(|| {
                if reader_is_out {
                    clone_of_reader.cancel_all();
                }
                if writer_is_out && (stops || !finishes) {
                    clone_of_writer.cancel_all();
                }
            });
            match home {
                Home::Reader(actor) => {
                    let ReadingActor { reader: half, mut reading, .. } = *actor;
                    if phase.control.may_cancel() {
                        reading.note_cancel();
                    }
                    reader = Some((half, reading));
                }
                Home::Writer(actor) => {
                    let WritingActor { writer: half, mut writing, .. } = *actor;
                    writing.settle_unreported();
                    if phase.control.may_cancel() {
                        writing.note_cancel();
                    }
                    writer = Some((half, writing));
                    writes = false;
                    phase.stop();
                }
                Home::Both(_) => unreachable!("none was sent out"),
            }
        }
        let ((reader, reading), (writer, writing)) = (reader.expect("it is home"), writer.expect("it is home"));
        (Duplex::unsplit(reader, writer).expect("the halves of one end"), reading, writing)
    }
}
