//! The target `operations`: any sequence of calls of the Rust library, on one thread.

mod any_end;
mod blocking;
mod controls;
mod conversions;
mod flight;
mod goodbye;
mod in_flight;
mod making;
mod outcomes;
mod steps;
mod tasks;
mod world;

use crate::fence::{bounded, each_step, fenced};
use world::World;

/// Makes the calls that `input` says, and panics if an answer breaks the contract.
pub fn operations(input: &[u8]) {
    fenced(|| {
        let mut world = World::default();
        each_step(input, |step| world.take(step));
        bounded("the goodbye", || world.say_goodbye());
    });
}
