//! Pipes whose descriptors report when they are ready.

#[cfg(feature = "tokio")]
pub(crate) mod reactor;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::clock::{self, SimClock};
use super::{Inbox, OneProcess, chance, meanwhile};
use crate::channel;
#[cfg(all(feature = "tokio", not(loom)))]
use crate::channel::WokenBy;
use crate::channel::readiness::{self, Channel, Progress, Ready, WaitEnd};
use crate::contract::{Failure, Half, Outcome};
use crate::driver::{Core, DriverRef};
#[cfg(not(loom))]
use crate::programs::Setup;
use crate::sync::{Clock as _, Condvar, Mutex, MutexGuard, lock};

/// A system whose pipes exist only in memory.
pub(crate) enum Sim {}

impl channel::System for Sim {
    type Process = OneProcess;
    type Handle = Descriptor;
    type Slot = Progress;
    type Poller = Inbox<Ready>;
    type Clock = SimClock;
    type Channel = Channel<Self>;
    type Driver = DriverRef<Self>;

    fn process_driver() -> io::Result<DriverRef<Self>> {
        Ok(driver().make_ref())
    }

    fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        super::start_thread(run)
    }

    fn unread_writer() -> Result<Arc<Channel<Self>>, Failure> {
        Ok(pipe(1).1)
    }
}

impl readiness::System for Sim {
    type Descriptor = Descriptor;
}

thread_local! {
    static DRIVER: RefCell<Option<Arc<Core<Sim>>>> = const { RefCell::new(None) };
}

/// The driver of a test's thread, which the test turns.
pub(crate) fn driver() -> Arc<Core<Sim>> {
    DRIVER.with_borrow_mut(|driver| Arc::clone(driver.get_or_insert_with(|| Arc::new(Core::new().unwrap()))))
}

/// Forgets the driver: a model explores each order of events with a new one.
pub(crate) fn forget_driver() {
    let _ = DRIVER.take();
}

#[cfg(not(loom))]
impl super::world::Kernel for Sim {
    fn ends(setup: &Setup) -> [Channel<Self>; 2] {
        ends(usize::from(setup.capacity), setup.duplex).map(Channel::new)
    }

    fn forget() {
        forget_driver();
    }

    fn turn() {
        turn();
    }

    fn take(channel: &Channel<Self>) -> Result<Option<Descriptor>, Failure> {
        channel::Channel::take_handle(channel)
    }

    fn adopt(handle: Descriptor) -> Channel<Self> {
        Channel::new(handle)
    }

    #[cfg(feature = "tokio")]
    fn poll<R>(runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        if runtime { reactor::in_runtime(|| poll(WokenBy::Runtime)) } else { poll(WokenBy::Driver) }
    }

    fn in_child(check: impl FnOnce(bool) -> bool) -> bool {
        OneProcess::in_child(|| check(false))
    }
}

/// Turns the driver several times, to handle follow-up events, too.
pub(crate) fn turn() {
    for _ in 0..4 {
        driver().turn(Some(SimClock::now())).unwrap();
        #[cfg(feature = "tokio")]
        reactor::turn();
    }
}

/// A one-way pipe that holds `capacity` bytes: the reader and the writer.
pub(crate) fn pipe(capacity: usize) -> (Arc<Channel<Sim>>, Arc<Channel<Sim>>) {
    let [reader, writer] = ends(capacity, false);
    (Arc::new(Channel::new(reader)), Arc::new(Channel::new(writer)))
}

/// The ends of a pipe, which is a pair of sockets if it is `duplex`. In a one-way pipe, end 0
/// reads.
fn ends(capacity: usize, duplex: bool) -> [Descriptor; 2] {
    let stream = || Stream { bytes: VecDeque::new(), capacity, open: true, is_read: true };
    let streams = [stream(), Stream { open: duplex, is_read: duplex, ..stream() }];
    let pipe = Arc::new(Pipe {
        state: Mutex::new(State {
            streams,
            listeners: Vec::new(),
            #[cfg(feature = "tokio")]
            known_to_reactor: Default::default(),
        }),
        duplex,
    });
    [0, 1].map(|side| Descriptor { pipe: Arc::clone(&pipe), side, given_away: AtomicBool::new(false) })
}

struct Pipe {
    state: Mutex<State>,
    duplex: bool,
}

struct State {
    /// By the end that reads it.
    streams: [Stream; 2],
    listeners: Vec<Listener>,
    /// What a runtime's reactor knows of each half of each end.
    #[cfg(feature = "tokio")]
    known_to_reactor: [[reactor::Known; 2]; 2],
}

struct Stream {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Whether it has a writer.
    open: bool,
    /// Whether it has a reader.
    is_read: bool,
}

/// A poller that knows one of the ends.
struct Listener {
    poller: Inbox<Ready>,
    key: usize,
    side: usize,
    asked: [bool; 2],
}

impl State {
    fn is_ready(&self, side: usize, half: Half) -> bool {
        match half {
            Half::Read => !self.streams[side].bytes.is_empty() || !self.streams[side].open,
            Half::Write => {
                let stream = &self.streams[1 - side];
                stream.bytes.len() < stream.capacity || !stream.is_read
            }
        }
    }

    /// Says that an end is ready.
    fn tell(&mut self, side: usize, half: Half) {
        #[cfg(feature = "tokio")]
        self.known_to_reactor[side][half as usize].is_told();
        let is_ready = [Half::Read, Half::Write].map(|other| other == half || self.is_ready(side, other));
        let listeners = self.listeners.iter_mut().filter(|listener| listener.side == side);
        for listener in listeners.filter(|listener| listener.asked[half as usize]) {
            let [readable, writable] = [0, 1].map(|half| is_ready[half] && listener.asked[half]);
            listener.poller.send(listener.key, Ready { readable, writable });
            if listener.poller.says_it_once() {
                listener.asked = [false; 2];
            }
        }
    }
}

/// One end of a pipe.
pub(crate) struct Descriptor {
    pipe: Arc<Pipe>,
    side: usize,
    given_away: AtomicBool,
}

impl Descriptor {
    fn state(&self) -> MutexGuard<'_, State> {
        assert!(!self.given_away.load(Ordering::Relaxed), "a descriptor is used that was given away");
        lock(&self.pipe.state)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if *self.given_away.get_mut() {
            return;
        }
        let mut state = lock(&self.pipe.state);
        let is_known = state.listeners.iter().any(|listener| listener.side == self.side);
        state.streams[self.side].is_read = false;
        state.streams[1 - self.side].open = false;
        state.tell(1 - self.side, Half::Read);
        state.tell(1 - self.side, Half::Write);
        drop(state);
        assert!(!is_known, "a descriptor is closed that a poller knows");
    }
}

/// Ends the wait of a blocked thread.
pub(crate) struct Alarm {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { rung: Mutex::new(false), heard: Condvar::new() }
    }
}

impl readiness::Alarm for Alarm {
    fn of_this_thread() -> io::Result<Arc<Self>> {
        Ok(Arc::default())
    }

    fn ring(&self) {
        *lock(&self.rung) = true;
        self.heard.notify_all();
    }
}

impl readiness::Descriptor for Descriptor {
    type Process = OneProcess;
    type Handle = Self;
    type Poller = Inbox<Ready>;
    type Alarm = Alarm;
    #[cfg(feature = "tokio")]
    type Reactor = reactor::Reactor;

    const MAX_TRANSFER: usize = 1024;
    const MISSES_THE_END_AT_FIRST: bool = false;
    const WRITERS_LISTEN_AS_READERS: bool = false;

    fn try_read(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
        let mut state = self.state();
        if chance::fault(50) {
            return Some(Err(Failure::os(io::Error::other("no memory"), Some(0))));
        }
        let stream = &mut state.streams[self.side];
        if stream.bytes.is_empty() {
            let outcome = (!stream.open).then_some(Ok(0));
            drop(state);
            meanwhile::in_the_kernel();
            return outcome;
        }
        let buffer = buffers.iter_mut().find(|buffer| !buffer.is_empty())?;
        let count = chance::part(buffer.len().min(stream.bytes.len()));
        for (place, byte) in buffer.iter_mut().zip(stream.bytes.drain(..count)) {
            *place = byte;
        }
        state.tell(1 - self.side, Half::Write);
        drop(state);
        meanwhile::in_the_kernel();
        Some(Ok(count))
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Outcome> {
        let mut state = self.state();
        if chance::fault(50) {
            return Some(Err(Failure::os(io::Error::other("no memory"), Some(0))));
        }
        let stream = &mut state.streams[1 - self.side];
        if !stream.is_read || !stream.open {
            return Some(Err(Failure::os(io::ErrorKind::BrokenPipe.into(), Some(0))));
        }
        let room = stream.capacity - stream.bytes.len();
        let buffer = buffers.iter().find(|buffer| !buffer.is_empty())?;
        let count = chance::part(buffer.len().min(room));
        if count == 0 {
            drop(state);
            meanwhile::in_the_kernel();
            return None;
        }
        stream.bytes.extend(&buffer[..count]);
        state.tell(1 - self.side, Half::Read);
        drop(state);
        meanwhile::in_the_kernel();
        Some(Ok(count))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        let mut state = self.state();
        state.streams[1 - self.side].open = false;
        state.tell(1 - self.side, Half::Read);
        drop(state);
        Ok(())
    }

    fn shutdown_read(&self) {
        let mut state = self.state();
        state.streams[self.side].is_read = false;
        state.tell(1 - self.side, Half::Write);
    }

    fn has_two_halves(&self) -> bool {
        self.pipe.duplex
    }

    fn register(&self, poller: &Inbox<Ready>, key: usize) -> io::Result<()> {
        if chance::fault(12) {
            return Err(io::Error::other("no descriptors"));
        }
        let listener = Listener { poller: poller.clone(), key, side: self.side, asked: [false; 2] };
        self.state().listeners.push(listener);
        Ok(())
    }

    fn arm(&self, poller: &Inbox<Ready>, key: usize, readable: bool, writable: bool) -> io::Result<()> {
        if chance::fault(20) {
            return Err(io::Error::other("no memory"));
        }
        let mut state = self.state();
        let is_it = |known: &Listener| known.key == key && known.side == self.side && known.poller.is_same(poller);
        let Some(place) = state.listeners.iter().position(is_it) else { panic!("the poller does not know it") };
        state.listeners[place].asked = [readable, writable];
        for half in [Half::Read, Half::Write] {
            // It may also speak in vain.
            let asked = state.listeners[place].asked[half as usize];
            if asked && (state.is_ready(self.side, half) || chance::one_in(8)) {
                state.tell(self.side, half);
            }
        }
        Ok(())
    }

    fn deregister(&self, poller: &Inbox<Ready>) {
        self.state().listeners.retain(|known| known.side != self.side || !known.poller.is_same(poller));
    }

    fn is_edge_triggered(poller: &Inbox<Ready>) -> bool {
        !poller.says_it_once()
    }

    /// Looks every millisecond, which is enough for a test.
    fn wait(&self, alarm: &Alarm, watched: Option<Half>, deadline: Option<Instant>) -> Result<WaitEnd, Failure> {
        loop {
            if watched.is_some_and(|half| self.state().is_ready(self.side, half)) {
                return Ok(WaitEnd::Ready);
            }
            if deadline.is_some_and(|deadline| deadline <= SimClock::now()) {
                return Ok(WaitEnd::TimedOut);
            }
            if clock::is_virtual() {
                if std::mem::take(&mut *lock(&alarm.rung)) {
                    return Ok(WaitEnd::Rung);
                }
                clock::wait(deadline);
                continue;
            }
            let mut rung = lock(&alarm.rung);
            if !*rung {
                let looks_again = watched.is_some() || deadline.is_some();
                let then = looks_again.then(|| SimClock::now() + Duration::from_millis(1));
                rung = SimClock::wait(&alarm.rung, rung, &alarm.heard, then);
            }
            if std::mem::take(&mut *rung) {
                return Ok(WaitEnd::Rung);
            }
        }
    }

    fn give_away(&self) -> Option<Self> {
        let is_known = self.state().listeners.iter().any(|listener| listener.side == self.side);
        assert!(!is_known, "a descriptor is given away that a poller knows");
        self.given_away.store(true, Ordering::Relaxed);
        Some(Self { pipe: Arc::clone(&self.pipe), side: self.side, given_away: AtomicBool::new(false) })
    }
}
