//! Pipes whose kernel takes operations and reports their completion, as npfs does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::clock::{self, SimClock};
use super::{Inbox, OneProcess, chance};
use crate::buffer::{self, Loan};
use crate::channel;
use crate::channel::completion::{self, Answer, Bound, Channel, Packet, SlotId, Thread as _};
use crate::contract::{Failure, Half, Outcome};
use crate::driver::{Core, DriverRef};
use crate::sync::{Clock as _, Condvar, Mutex, lock};

/// A system whose pipes exist only in memory.
pub(crate) enum Sim {}

impl channel::System for Sim {
    type Process = OneProcess;
    type Handle = Issuer;
    type Slot = Slot;
    type Poller = Inbox<Packet<Said>>;
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
        Ok(pipe(1, true).1)
    }
}

impl completion::System for Sim {
    type Issuer = Issuer;
}

thread_local! {
    static DRIVER: RefCell<Option<Arc<Core<Sim>>>> = const { RefCell::new(None) };
}

/// The driver of a test's thread, which the test turns.
pub(crate) fn driver() -> Arc<Core<Sim>> {
    DRIVER.with_borrow_mut(|driver| Arc::clone(driver.get_or_insert_with(|| Arc::new(Core::new().unwrap()))))
}

/// Forgets the driver and the pools: a model explores each order of events with new ones.
pub(crate) fn forget_driver() {
    catch_up();
    let _ = DRIVER.take();
    POOLS.take();
}

/// The work of a thread pool, done by the test's thread in [`turn`]: the calls that events cause.
type Pool = Arc<Mutex<VecDeque<Call>>>;

type Call = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The pools of all pipes of a test's thread.
    static POOLS: RefCell<Vec<Pool>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// What kernels do later.
    static LATE: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

/// Has the kernels do what they do later.
fn catch_up() {
    LATE.take().into_iter().for_each(|call| call());
}

thread_local! {
    static NO_POOL: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` while the system has no thread that could wait for an event.
#[cfg(not(loom))]
pub(crate) fn without_a_pool<R>(f: impl FnOnce() -> R) -> R {
    NO_POOL.set(true);
    let result = f();
    NO_POOL.set(false);
    result
}

/// Turns the driver and does the pool's work, several times, to handle follow-up events, too.
pub(crate) fn turn() {
    catch_up();
    for _ in 0..4 {
        driver().turn(Some(SimClock::now())).unwrap();
        for pool in POOLS.with_borrow(Clone::clone) {
            let calls = std::mem::take(&mut *lock(&pool));
            calls.into_iter().for_each(|call| call());
        }
    }
}

/// A one-way pipe that holds `quota` bytes: the reader and the writer. Completions of `exclusive`
/// ends are reported by packets, those of others by events.
pub(crate) fn pipe(quota: usize, exclusive: bool) -> (Arc<Channel<Sim>>, Arc<Channel<Sim>>) {
    let [reader, writer] = ends(quota).map(|issuer| Arc::new(Channel::new(issuer, exclusive)));
    (reader, writer)
}

/// The ends of a pipe. The kernel knows only duplex pipes; of a one-way pipe, end 0 reads.
fn ends(quota: usize) -> [Issuer; 2] {
    let stream = || Stream {
        quota,
        entries: VecDeque::new(),
        reads: VecDeque::new(),
        refused: Refused::default(),
        is_for_messages: chance::one_in(8),
        is_deaf: false,
        took: Vec::new(),
    };
    let kernel = Arc::new(Mutex::new(Kernel { streams: [stream(), stream()], closed: [false; 2] }));
    let pool = Pool::default();
    POOLS.with_borrow_mut(|pools| pools.push(Arc::clone(&pool)));
    [0, 1].map(|side| Issuer {
        kernel: Arc::clone(&kernel),
        side,
        port: Mutex::default(),
        pool: Arc::clone(&pool),
        given_away: AtomicBool::new(false),
    })
}

#[cfg(not(loom))]
mod world;
#[cfg(not(loom))]
pub(crate) use world::World;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Success,
    /// The system lacks something.
    Failed,
    Cancelled,
    PeerClosed,
}

/// Memory that the kernel writes to.
#[derive(Default)]
pub(crate) struct Slot(Arc<Mutex<Written>>);

#[derive(Default)]
enum Written {
    #[default]
    Nothing,
    Pending,
    Done(Said, Vec<u8>),
}

impl buffer::Slot for Slot {
    fn is_lent(&self) -> bool {
        matches!(*lock(&self.0), Written::Pending)
    }
}

impl completion::Slot for Slot {
    fn id(&self) -> SlotId {
        SlotId(Arc::as_ptr(&self.0).addr())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        assert!(!matches!(*lock(&self.0), Written::Pending), "an operation is freed that the kernel has");
    }
}

/// A pipe in the kernel.
struct Kernel {
    /// By the end that reads it.
    streams: [Stream; 2],
    closed: [bool; 2],
}

struct Stream {
    quota: usize,
    /// The writes that are not read yet; the first may be read in part.
    entries: VecDeque<Entry>,
    reads: VecDeque<Pending>,
    /// What it has no memory for.
    refused: Refused,
    /// Whether a write is a message.
    is_for_messages: bool,
    /// Every cancel of a write comes too late.
    is_deaf: bool,
    /// The lengths of the writes that it took.
    took: Vec<usize>,
}

/// Which writes a kernel has no memory for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refused {
    /// Those of more bytes than this.
    pub(crate) above: Option<usize>,
    /// All of them, while another write is pending.
    pub(crate) while_busy: bool,
    /// All of them, once it took so many.
    pub(crate) after: Option<usize>,
}

struct Entry {
    bytes: VecDeque<u8>,
    /// If the entry exceeded the quota: the write that completes when the entry is read.
    write: Option<Pending>,
}

/// An operation that the kernel has.
struct Pending {
    slot: Arc<Mutex<Written>>,
    length: usize,
    told_by: ToldBy,
    thread: IssuingThread,
}

enum ToldBy {
    Packet(Inbox<Packet<Said>>, usize),
    Event(Event),
}

impl Pending {
    fn id(&self) -> SlotId {
        SlotId(Arc::as_ptr(&self.slot).addr())
    }

    /// Writes the slot and reports the end. Events are set later, without the kernel's lock.
    fn end(self, said: Said, taken: Vec<u8>, then: &mut Vec<Event>) {
        let id = self.id();
        // Some systems lose what they would report to a thread that has ended, but not the packet.
        let is_lost = self.thread.has_ended() && matches!(self.told_by, ToldBy::Packet(..)) && chance::one_in(2);
        if !is_lost {
            *lock(&self.slot) = Written::Done(said, taken);
        }
        match self.told_by {
            ToldBy::Packet(port, key) => port.send(key, Packet { id, said }),
            ToldBy::Event(event) => then.push(event),
        }
    }
}

impl Stream {
    fn queued(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }

    /// Takes bytes for a read, out of one entry, as on a pipe for messages.
    fn take(&mut self, length: usize, then: &mut Vec<Event>) -> Option<Vec<u8>> {
        let entry = self.entries.front_mut()?;
        if length == 0 {
            return Some(Vec::new());
        }
        let count = length.min(entry.bytes.len());
        let taken = entry.bytes.drain(..count).collect();
        if entry.bytes.is_empty()
            && let Some(write) = self.entries.pop_front().and_then(|entry| entry.write)
        {
            write.end(Said::Success, Vec::new(), then);
        }
        Some(taken)
    }

    /// Serves the waiting reads.
    fn serve(&mut self, closed: bool, then: &mut Vec<Event>) {
        while let Some(length) = self.reads.front().map(|read| read.length) {
            let Some(taken) = self.take(length, then) else { break };
            if let Some(read) = self.reads.pop_front() {
                read.end(Said::Success, taken, then);
            }
        }
        if closed {
            for read in self.reads.drain(..) {
                read.end(Said::PeerClosed, Vec::new(), then);
            }
        }
    }

    /// Whether it has no memory for a write of this length. By chance it has none for the moment:
    /// for fewer bytes it has, or once it is done with a write.
    fn refuses(&self, length: usize) -> bool {
        let is_busy = self.entries.iter().any(|entry| entry.write.is_some());
        let comes_to_it = !self.is_for_messages && (length > <Issuer as completion::Issuer>::MIN_PIECE || is_busy);
        self.refused.above.is_some_and(|most| length > most)
            || (self.refused.while_busy && is_busy)
            || self.refused.after.is_some_and(|count| self.took.len() >= count)
            || (comes_to_it && chance::one_in(6))
            || chance::fault(40)
    }

    fn cancel(&mut self, id: SlotId, then: &mut Vec<Event>) -> bool {
        if let Some(place) = self.reads.iter().position(|read| read.id() == id) {
            let read = self.reads.remove(place);
            read.into_iter().for_each(|read| read.end(Said::Cancelled, Vec::new(), then));
            return true;
        }
        if self.is_deaf {
            return false;
        }
        self.end_write(id, Said::Cancelled, then)
    }

    /// Ends a write before it is read. Returns whether it is pending.
    fn end_write(&mut self, id: SlotId, said: Said, then: &mut Vec<Event>) -> bool {
        let is_it = |entry: &Entry| entry.write.as_ref().is_some_and(|write| write.id() == id);
        let place = self.entries.iter().position(is_it);
        let write = place.and_then(|place| self.entries.remove(place)).and_then(|entry| entry.write);
        write.map(|write| write.end(said, Vec::new(), then)).is_some()
    }

    fn slot_of(&self, id: SlotId) -> Option<Arc<Mutex<Written>>> {
        let writes = self.entries.iter().filter_map(|entry| entry.write.as_ref());
        self.reads.iter().chain(writes).find(|known| known.id() == id).map(|known| Arc::clone(&known.slot))
    }
}

impl Kernel {
    fn cancel(&mut self, id: SlotId, then: &mut Vec<Event>) -> bool {
        self.streams.iter_mut().any(|stream| stream.cancel(id, then))
    }

    /// An end goes. What it has written can still be read.
    fn close(&mut self, side: usize, then: &mut Vec<Event>) {
        self.closed[side] = true;
        self.streams[1 - side].serve(true, then);
        for entry in self.streams[side].entries.drain(..) {
            entry.write.into_iter().for_each(|write| write.end(Said::PeerClosed, Vec::new(), then));
        }
    }
}

/// One end of a pipe.
pub(crate) struct Issuer {
    kernel: Arc<Mutex<Kernel>>,
    side: usize,
    port: Mutex<Option<(Inbox<Packet<Said>>, usize)>>,
    pool: Pool,
    given_away: AtomicBool,
}

impl Issuer {
    /// What the kernel has of the writes of this end.
    fn with_stream<R>(&self, call: impl FnOnce(&mut Stream) -> R) -> R {
        call(&mut lock(&self.kernel).streams[1 - self.side])
    }

    /// From now on the kernel has no memory for some writes.
    #[cfg(not(loom))]
    pub(crate) fn refuse(&self, refused: Refused) {
        self.with_stream(|stream| stream.refused = refused);
    }

    /// Makes the pipe one for messages.
    #[cfg(not(loom))]
    pub(crate) fn carry_messages(&self) {
        self.with_stream(|stream| stream.is_for_messages = true);
    }

    /// From now on every cancel of a write comes too late.
    #[cfg(not(loom))]
    pub(crate) fn be_deaf(&self) {
        self.with_stream(|stream| stream.is_deaf = true);
    }

    /// The lengths of the writes that the kernel took.
    #[cfg(not(loom))]
    pub(crate) fn took(&self) -> Vec<usize> {
        self.with_stream(|stream| stream.took.clone())
    }

    fn with_kernel<R>(&self, call: impl FnOnce(&mut Kernel, &mut Vec<Event>) -> R) -> R {
        assert!(!self.given_away.load(Ordering::Relaxed), "a handle is used that was given away");
        with_kernel(&self.kernel, call)
    }
}

fn with_kernel<R>(kernel: &Mutex<Kernel>, call: impl FnOnce(&mut Kernel, &mut Vec<Event>) -> R) -> R {
    let mut then = Vec::new();
    let result = call(&mut lock(kernel), &mut then);
    then.into_iter().for_each(|event| event.set());
    result
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if !*self.given_away.get_mut() {
            self.with_kernel(|kernel, then| kernel.close(self.side, then));
        }
    }
}

fn answer(half: Half, said: Said, taken: &[u8], loan: &Loan<Slot>) -> Answer {
    let length = loan.address(half).1;
    loan.with_mut(|buffer| {
        let count = taken.len().min(buffer.len());
        buffer[..count].copy_from_slice(&taken[..count]);
    });
    let outcome = match (half, said) {
        (Half::Read, Said::Success) if length == 0 => Ok(1),
        (Half::Read, Said::Success) if taken.is_empty() => return Answer::Empty,
        (Half::Read, Said::Success) => Ok(taken.len()),
        (Half::Write, Said::Success) => Ok(length),
        (Half::Read, Said::Failed) => Err(Failure::os(io::Error::other("no resources"), Some(0))),
        (Half::Write, Said::Failed) => Err(Failure::os(io::Error::other("no resources"), None)),
        (Half::Read, Said::PeerClosed) => Ok(0),
        (Half::Write, Said::PeerClosed) => Err(Failure::os(io::ErrorKind::BrokenPipe.into(), None)),
        (Half::Read, Said::Cancelled) => Err(Failure::Cancelled { transferred: Some(0) }),
        (Half::Write, Said::Cancelled) => Err(Failure::Cancelled { transferred: None }),
    };
    Answer::Done(outcome)
}

impl completion::Issuer for Issuer {
    type Process = OneProcess;
    type Handle = Self;
    type Port = Inbox<Packet<Said>>;
    type Slot = Slot;
    type Event = Event;
    type Thread = IssuingThread;
    type Said = Said;

    const MAX_TRANSFER: usize = 1 << 20;
    const MAX_READ: usize = 64;
    const MAX_PIECE: usize = 4;
    const MIN_PIECE: usize = 1;

    fn issue(&self, half: Half, loan: &Loan<Slot>, event: Option<&Event>, packet_on_success: bool) -> Answer {
        let (slot, length) = (loan.slot(), loan.address(half).1);
        assert!(!matches!(*lock(&slot.0), Written::Pending), "an operation is issued twice");
        assert!(half == Half::Write || length <= Self::MAX_READ, "a read asks for too much");
        let told_by = || match (event, &*lock(&self.port)) {
            (Some(event), _) => {
                let _ = event.0.pool.set(Arc::clone(&self.pool));
                ToldBy::Event(event.clone())
            }
            (None, Some((port, key))) => ToldBy::Packet(port.clone(), *key),
            (None, None) => panic!("an operation of which nothing will be said"),
        };
        let pending =
            || Pending { slot: Arc::clone(&slot.0), length, told_by: told_by(), thread: completion::Thread::current() };
        if chance::fault(24) {
            return Answer::Done(Err(Failure::os(io::Error::other("no resources"), Some(0))));
        }
        if let Some((port, key)) = &*lock(&self.port)
            && chance::one_in(40)
        {
            // A packet of another process, which uses the same port by a copy of the handle.
            port.send(*key, Packet { id: SlotId(3), said: Said::Success });
        }
        self.with_kernel(|kernel, then| {
            let peer_closed = kernel.closed[1 - self.side];
            let stream = &mut kernel.streams[if half == Half::Read { self.side } else { 1 - self.side }];
            let at_once = match half {
                Half::Read if stream.reads.is_empty() || length == 0 => stream
                    .take(length, then)
                    .map(|taken| (Said::Success, taken))
                    .or(peer_closed.then_some((Said::PeerClosed, Vec::new()))),
                Half::Read => None,
                Half::Write if peer_closed => Some((Said::PeerClosed, Vec::new())),
                Half::Write if stream.refuses(length) => {
                    return Answer::NoResources(Failure::os(io::ErrorKind::OutOfMemory.into(), Some(0)));
                }
                Half::Write => {
                    stream.took.push(length);
                    let fits = stream.queued() + length <= stream.quota;
                    let write = if fits { None } else { Some(pending()) };
                    *lock(&slot.0) = Written::Pending;
                    let bytes = loan.with(|bytes| bytes.iter().copied().collect());
                    stream.entries.push_back(Entry { bytes, write });
                    stream.serve(false, then);
                    if !fits {
                        if chance::fault(24) {
                            stream.end_write(completion::Slot::id(slot), Said::Failed, then);
                        }
                        return Answer::Pending;
                    }
                    Some((Said::Success, Vec::new()))
                }
            };
            let Some((said, taken)) = at_once else {
                *lock(&slot.0) = Written::Pending;
                if chance::fault(16) {
                    pending().end(Said::Failed, Vec::new(), then);
                } else {
                    stream.reads.push_back(pending());
                }
                return Answer::Pending;
            };
            *lock(&slot.0) = Written::Nothing;
            let is_told = said == Said::Success && packet_on_success;
            if is_told || (length > 0 && chance::one_in(4)) {
                *lock(&slot.0) = Written::Pending;
                pending().end(said, taken, then);
                return Answer::Pending;
            }
            match answer(half, said, &taken, loan) {
                // It was not even begun.
                Answer::Done(Err(failure)) => Answer::Done(Err(failure.after(0))),
                answer => answer,
            }
        })
    }

    fn observe(&self, half: Half, loan: &Loan<Slot>) -> Answer {
        let mut written = lock(&loan.slot().0);
        match std::mem::take(&mut *written) {
            Written::Done(said, taken) => {
                drop(written);
                answer(half, said, &taken, loan)
            }
            other => {
                *written = other;
                Answer::Pending
            }
        }
    }

    fn observe_lost(&self, half: Half, loan: &Loan<Slot>, said: Said) -> Outcome {
        *lock(&loan.slot().0) = Written::Nothing;
        match answer(half, said, &[], loan) {
            Answer::Done(outcome) => outcome,
            Answer::Pending | Answer::Empty | Answer::NoResources(_) => {
                Err(Failure::os(io::Error::other("its bytes are lost"), None))
            }
        }
    }

    fn cancel(&self, id: SlotId) -> bool {
        if chance::one_in(4) {
            // The kernel gets to it later. The operation may be over by then.
            let slot = self.with_kernel(|kernel, _| kernel.streams.iter().find_map(|stream| stream.slot_of(id)));
            let is_known = slot.is_some();
            if let Some(slot) = slot {
                let kernel = Arc::clone(&self.kernel);
                let cancel = move || {
                    with_kernel(&kernel, |kernel, then| kernel.cancel(id, then));
                    // Until then no other operation has this address.
                    drop(slot);
                };
                LATE.with_borrow_mut(|late| late.push(Box::new(cancel)));
            }
            return is_known;
        }
        self.with_kernel(|kernel, then| kernel.cancel(id, then))
    }

    fn takes_pieces(&self) -> bool {
        self.with_stream(|stream| !stream.is_for_messages)
    }

    fn bind(&self, port: &Inbox<Packet<Said>>, key: usize) -> io::Result<Bound> {
        if chance::one_in(6) {
            return Ok(Bound::Elsewhere);
        }
        if chance::fault(12) {
            return Err(io::Error::other("no resources"));
        }
        *lock(&self.port) = Some((port.clone(), key));
        Ok(Bound::Here { skips: !chance::one_in(3) })
    }

    fn unbind(&self) {
        *lock(&self.port) = None;
    }

    fn post(port: &Inbox<Packet<Said>>, key: usize, id: SlotId) -> io::Result<()> {
        if chance::fault(30) {
            return Err(io::Error::from_raw_os_error(8));
        }
        port.send(key, Packet { id, said: Said::Success });
        Ok(())
    }

    fn is_inheritable(&self) -> bool {
        false
    }

    fn is_readable(&self) -> bool {
        self.with_kernel(|kernel, _| !kernel.streams[self.side].entries.is_empty() || kernel.closed[1 - self.side])
    }

    fn refusal_of_writes(&self) -> Option<Failure> {
        let is_closed = self.with_kernel(|kernel, _| kernel.closed[1 - self.side]);
        is_closed.then(|| Failure::os(io::ErrorKind::BrokenPipe.into(), Some(0)))
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        Err(Failure::refused(io::ErrorKind::Unsupported, "there is no half-close"))
    }

    fn give_away(&self) -> Option<Self> {
        if self.given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        let port = lock(&self.port).take();
        Some(Self {
            kernel: Arc::clone(&self.kernel),
            side: self.side,
            port: Mutex::new(port),
            pool: Arc::clone(&self.pool),
            given_away: AtomicBool::new(false),
        })
    }
}

thread_local! {
    /// How many threads have gone on as this one.
    static THREADS: Cell<u32> = const { Cell::new(0) };
}

/// The thread that issued an operation.
#[derive(Default, Clone, Copy)]
pub(crate) struct IssuingThread(u32);

impl completion::Thread for IssuingThread {
    fn current() -> Self {
        Self(THREADS.get())
    }

    fn has_ended(&self) -> bool {
        self.0 < THREADS.get()
    }
}

/// Set by the kernel. The system resets an event when an operation with it begins; here each wait
/// does.
#[derive(Clone, Default)]
pub(crate) struct Event(Arc<EventState>);

struct EventState {
    set: Mutex<(bool, Option<Call>)>,
    changed: Condvar,
    pool: OnceLock<Pool>,
}

impl Default for EventState {
    fn default() -> Self {
        Self { set: Mutex::default(), changed: Condvar::new(), pool: OnceLock::new() }
    }
}

impl EventState {
    fn pass_to_pool(&self, call: Call) {
        lock(self.pool.get().expect("it was issued with an operation")).push_back(call);
    }
}

impl Event {
    fn set(&self) {
        let then = {
            let mut state = lock(&self.0.set);
            state.0 = true;
            state.1.take()
        };
        self.0.changed.notify_all();
        if let Some(then) = then {
            self.0.pass_to_pool(then);
        }
    }
}

impl completion::Event for Event {
    fn new() -> io::Result<Self> {
        if chance::fault(30) {
            return Err(io::Error::other("no handles"));
        }
        Ok(Self::default())
    }

    fn of_this_thread() -> io::Result<Rc<Self>> {
        Ok(Rc::default())
    }

    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.0.set);
        loop {
            if std::mem::take(&mut state.0) {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= SimClock::now()) {
                return false;
            }
            if clock::is_virtual() {
                drop(state);
                catch_up();
                state = lock(&self.0.set);
            }
            state = SimClock::wait(&self.0.set, state, &self.0.changed, deadline);
        }
    }

    fn when_set(self, then: impl FnOnce() + Send + 'static) -> Result<(), (Self, io::Error)> {
        if NO_POOL.get() || chance::fault(12) {
            return Err((self, io::Error::other("no memory")));
        }
        let mut state = lock(&self.0.set);
        if state.0 {
            self.0.pass_to_pool(Box::new(then));
        } else {
            state.1 = Some(Box::new(then));
        }
        Ok(())
    }
}
