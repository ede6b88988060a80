//! One round: a few pairs, all at once, from the first byte to the verdict.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anonpipe::{Blocking, Driver, Duplex, Mode, Overlapped, PipeOptions, Reader, Writer};

use crate::backend::Backend;
use crate::overlapped::Holder;
use crate::plan::{EndPlan, PairPlan, Random, Shape};
use crate::reading::Reading;
use crate::stream::Stream;
use crate::watch::{Watch, watched};
use crate::writing::Writing;
use crate::{crew, venues};

/// What the ends of a round need.
struct Round<'a> {
    watch: &'a Watch,
    driver: Weak<Driver>,
    streams: Vec<Arc<Stream>>,
    /// Closed when all ends are.
    done: Sender<()>,
}

/// Runs the round that `seed` makes.
pub(crate) fn run(name: &'static str, backend: Backend, seed: u64) {
    watched(name, seed, |watch| {
        let mut random = Random::new(seed);
        let plans: Vec<_> = (0..2 + random.below(4)).map(|_| PairPlan::random(&mut random)).collect();
        let over = Arc::new(AtomicBool::new(false));
        let driver = Arc::new(Driver::new().expect("a driver"));
        let (done, all_done) = channel();
        let mut round = Round { watch, driver: Arc::downgrade(&driver), streams: Vec::new(), done };
        turn(driver, &over, random.below(200));
        for (number, plan) in plans.iter().enumerate() {
            round.begin(backend, number, plan);
        }
        let Round { streams, done, .. } = round;
        drop(done);
        while random.below(3) > 0 && !is_over(&all_done, random.below(60_000)) {
            venues::end_shared(random.below(2));
        }
        let _ = all_done.recv();
        over.store(true, Ordering::SeqCst);
        for stream in streams {
            stream.verdict();
        }
    });
}

fn is_over(done: &std::sync::mpsc::Receiver<()>, microseconds: usize) -> bool {
    use std::sync::mpsc::RecvTimeoutError;

    done.recv_timeout(Duration::from_micros(microseconds as u64)) == Err(RecvTimeoutError::Disconnected)
}

/// Has a thread turn the round's driver, until the round is over or perhaps shorter: then the
/// driver is dropped, and its ends are in other hands.
fn turn(driver: Arc<Driver>, over: &Arc<AtomicBool>, milliseconds: usize) {
    let over = Arc::clone(over);
    let deadline = (milliseconds < 100).then(|| Instant::now() + Duration::from_millis(milliseconds as u64));
    crew::send_out(move || {
        while !over.load(Ordering::SeqCst) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            driver.turn(Some(Duration::from_millis(2))).expect("a turn");
        }
    });
}

impl Round<'_> {
    fn begin(&mut self, backend: Backend, number: usize, plan: &PairPlan) {
        let mut options = backend.options();
        if let Some(capacity) = plan.capacity {
            options = options.capacity(capacity);
        }
        match (plan.server.plain, plan.client.plain) {
            (false, false) => self.make(options, number, plan),
            (false, true) => self.make(options.client(anonpipe::End::blocking()), number, plan),
            (true, false) => self.make(options.server(anonpipe::End::blocking()), number, plan),
            (true, true) => {
                let blocking = anonpipe::End::blocking();
                self.make(options.server(blocking).client(anonpipe::End::blocking()), number, plan);
            }
        }
    }

    fn make<S: Mode, C: Mode>(&mut self, options: PipeOptions<S, C>, number: usize, plan: &PairPlan)
    where
        Reader<S>: Held,
        Writer<S>: Held,
        Duplex<S>: Held,
        Reader<C>: Held,
        Writer<C>: Held,
        Duplex<C>: Held,
    {
        let PairPlan { shape, server, client, .. } = *plan;
        let one_way = shape != Shape::Duplex;
        let inbound = self.stream(number, "client to server", one_way, client.amount);
        let outbound = self.stream(number, "server to client", one_way, server.amount);
        let keep = (shape != Shape::Outbound).then_some(&inbound).into_iter();
        for stream in keep.chain((shape != Shape::Inbound).then_some(&outbound)) {
            self.watch.stream(Arc::clone(stream));
            self.streams.push(Arc::clone(stream));
        }
        let (ours, theirs) = (format!("pair {number}, server"), format!("pair {number}, client"));
        match shape {
            Shape::Inbound => {
                let (reader, writer) = options.inbound().expect("a pair");
                self.hold(reader, ours, server, &inbound, &outbound);
                self.hold(writer, theirs, client, &outbound, &inbound);
            }
            Shape::Outbound => {
                let (writer, reader) = options.outbound().expect("a pair");
                self.hold(writer, ours, server, &inbound, &outbound);
                self.hold(reader, theirs, client, &outbound, &inbound);
            }
            Shape::Duplex => {
                let (one, other) = options.duplex().expect("a pair");
                self.hold(one, ours, server, &inbound, &outbound);
                self.hold(other, theirs, client, &outbound, &inbound);
            }
        }
    }

    fn stream(&self, number: usize, way: &str, one_way: bool, amount: Option<usize>) -> Arc<Stream> {
        let place = number * 2 + usize::from(way.starts_with("server"));
        Arc::new(Stream::new(format!("pair {number}, {way}"), place, one_way, amount))
    }

    /// Gives an end to a thread of its own.
    fn hold<E: Held>(&self, end: E, who: String, plan: EndPlan, reads: &Arc<Stream>, writes: &Arc<Stream>) {
        let slot = self.watch.slot(format!("{who} ({plan:?})"));
        let mut random = Random::new(plan.seed);
        let reading = Reading::new(Arc::clone(reads), self.watch.slot(format!("{who}, reading")), random.next());
        let writing = Writing::new(Arc::clone(writes), self.watch.slot(format!("{who}, writing")), random.next());
        let holder = Holder { plan, random, slot, driver: self.driver.clone() };
        let done = self.done.clone();
        crew::send_out(move || {
            let slot = Arc::clone(&holder.slot);
            end.held_by(holder, reading, writing);
            slot.doing("done");
            drop(done);
        });
    }
}

/// An end, and what its thread does.
trait Held: Send + 'static {
    fn held_by(self, holder: Holder, reading: Reading, writing: Writing);
}

impl Held for Reader<Overlapped> {
    fn held_by(self, holder: Holder, reading: Reading, _: Writing) {
        holder.reads(self, reading);
    }
}

impl Held for Writer<Overlapped> {
    fn held_by(self, holder: Holder, _: Reading, writing: Writing) {
        holder.writes(self, writing);
    }
}

impl Held for Duplex<Overlapped> {
    fn held_by(self, holder: Holder, reading: Reading, writing: Writing) {
        holder.reads_and_writes(self, reading, writing);
    }
}

impl Held for Reader<Blocking> {
    fn held_by(self, holder: Holder, reading: Reading, _: Writing) {
        holder.reads_plain(self, reading);
    }
}

impl Held for Writer<Blocking> {
    fn held_by(self, holder: Holder, _: Reading, writing: Writing) {
        holder.writes_plain(self, writing);
    }
}

impl Held for Duplex<Blocking> {
    fn held_by(self, holder: Holder, reading: Reading, writing: Writing) {
        holder.reads_and_writes_plain(self, reading, writing);
    }
}
