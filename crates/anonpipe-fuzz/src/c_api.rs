//! The target `c_api`: every function that the C library exports, in any order, with arguments that
//! the header allows, or for which it promises an error.

mod calls;
mod ends;
mod goodbye;
mod operations;
mod pairs;
mod steps;
mod texts;
mod world;

pub use calls::called;

use crate::fence::{each_step, fenced};
use world::World;

/// Makes the calls that `input` says, and panics if one breaks what the header promises.
pub fn c_api(input: &[u8]) {
    fenced(|| {
        let mut world = World::default();
        each_step(input, |step| world.take(step));
        world.say_goodbye();
    });
}
