//! Pipes whose descriptors report when they are ready.

#[cfg(feature = "tokio")]
pub(crate) mod reactor;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Inbox, OneProcess, lock};
use crate::channel;
use crate::channel::readiness::{self, Channel, Progress, Ready, WaitEnd};
use crate::contract::{Failure, Half, Outcome};
use crate::driver::{Core, DriverRef};
use crate::sync::SystemClock;

/// A system whose pipes exist only in memory.
pub(crate) enum Sim {}

impl channel::System for Sim {
    type Process = OneProcess;
    type Handle = ();
    type Slot = Progress;
    type Poller = Inbox<Ready>;
    type Clock = SystemClock;
    type Channel = Channel<Self>;
    type Driver = DriverRef<Self>;

    fn process_driver() -> io::Result<DriverRef<Self>> {
        Ok(driver().make_ref())
    }

    fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().spawn(run).map(drop)
    }

    fn unread_writer() -> io::Result<Arc<Channel<Self>>> {
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
#[cfg(loom)]
pub(crate) fn forget_driver() {
    let _ = DRIVER.take();
}

/// Turns the driver several times, to handle follow-up events, too.
pub(crate) fn turn() {
    for _ in 0..4 {
        driver().turn(Some(Instant::now())).unwrap();
        #[cfg(feature = "tokio")]
        reactor::turn();
    }
}

/// A one-way pipe that holds `capacity` bytes: the reader and the writer.
pub(crate) fn pipe(capacity: usize) -> (Arc<Channel<Sim>>, Arc<Channel<Sim>>) {
    let state = State { capacity, open: [true; 2], ..State::default() };
    let pipe = Arc::new(Pipe { state: Mutex::new(state) });
    let end = |half| Arc::new(Channel::new(Descriptor { pipe: Arc::clone(&pipe), half }));
    (end(Half::Read), end(Half::Write))
}

struct Pipe {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Whether the reader and the writer are open.
    open: [bool; 2],
    listeners: Vec<Listener>,
    /// What a runtime's reactor knows of the reader and of the writer.
    #[cfg(feature = "tokio")]
    known_to_reactor: [reactor::Known; 2],
}

/// A poller that knows one of the ends.
struct Listener {
    poller: Inbox<Ready>,
    key: usize,
    half: Half,
    is_asked: bool,
}

impl State {
    fn is_ready(&self, half: Half) -> bool {
        match half {
            Half::Read => !self.bytes.is_empty() || !self.open[1],
            Half::Write => self.bytes.len() < self.capacity || !self.open[0],
        }
    }

    fn tell(&mut self, half: Half) {
        #[cfg(feature = "tokio")]
        self.known_to_reactor[half as usize].is_told();
        let ready = Ready { readable: half == Half::Read, writable: half == Half::Write };
        for listener in self.listeners.iter().filter(|listener| listener.half == half && listener.is_asked) {
            listener.poller.send(listener.key, ready);
        }
    }
}

/// One end of a pipe.
pub(crate) struct Descriptor {
    pipe: Arc<Pipe>,
    half: Half,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let mut state = lock(&self.pipe.state);
        let is_known = state.listeners.iter().any(|listener| listener.half == self.half);
        state.open[self.half as usize] = false;
        state.tell(Half::Read);
        state.tell(Half::Write);
        drop(state);
        assert!(!is_known, "a descriptor is closed that a poller knows");
    }
}

/// Ends the wait of a blocked thread.
#[derive(Default)]
pub(crate) struct Alarm {
    rung: Mutex<bool>,
    heard: Condvar,
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
    type Handle = ();
    type Poller = Inbox<Ready>;
    type Alarm = Alarm;
    #[cfg(feature = "tokio")]
    type Reactor = reactor::Reactor;

    const MAX_TRANSFER: usize = 1024;
    const MISSES_THE_END_AT_FIRST: bool = false;
    const WRITERS_LISTEN_AS_READERS: bool = false;

    fn try_read(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
        let mut state = lock(&self.pipe.state);
        if state.bytes.is_empty() {
            return (!state.open[1]).then_some(Ok(0));
        }
        let buffer = buffers.iter_mut().find(|buffer| !buffer.is_empty())?;
        let count = buffer.len().min(state.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(state.bytes.drain(..count)) {
            *place = byte;
        }
        state.tell(Half::Write);
        drop(state);
        Some(Ok(count))
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Outcome> {
        let mut state = lock(&self.pipe.state);
        if !state.open[0] {
            return Some(Err(Failure::os(io::ErrorKind::BrokenPipe.into(), Some(0))));
        }
        let room = state.capacity - state.bytes.len();
        let buffer = buffers.iter().find(|buffer| !buffer.is_empty())?;
        let count = buffer.len().min(room);
        if count == 0 {
            return None;
        }
        state.bytes.extend(&buffer[..count]);
        state.tell(Half::Read);
        drop(state);
        Some(Ok(count))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        lock(&self.pipe.state).open[1] = false;
        Ok(())
    }

    fn shutdown_read(&self) {}

    fn has_two_halves(&self) -> bool {
        false
    }

    fn register(&self, poller: &Inbox<Ready>, key: usize) -> io::Result<()> {
        let listener = Listener { poller: poller.clone(), key, half: self.half, is_asked: false };
        lock(&self.pipe.state).listeners.push(listener);
        Ok(())
    }

    fn arm(&self, poller: &Inbox<Ready>, key: usize, readable: bool, writable: bool) -> io::Result<()> {
        let mut state = lock(&self.pipe.state);
        let is_asked = if self.half == Half::Read { readable } else { writable };
        for listener in state.listeners.iter_mut().filter(|known| known.key == key && known.poller.is_same(poller)) {
            listener.is_asked = is_asked;
        }
        if is_asked && state.is_ready(self.half) {
            state.tell(self.half);
        }
        Ok(())
    }

    fn deregister(&self, poller: &Inbox<Ready>) {
        let half = self.half;
        lock(&self.pipe.state).listeners.retain(|known| known.half != half || !known.poller.is_same(poller));
    }

    fn is_edge_triggered(_: &Inbox<Ready>) -> bool {
        true
    }

    /// Looks every millisecond, which is enough for a test.
    fn wait(&self, alarm: &Alarm, watched: Option<Half>, deadline: Option<Instant>) -> Result<WaitEnd, Failure> {
        loop {
            if watched.is_some_and(|half| lock(&self.pipe.state).is_ready(half)) {
                return Ok(WaitEnd::Ready);
            }
            let rung = lock(&alarm.rung);
            let (mut rung, _) =
                alarm.heard.wait_timeout(rung, Duration::from_millis(1)).unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut *rung) {
                return Ok(WaitEnd::Rung);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(WaitEnd::TimedOut);
            }
        }
    }

    fn give_away(&self) -> Option<()> {
        Some(())
    }
}
