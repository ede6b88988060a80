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

use arbitrary::{Arbitrary, Unstructured};

use crate::fence::{bounded, fenced};
use steps::Step;
use world::World;

/// No input makes more calls.
const MOST_STEPS: usize = 300;

/// Makes the calls that `input` says, and panics if an answer breaks the contract.
pub fn operations(input: &[u8]) {
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
        bounded("the goodbye", || world.say_goodbye());
    });
}
