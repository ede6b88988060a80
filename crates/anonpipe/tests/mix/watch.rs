//! What every actor and thread is doing, for the report when something goes wrong.

use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Duration;
use std::{env, io, panic, process, thread};

use crate::stream::Stream;

/// What a round that hangs ends the process with.
const HUNG: i32 = 86;
/// What a round that fails ends the process with.
const FAILED: i32 = 101;

/// The rounds that are under way.
static ROUNDS: Mutex<Vec<Weak<Watch>>> = Mutex::new(Vec::new());

/// What one round is doing.
#[derive(Debug)]
pub(crate) struct Watch {
    name: &'static str,
    seed: u64,
    slots: Mutex<Vec<Arc<Slot>>>,
    streams: Mutex<Vec<Arc<Stream>>>,
}

/// Where one actor, or one end's thread, notes its steps.
#[derive(Debug)]
pub(crate) struct Slot {
    who: String,
    place: Mutex<String>,
    last: Mutex<(usize, Box<dyn Debug + Send>)>,
}

impl Slot {
    /// Notes where it is.
    pub(crate) fn is_at(&self, place: impl Debug) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = format!("{place:?}");
    }

    /// Notes what it does from now on.
    pub(crate) fn doing(&self, what: impl Debug + Send + 'static) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (last.0 + 1, Box::new(what));
    }
}

impl Watch {
    fn report(&self) -> String {
        let mut text = format!("{} with ANONPIPE_MIX_SEED={}:\n", self.name, self.seed);
        for slot in &*self.slots.lock().unwrap_or_else(PoisonError::into_inner) {
            let last = slot.last.lock().unwrap_or_else(PoisonError::into_inner);
            let place = slot.place.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writeln!(text, "  {}: {place} step {}, {:?}", slot.who, last.0, last.1);
        }
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, "  {}", stream.in_short());
        }
        text
    }

    /// Has a stream told of.
    pub(crate) fn stream(&self, stream: Arc<Stream>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
    }

    /// A slot for another one.
    pub(crate) fn slot(&self, who: impl Into<String>) -> Arc<Slot> {
        let slot =
            Arc::new(Slot { who: who.into(), place: Mutex::default(), last: Mutex::new((0, Box::new("starting"))) });
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&slot));
        slot
    }
}

fn report() -> String {
    let rounds = ROUNDS.lock().unwrap_or_else(PoisonError::into_inner);
    rounds.iter().filter_map(Weak::upgrade).map(|watch| watch.report()).collect()
}

/// Has every panic end the process, with what all were doing: the others may wait for the one that
/// panics.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let _ = writeln!(io::stderr(), "\n{panic}\nin {}", report());
            process::exit(FAILED);
        }));
    });
}

/// Runs a round, and ends the process if it panics or takes too long.
pub(crate) fn watched(name: &'static str, seed: u64, round: impl FnOnce(&Arc<Watch>)) {
    report_panics();
    let watch = Arc::new(Watch { name, seed, slots: Mutex::default(), streams: Mutex::default() });
    {
        let mut rounds = ROUNDS.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.retain(|round| round.strong_count() > 0);
        rounds.push(Arc::downgrade(&watch));
    }
    let running = watchdog(name);
    round(&watch);
    drop(running);
}

/// Ends the process unless what it returns is dropped in time.
fn watchdog(name: &'static str) -> Sender<()> {
    let seconds = env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let (running, ended) = channel::<()>();
    thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
            // Not `eprintln`, which is captured.
            let _ = writeln!(io::stderr(), "\ntest {name} hangs: a round is not done after {seconds} s\n{}", report());
            process::exit(HUNG);
        }
    });
    running
}
