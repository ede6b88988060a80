//! These pipes as random programs use them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::chance;
use super::super::clock::{self, SimClock};
use super::{Channel, Core, DriverRef, Issuer, Sim, THREADS, ends, forget_driver, turn};
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
        THREADS.set(0);
        let mut accesses = [Access::Read, Access::Write].into_iter();
        let ends = ends(usize::from(setup.capacity)).map(|issuer| {
            let access = accesses.next().filter(|_| !setup.duplex).unwrap_or(Access::Both);
            End::Overlapped(EndHandle::new(
                Channel::new(issuer, setup.exclusive),
                Origin::unknown(setup.duplex),
                access,
            ))
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

    /// A runtime has no part in this model.
    fn poll<R>(&self, _: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        poll(WokenBy::Driver)
    }

    fn take(channel: &Channel<Sim>) -> Result<Option<Issuer>, Failure> {
        if chance::one_in(2) { channel.take_handle_still_bound() } else { channel.take_handle() }
    }

    fn adopt(&self, handle: Issuer, access: Access) -> EndHandle<Sim> {
        let bound = super::lock(&handle.port).is_some();
        EndHandle::new(Channel::new(handle, !bound), Origin::unknown(self.duplex), access)
    }

    fn in_child<R>(&self, _: impl FnOnce() -> R) -> Option<R> {
        None
    }

    fn end_thread(&mut self) -> bool {
        THREADS.set(THREADS.get() + 1);
        true
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
