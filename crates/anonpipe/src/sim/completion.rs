//! Pipes whose kernel takes operations and reports their completion, as npfs does.

mod event;
mod issuer;
mod kernel;
#[cfg(all(test, not(loom)))]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
#[cfg(not(loom))]
use std::ops::RangeInclusive;
use std::sync::Arc;

#[cfg(not(loom))]
use super::chance;
use super::clock::SimClock;
use super::{Inbox, OneProcess};
use crate::channel;
use crate::channel::completion::{self, Channel, Packet};
use crate::contract::Failure;
use crate::driver::{Core, DriverRef};
#[cfg(not(loom))]
use crate::programs::Setup;
use crate::sync::{Clock as _, Mutex, lock};
pub(crate) use issuer::Issuer;
use kernel::Kernel;
#[cfg(not(loom))]
pub(crate) use kernel::Refused;
pub(crate) use kernel::{Said, Slot};

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
    FORMER.take();
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

thread_local! {
    /// What handles are bound to that others have now. Their packets still come.
    static FORMER: RefCell<Vec<issuer::Bond>> = const { RefCell::new(Vec::new()) };
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
    let kernel = Arc::new(Mutex::new(Kernel::new(quota)));
    let pool = Pool::default();
    POOLS.with_borrow_mut(|pools| pools.push(Arc::clone(&pool)));
    [0, 1].map(|side| Issuer::new(Arc::clone(&kernel), side, Arc::clone(&pool)))
}

#[cfg(not(loom))]
impl super::world::Kernel for Sim {
    fn ends(setup: &Setup) -> [Channel<Self>; 2] {
        ends(usize::from(setup.capacity)).map(|issuer| Channel::new(issuer, setup.exclusive))
    }

    fn forget() {
        forget_driver();
        kernel::forget_addresses();
        kernel::forget_pieces();
        THREADS.set(0);
    }

    fn knows_what_went(stream: usize, bytes: RangeInclusive<u8>) -> bool {
        kernel::is_known(stream, bytes)
    }

    fn turn() {
        turn();
    }

    fn take(channel: &Channel<Self>) -> Result<Option<Issuer>, Failure> {
        if chance::one_in(2) { channel.take_handle_still_bound() } else { channel::Channel::take_handle(channel) }
    }

    fn adopt(handle: Issuer) -> Channel<Self> {
        // The next owner may take the handle for one without another owner, too.
        let exclusive = !handle.is_bound() || chance::one_in(2);
        Channel::new(handle, exclusive)
    }

    fn end_thread() -> bool {
        THREADS.set(THREADS.get() + 1);
        true
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
