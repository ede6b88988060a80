//! The system that this build is for, as random programs use it.

use std::io::{self, IoSlice, IoSliceMut};
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{ChannelOf, End, Run, Setup, Step};
use crate::channel::WokenBy;
use crate::contract::{Direction, EndName, EndSpec, Failure, IoMode, Spec};
use crate::driver::{Core, DriverRef, Native, channel_of};
use crate::end::{Access, BlockingEnd, EndHandle, EndImpl, Origin};
use crate::sys::{self, OwnedPipe, PlatformOptions};

/// One program's driver, next to the one that the process turns by itself. On Windows a pair has a
/// name, or none.
pub(crate) struct World<const NAMED: bool> {
    driver: Arc<Core<Native>>,
    unit: usize,
    name: EndName,
}

/// The bytes of a unit. A pipe of Linux holds at least a page, and so a few units.
const UNIT: usize = 512;

/// So many that every sixth write or so is larger than a piece of Windows.
const LARGE_UNIT: usize = 100 << 10;

/// So few that a whole program fits into a pipe, where an end blocks.
const SMALL_UNIT: usize = 16;

impl<const NAMED: bool> World<NAMED> {
    #[cfg(windows)]
    fn options() -> PlatformOptions {
        let creation = if NAMED { crate::windows::Creation::Named } else { crate::windows::Creation::Unnamed };
        PlatformOptions { creation, ..PlatformOptions::default() }
    }

    #[cfg(unix)]
    fn options() -> PlatformOptions {
        PlatformOptions::default()
    }
}

impl<const NAMED: bool> super::World for World<NAMED> {
    type System = Native;
    type Blocking = BlockingEnd;

    const IN_MEMORY: bool = false;
    const PATIENCE: usize = 2000;
    const MILLISECOND: Duration = Duration::from_micros(100);

    fn begin(setup: &Setup) -> (Self, [End<Self>; 2]) {
        let mode = |side: u8| if setup.blocks(side) { IoMode::Blocking } else { IoMode::Overlapped };
        let end = |side| EndSpec { mode: mode(side), inheritable: false };
        let unit = match setup.blocking {
            2 if setup.large => LARGE_UNIT,
            2 => UNIT,
            _ => SMALL_UNIT,
        };
        let spec = Spec {
            direction: if setup.duplex { Direction::Duplex } else { Direction::Inbound },
            server: end(0),
            client: end(1),
            capacity: (setup.blocking == 2).then(|| u32::from(setup.capacity) * 512),
        };
        let (server, client) = sys::create(&spec, &Self::options()).unwrap();
        let name = EndName { called: None, role: None, direction: setup.duplex.then_some(Direction::Duplex) };
        let world = Self { driver: Arc::new(Core::new().unwrap()), unit, name };
        let open = |side: u8, pipe: OwnedPipe| {
            let access = match (setup.duplex, side) {
                (true, _) => Access::Both,
                (false, 0) => Access::Read,
                (false, _) => Access::Write,
            };
            match mode(side) {
                IoMode::Overlapped => End::Overlapped(world.open(pipe, access, setup.exclusive)),
                IoMode::Blocking => End::Blocking(BlockingEnd::new(pipe, world.origin(false), access)),
            }
        };
        let ends = [open(0, server), open(1, client)];
        (world, ends)
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn end(self) {}

    fn turn(&mut self) {
        self.driver.turn(Some(Instant::now())).unwrap();
    }

    fn settle(&mut self) {
        self.turn();
        thread::sleep(Duration::from_micros(20));
    }

    fn driver(&self) -> DriverRef<Native> {
        self.driver.make_ref()
    }

    fn poll<R>(&self, runtime: bool, poll: impl FnOnce(WokenBy) -> R) -> R {
        match runtime {
            #[cfg(feature = "tokio")]
            true => poll(WokenBy::Runtime),
            _ => poll(WokenBy::Driver),
        }
    }

    fn take(channel: &ChannelOf<Self>) -> Result<Option<OwnedPipe>, Failure> {
        #[cfg(windows)]
        return channel.take_handle_still_bound();
        #[cfg(unix)]
        crate::channel::Channel::take_handle(channel)
    }

    fn adopt(&self, handle: OwnedPipe, access: Access) -> EndHandle<Native> {
        self.open(handle, access, false)
    }

    fn turn_later(&self) -> Option<Box<dyn FnOnce()>> {
        None
    }

    fn knows_what_went(&self, _: usize, _: RangeInclusive<u8>) -> bool {
        cfg!(unix)
    }

    #[cfg(target_os = "linux")]
    fn in_child(&self, check: impl FnOnce(bool) -> bool) -> bool {
        sys::in_a_forked_process(|| check(true))
    }

    /// Windows does not fork, and elsewhere a process with several threads may do less afterwards.
    #[cfg(not(target_os = "linux"))]
    fn in_child(&self, _: impl FnOnce(bool) -> bool) -> bool {
        true
    }

    fn take_steps(run: &mut Run<Self>, steps: &[Step]) -> Result<(), String> {
        let result = thread::scope(|scope| scope.spawn(|| run.take_steps(steps)).join());
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    fn end_thread(&mut self) -> bool {
        #[cfg(windows)]
        return sys::is_wine();
        #[cfg(unix)]
        false
    }

    fn read(end: &mut BlockingEnd, buffer: &mut [u8]) -> io::Result<usize> {
        EndImpl::read(end, &mut [IoSliceMut::new(buffer)])
    }

    fn read_to_the_end(&self, end: &mut BlockingEnd, buffer: &mut [u8]) -> io::Result<usize> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    self.driver.turn(Instant::now().checked_add(Duration::from_millis(1))).unwrap();
                }
            });
            let outcome = Self::read(end, buffer);
            is_over.store(true, Ordering::Release);
            outcome
        })
    }

    fn write(end: &mut BlockingEnd, bytes: &[u8]) -> io::Result<usize> {
        EndImpl::write(end, &[IoSlice::new(bytes)])
    }
}

impl<const NAMED: bool> World<NAMED> {
    fn origin(&self, exclusive: bool) -> Origin {
        Origin { name: self.name, requested_capacity: None, exclusive }
    }

    fn open(&self, pipe: OwnedPipe, access: Access, exclusive: bool) -> EndHandle<Native> {
        EndHandle::new(channel_of(pipe, exclusive), self.origin(exclusive), access)
    }
}
