//! The pipes in memory as random programs use them.

use std::convert::Infallible;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::chance;
use super::clock::{self, SimClock};
use crate::channel::{System, WokenBy};
use crate::contract::Failure;
use crate::driver::{Core, DriverRef};
use crate::end::{Access, EndHandle, Origin};
use crate::programs::{End, Run, Setup, Step, World as Programs};
use crate::sync::Clock as _;

/// A kernel in memory, with the process's driver that a program's thread turns.
pub(crate) trait Kernel: System<Driver = DriverRef<Self>> {
    /// A pipe's ends. In a one-way pipe, end 0 reads.
    fn ends(setup: &Setup) -> [Self::Channel; 2];

    /// Begins anew: what was made for another program is forgotten.
    fn forget();

    fn turn();

    /// Takes the handle out of an end.
    fn take(channel: &Self::Channel) -> Result<Option<Self::Handle>, Failure>;

    /// Makes an end of a handle that was taken out.
    fn adopt(handle: Self::Handle) -> Self::Channel;

    /// Polls a task. A runtime need not have a part in it.
    fn poll<R>(_runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        poll(WokenBy::Driver)
    }

    /// Calls `check` as a forked process would, if this system forks.
    fn in_child(_check: impl FnOnce(bool) -> bool) -> bool {
        true
    }

    /// Whether it is known how much went of every write with these bytes. `stream`: the end that
    /// reads them.
    fn knows_what_went(_stream: usize, _bytes: RangeInclusive<u8>) -> bool {
        true
    }

    /// Whether it matters that a thread ends.
    fn end_thread() -> bool {
        false
    }
}

/// One program's pipe and drivers.
pub(crate) struct World<K: Kernel> {
    /// The program's own, next to that of the process.
    driver: Arc<Core<K>>,
    duplex: bool,
}

impl<K: Kernel> Programs for World<K> {
    type System = K;
    type Blocking = Infallible;

    const IN_MEMORY: bool = true;
    const PATIENCE: usize = 40;
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn begin(setup: &Setup) -> (Self, [End<Self>; 2]) {
        clock::begin(K::turn);
        K::forget();
        let mut accesses = [Access::Read, Access::Write].into_iter();
        let ends = K::ends(setup).map(|channel| {
            let access = accesses.next().filter(|_| !setup.duplex).unwrap_or(Access::Both);
            End::Overlapped(EndHandle::new(channel, Origin::unknown(setup.duplex), access))
        });
        let driver = Arc::new(Core::new().unwrap());
        (Self { driver, duplex: setup.duplex }, ends)
    }

    fn unit(&self) -> usize {
        1
    }

    fn end(self) {
        K::forget();
        clock::end();
    }

    fn turn(&mut self) {
        K::turn();
        self.driver.turn(Some(SimClock::now())).unwrap();
    }

    fn settle(&mut self) {
        chance::stop();
        self.turn();
        self.turn();
    }

    fn driver(&self) -> DriverRef<K> {
        self.driver.make_ref()
    }

    fn poll<R>(&self, runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        K::poll(runtime, poll)
    }

    fn take(channel: &K::Channel) -> Result<Option<K::Handle>, Failure> {
        K::take(channel)
    }

    fn adopt(&self, handle: K::Handle, access: Access) -> EndHandle<K> {
        EndHandle::new(K::adopt(handle), Origin::unknown(self.duplex), access)
    }

    fn in_child(&self, check: impl FnOnce(bool) -> bool) -> bool {
        K::in_child(check)
    }

    fn take_steps(run: &mut Run<Self>, steps: &[Step]) -> Result<(), String> {
        run.take_steps(steps)
    }

    fn turn_later(&self) -> Option<Box<dyn FnOnce()>> {
        let driver = Arc::clone(&self.driver);
        Some(Box::new(move || {
            K::turn();
            driver.turn(Some(SimClock::now())).unwrap();
        }))
    }

    fn knows_what_went(&self, stream: usize, bytes: RangeInclusive<u8>) -> bool {
        K::knows_what_went(stream, bytes)
    }

    fn end_thread(&mut self) -> bool {
        K::end_thread()
    }

    fn read(end: &mut Infallible, _: &mut [u8]) -> io::Result<usize> {
        match *end {}
    }

    fn read_to_the_end(&self, end: &mut Infallible, _: &mut [u8]) -> io::Result<usize> {
        match *end {}
    }

    fn write(end: &mut Infallible, _: &[u8]) -> io::Result<usize> {
        match *end {}
    }
}
