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

use arbitrary::{Arbitrary, Unstructured};

use crate::fence::{bounded, fenced};
use steps::Step;
use world::World;

/// No input makes more calls.
const MOST_STEPS: usize = 300;

/// Makes the calls that `input` says, and panics if one breaks what the header promises.
pub fn c_api(input: &[u8]) {
    let mut input = Unstructured::new(input);
    fenced(|| {
        let mut world = World::default();
        for _ in 0..MOST_STEPS {
            if input.is_empty() {
                break;
            }
            let Ok(step) = Step::arbitrary(&mut input) else { break };
            bounded(&step, || world.take(&step));
        }
        world.say_goodbye();
    });
}
