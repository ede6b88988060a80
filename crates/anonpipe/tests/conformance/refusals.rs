//! Each call to the system that may be refused, refused: the error says so, nothing is left, and it
//! works afterwards. Each rule has a process of its own.

use std::io::{self, Write};

use crate::Backend;
use crate::steps::{self, Needs};
use crate::system::{NoMoreThreads, NthRefused, in_a_fork};

/// The nth call is refused, for each n, until there are no more.
pub(crate) fn every_call_refused_in_turn(backend: Backend) {
    if in_a_fork("a filter", || u8::from(NthRefused::new(1).is_err())) != 0 {
        let _ = writeln!(io::stderr(), "left out: this system does not let a program refuse its own calls (seccomp)");
        return;
    }
    let (mut failed, mut done_without) = (0, 0);
    for action in steps::all() {
        let left = action.usually_left(backend);
        let before = failed + done_without;
        for place in 1.. {
            let ended = in_a_fork(&format!("{}, call {place}", action.name), || {
                let tried = action.try_with(backend, &mut NthRefused::new(place).expect("as above"), left);
                if tried.was_refused { 1 + u8::from(tried.failed) } else { 0 }
            });
            match ended {
                0 => break,
                1 => done_without += 1,
                _ => failed += 1,
            }
        }
        assert!(failed + done_without > before, "{}: nothing was refused", action.name);
    }
    let all = failed + done_without;
    let _ = writeln!(io::stderr(), "{all} calls refused in turn: {failed} errors, {done_without} done without");
}

/// The same for an error that the system itself gives: no thread for the driver.
pub(crate) fn a_driver_without_a_thread_says_so(backend: Backend) {
    for action in steps::all() {
        let left = action.usually_left(backend);
        in_a_fork(action.name, || {
            let mut limit = NoMoreThreads::new();
            let tried = action.try_with(backend, &mut limit, left);
            assert_eq!(tried.failed, action.needs == Needs::Driver, "{}: a driver without a thread", action.name);
            0
        });
    }
}
