//! The thread of an overlapped end: sends it out with actors, converts, clones or splits it in
//! between, and closes it.

use std::io::ErrorKind;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Driver, Duplex, Overlapped, Reader, Writer};

use crate::both::BothActor;
use crate::control::{Away, Phase};
use crate::ends::AnyEnd;
use crate::guests::Guests;
use crate::plan::{EndPlan, Errand, LEAVES_WITH_WRITES_IN_FLIGHT, Move, Random};
use crate::read::ReadingActor;
use crate::reading::Reading;
use crate::tally::Tally;
use crate::venues::Home;
use crate::watch::Slot;
use crate::write::WritingActor;
use crate::writing::Writing;

/// How long something may take that is under way.
const SOON: Duration = Duration::from_secs(20);

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

    pub(crate) fn leaves(&self, reading: &Reading) -> bool {
        self.plan.leaves_after.is_some_and(|after| reading.stream.coming_out.count() >= after)
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
                    writing.stream.going_in.nobody_is_told();
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

    fn convert<E: AnyEnd>(&mut self, mut end: E, reading: Option<&Reading>, writing: Option<&Writing>) -> E {
        let is_idle = || {
            reading.is_none_or(|reading| reading.in_flight.is_complete())
                && writing.is_none_or(|writing| writing.in_flight.is_complete())
        };
        let loose = writing.is_some_and(|writing| writing.loose);
        let may_be_busy = loose || !is_idle();
        let start = Instant::now();
        loop {
            let failed = match end.into_handle() {
                Ok(handle) => {
                    Tally::Converted.one();
                    // Nothing was in flight, though who completed the last of them may not have
                    // said so yet.
                    self.slot.doing("waits for completions after a conversion");
                    while !is_idle() {
                        thread::yield_now();
                    }
                    let end = E::of_handle(handle, self.random.below(3));
                    self.attach(&end);
                    return end;
                }
                Err(failed) => failed,
            };
            let error;
            (error, end) = failed.into_parts();
            match error.kind() {
                ErrorKind::ResourceBusy if may_be_busy => {}
                // A clone was dropped while a task waited to read it: what was in flight for that
                // is being cancelled.
                ErrorKind::ResourceBusy if cfg!(windows) && start.elapsed() < SOON => {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                // It was bound to our port.
                ErrorKind::Unsupported if cfg!(windows) => {}
                // What a task had accepted was cancelled, or is not read any more.
                _ if cfg!(windows) && loose => {}
                _ => panic!("a conversion failed: {error:?}"),
            }
            Tally::Refused.one();
            return end;
        }
    }

    pub(crate) fn reads(mut self, mut reader: Reader<Overlapped>, mut reading: Reading) {
        self.attach(&reader);
        while !reading.ended() && !self.leaves(&reading) {
            reader = self.between(reader, Some(&reading), None);
            self.slot.doing("is with its actor");
            let guests = Guests::default().with_reader(reader.another(), &reading);
            let mut phase = Phase::new(&mut self.random, guests);
            self.send_reader(&phase, reader, reading);
            let home = phase.next_home(Away { reader: true, writer: false });
            (reader, reading) = home.reader().unpack(&phase);
            phase.guests.leave();
        }
        self.close_reader(reader, reading);
    }

    pub(crate) fn writes(mut self, mut writer: Writer<Overlapped>, mut writing: Writing) {
        self.attach(&writer);
        while !writing.is_used_up() {
            writer = self.between(writer, None, Some(&writing));
            self.slot.doing("is with its actor");
            let guests = Guests::default().with_writer(writer.another(), &writing);
            let mut phase = Phase::new(&mut self.random, guests);
            self.send_writer(&phase, writer, writing, false);
            let home = phase.next_home(Away { reader: false, writer: true });
            (writer, writing) = home.writer().unpack(&phase);
            phase.guests.leave();
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
        while !(self.leaves(&reading) || reading.ended() && writing.is_finished()) {
            duplex = self.between(duplex, Some(&reading), Some(&writing));
            self.half_close_at_once(&duplex, &mut writing);
            self.slot.doing("is with its actors");
            let (reader, writer) = duplex.another().split();
            let guests = Guests::default().with_reader(reader, &reading).with_writer(writer, &writing);
            let mut phase = Phase::new(&mut self.random, guests);
            let by_one = !reading.ended() && !writing.is_used_up() && self.random.below(3) == 0;
            (duplex, reading, writing) = if by_one {
                self.by_one_actor(&mut phase, duplex, reading, writing)
            } else {
                self.by_two_actors(&mut phase, duplex, reading, writing)
            };
            phase.guests.leave();
        }
        self.close_duplex(duplex, reading, writing);
    }

    /// Half-closes behind the last bytes, while they, and more, may be in flight.
    fn half_close_at_once(&mut self, duplex: &Duplex<Overlapped>, writing: &mut Writing) {
        let may = cfg!(unix) && self.plan.half_closes && writing.is_used_up() && !writing.is_finished();
        if may && self.random.below(2) == 0 {
            self.slot.doing("half-closes at once");
            writing.submit_trailer(|bytes| duplex.submit_write(bytes));
            writing.stream.writer_is_leaving();
            duplex.shutdown_write().expect("a half-close");
        }
    }

    fn by_one_actor(
        &mut self,
        phase: &mut Phase,
        duplex: Duplex<Overlapped>,
        reading: Reading,
        writing: Writing,
    ) -> (Duplex<Overlapped>, Reading, Writing) {
        let errand = Errand::random(&mut self.random);
        let random = Random::new(self.random.next());
        let control = Arc::clone(&phase.control);
        reading.slot.is_at(errand);
        phase.send_out(errand, BothActor { duplex, reading, writing, control, steps: errand.steps, random });
        let home = phase.next_home(Away { reader: true, writer: true });
        home.both().unpack(phase)
    }

    /// One that writes for a while, and one that reads as long as that does: the peer may do the
    /// same.
    fn by_two_actors(
        &mut self,
        phase: &mut Phase,
        duplex: Duplex<Overlapped>,
        reading: Reading,
        writing: Writing,
    ) -> (Duplex<Overlapped>, Reading, Writing) {
        let (reader, writer) = duplex.split();
        let (mut reads, mut writes) = (Some((reader, reading)), Some((writer, writing)));
        let mut finishes = false;
        if let Some((writer, writing)) = writes.take_if(|(_, writing)| !writing.is_finished()) {
            finishes = writing.is_used_up();
            self.send_writer(phase, writer, writing, finishes);
        }
        self.send_reader_if(phase, &mut reads);
        let mut leaves = false;
        loop {
            match (reads, writes) {
                (Some((reader, reading)), Some((writer, writing))) => {
                    return (Duplex::unsplit(reader, writer).expect("the halves of one end"), reading, writing);
                }
                out => (reads, writes) = out,
            }
            let away = Away { reader: reads.is_none(), writer: writes.is_none() && (!finishes || leaves) };
            match phase.next_home(away) {
                Home::Reader(actor) => {
                    let (reader, reading) = actor.unpack(phase);
                    leaves = LEAVES_WITH_WRITES_IN_FLIGHT && self.leaves(&reading);
                    reads = Some((reader, reading));
                    if leaves {
                        // The peer may do nothing but write until we have left.
                        phase.stop();
                    } else if writes.is_none() {
                        self.send_reader_if(phase, &mut reads);
                    }
                }
                Home::Writer(actor) => {
                    writes = Some(actor.unpack(phase));
                    phase.stop();
                }
                Home::Both(_) => unreachable!("none was sent out"),
            }
        }
    }

    fn send_reader_if(&mut self, phase: &Phase, reads: &mut Option<(Reader<Overlapped>, Reading)>) {
        if let Some((reader, reading)) = reads.take_if(|(_, reading)| !reading.ended() && !self.leaves(reading)) {
            self.send_reader(phase, reader, reading);
        }
    }
}
