//! These pipes as random programs use them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::clock::{self, SimClock};
use super::super::{OneProcess, chance};
use super::{Channel, Core, Descriptor, DriverRef, Sim, ends, forget_driver, turn};
use crate::channel::{Channel as _, WokenBy};
use crate::contract::Failure;
use crate::end::{Access, EndHandle, Origin};
use crate::programs::{End, Setup, World as Programs};
use crate::sync::Clock as _;

/// One program's pipe and drivers.
pub(crate) struct World {
    /// The program's own, next to that of the process.
    driver: Arc<Core<Sim>>,
    duplex: bool,
}

impl Programs for World {
    type System = Sim;
    type Blocking = std::convert::Infallible;

    const IN_MEMORY: bool = true;
    const PATIENCE: usize = 40;
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn begin(setup: &Setup) -> (Self, [End<Self>; 2]) {
        clock::begin(turn);
        forget_driver();
        let mut accesses = [Access::Read, Access::Write].into_iter();
        let ends = ends(usize::from(setup.capacity), setup.duplex).map(|descriptor| {
            let access = accesses.next().filter(|_| !setup.duplex).unwrap_or(Access::Both);
            End::Overlapped(EndHandle::new(Channel::new(descriptor), Origin::unknown(setup.duplex), access))
        });
        let driver = Arc::new(Core::new().unwrap());
        (Self { driver, duplex: setup.duplex }, ends)
    }

    fn unit(&self) -> usize {
        1
    }

    fn end(self) {
        forget_driver();
        clock::end();
    }

    fn turn(&mut self) {
        turn();
        self.driver.turn(Some(SimClock::now())).unwrap();
    }

    fn settle(&mut self) {
        chance::stop();
        self.turn();
        self.turn();
    }

    fn driver(&self) -> DriverRef<Sim> {
        self.driver.make_ref()
    }

    #[cfg(feature = "tokio")]
    fn poll<R>(&self, runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        if runtime { super::reactor::in_runtime(|| poll(WokenBy::Runtime)) } else { poll(WokenBy::Driver) }
    }

    #[cfg(not(feature = "tokio"))]
    fn poll<R>(&self, _: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        poll(WokenBy::Driver)
    }

    fn take(channel: &Channel<Sim>) -> Result<Option<Descriptor>, Failure> {
        channel.take_handle()
    }

    fn adopt(&self, handle: Descriptor, access: Access) -> EndHandle<Sim> {
        EndHandle::new(Channel::new(handle), Origin::unknown(self.duplex), access)
    }

    fn in_child<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        Some(OneProcess::in_child(call))
    }

    /// What a thread began outlives it in this model.
    fn end_thread(&mut self) -> bool {
        false
    }

    fn read(end: &mut Self::Blocking, _: &mut [u8]) -> io::Result<usize> {
        match *end {}
    }

    fn read_to_the_end(&self, end: &mut Self::Blocking, _: &mut [u8]) -> io::Result<usize> {
        match *end {}
    }

    fn write(end: &mut Self::Blocking, _: &[u8]) -> io::Result<usize> {
        match *end {}
    }
}
