//! Making pairs, and the drivers of their ends.

use std::io::{self, ErrorKind};
use std::time::Duration;

use anonpipe::{Driver, End as Make, Error, Mode, PipeOptions};

use super::any_end::AnyEnd;
use super::steps::{Capacity, Making, Patience, Way};
use super::world::{End, MOST, Op, Side, World};
use crate::pipes::Line;
use crate::size::Pick;

fn pair<S: Mode, C: Mode>(options: PipeOptions<S, C>, way: Way) -> io::Result<(AnyEnd, AnyEnd)>
where
    AnyEnd: From<anonpipe::Reader<S>> + From<anonpipe::Writer<S>> + From<anonpipe::Duplex<S>>,
    AnyEnd: From<anonpipe::Reader<C>> + From<anonpipe::Writer<C>> + From<anonpipe::Duplex<C>>,
{
    Ok(match way {
        Way::Inbound => options.inbound().map(|(server, client)| (server.into(), client.into()))?,
        Way::Outbound => options.outbound().map(|(server, client)| (server.into(), client.into()))?,
        Way::Duplex => options.duplex().map(|(server, client)| (server.into(), client.into()))?,
    })
}

fn make(making: Making) -> io::Result<(AnyEnd, AnyEnd)> {
    let options = PipeOptions::new();
    let options = match making.capacity {
        Capacity::Default => options,
        Capacity::Smallest => options.capacity(1),
        Capacity::Page => options.capacity(4096),
        Capacity::Odd => options.capacity(10_000),
        Capacity::Zero => options.capacity(0),
        Capacity::TooMuch => options.capacity(usize::MAX),
    };
    let (server, client) = (making.server_inheritable, making.client_inheritable);
    let overlapped = |inheritable| Make::overlapped().inheritable(inheritable);
    let blocking = |inheritable| Make::blocking().inheritable(inheritable);
    match (making.server_blocks, making.client_blocks) {
        (false, false) => pair(options.server(overlapped(server)).client(overlapped(client)), making.way),
        (false, true) => pair(options.server(overlapped(server)).client(blocking(client)), making.way),
        (true, false) => pair(options.server(blocking(server)).client(overlapped(client)), making.way),
        (true, true) => pair(options.server(blocking(server)).client(blocking(client)), making.way),
    }
}

impl World {
    pub(super) fn make(&mut self, making: Making) {
        if self.ends.len() + self.handles.len() > MOST {
            return;
        }
        let made = make(making);
        if matches!(making.capacity, Capacity::Zero | Capacity::TooMuch) {
            assert_eq!(made.expect_err("a capacity that cannot be").kind(), ErrorKind::InvalidInput);
            return;
        }
        let (server, client) = made.expect("a pair can be made");
        let (ours, theirs) = (self.sides.len(), self.sides.len() + 1);
        let mut line = |writer, reader| {
            self.lines.push(Line::new(writer, reader));
            Some(self.lines.len() - 1)
        };
        let to_server = if matches!(making.way, Way::Outbound) { None } else { line(theirs, ours) };
        let to_client = if matches!(making.way, Way::Inbound) { None } else { line(ours, theirs) };
        for (any, side, reads, writes) in [(server, ours, to_server, to_client), (client, theirs, to_client, to_server)]
        {
            self.sides.push(Side {
                reads,
                writes,
                overlapped: any.is_overlapped(),
                holders: 1,
                readers: usize::from(reads.is_some()),
                reads_no_more: false,
                shut: false,
                driver: None,
                used: false,
                detached: false,
            });
            self.ends.push(End::new(any, side));
            if let Some(driver) = making.driver {
                self.attach(Some(self.ends.len() - 1), driver);
            }
        }
    }

    pub(super) fn new_driver(&mut self) {
        if self.drivers.len() < 3 {
            self.drivers.push((self.drivers_made, Driver::new().expect("a driver can be made")));
            self.drivers_made += 1;
        }
    }

    /// What is attached to it is served by a thread from now on.
    pub(super) fn drop_driver(&mut self, driver: Pick) {
        if let Some(at) = driver.of(self.drivers.len()) {
            drop(self.drivers.swap_remove(at));
        }
    }

    pub(super) fn attach(&mut self, end: Option<usize>, driver: Pick) {
        let (Some(at), Some(which)) = (end, driver.of(self.drivers.len())) else { return };
        let (number, driver) = &self.drivers[which];
        let end = &self.ends[at];
        let Some(attached) = end.any.attach(driver) else { return };
        let side = &mut self.sides[end.side];
        match attached {
            Ok(()) => {
                assert!(end.holds(), "an end without a pipe was attached");
                assert!(side.driver.is_none_or(|known| known == *number), "it was attached to another driver");
                side.driver = Some(*number);
            }
            Err(error) if !end.holds() => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ResourceBusy);
                let to_another = side.driver.is_some_and(|known| known != *number);
                assert!(to_another || side.driver.is_none() && side.used, "{error}, and it is fresh");
            }
        }
    }

    pub(super) fn turn(&mut self, driver: Pick, patience: Patience) {
        if let Some(which) = driver.of(self.drivers.len()) {
            self.drivers[which].1.turn(Some(patience.duration())).expect("a driver turns");
        }
    }

    pub(super) fn notify_and_turn(&mut self, driver: Pick) {
        if let Some(which) = driver.of(self.drivers.len()) {
            let driver = &self.drivers[which].1;
            driver.notify();
            // Without a limit, and yet it returns.
            driver.turn(None).expect("a driver turns");
        }
    }

    pub(super) fn block_on(&mut self, driver: Pick, op: Pick) {
        let Some(which) = driver.of(self.drivers.len()) else { return };
        let at = op.of(self.ops.len()).filter(|at| self.ops[*at].flight.is_complete());
        let Some(at) = at else {
            assert_eq!(self.drivers[which].1.block_on(std::future::ready(7)), 7);
            return;
        };
        let Op { mut flight, known } = self.ops.swap_remove(at);
        let outcome = self.drivers[which].1.block_on(std::future::poll_fn(|context| flight.poll(context)));
        self.landed(&known, &outcome);
    }

    /// Turns every driver, without waiting.
    pub(super) fn turn_all(&self) {
        for (_, driver) in &self.drivers {
            driver.turn(Some(Duration::ZERO)).expect("a driver turns");
        }
    }

    pub(super) fn describe(&self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let end = &self.ends[at];
        let side = &self.sides[end.side];
        assert!(!format!("{:?}", end.any).is_empty());
        let info = end.any.info().expect("the system knows the end");
        assert_eq!(info.mode == anonpipe::IoMode::Overlapped, side.overlapped);
        assert_eq!(info.name, None, "on Unix none has a name");
        assert!(info.capacity.is_some_and(|capacity| capacity > 0));
    }
}

/// Panics unless it is an error of this crate's, of that kind.
pub(super) fn expect_error(error: &io::Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&error.kind()), "{error} instead of {kinds:?}");
    assert_eq!(Error::of(error).map(Error::kind), Some(error.kind()));
}
