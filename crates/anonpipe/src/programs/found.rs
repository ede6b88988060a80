//! Programs that once broke the promise.

use super::Step::{Attach, Poll, SubmitRead, Wait, Write};
use super::{Setup, replay};
use crate::sim::world::World;
use crate::sim::{completion, readiness};

/// Where a thread waited for an operation by turning the driver itself, the task that had polled
/// the operation before was forgotten.
#[test]
fn a_task_is_woken_although_a_thread_has_waited() {
    let setup = Setup { duplex: true, capacity: 9, exclusive: false, faults: false, blocking: 2, large: false };
    let steps = [
        Attach { on: 1 },
        SubmitRead { on: 1, units: 3 },
        Poll { on: 0 },
        Wait { on: 0, timeout: 0 },
        Write { on: 0, units: 1, timeout: 0 },
    ];
    replay::<World<readiness::Sim>>(setup, &steps, &[]);
    replay::<World<completion::Sim>>(setup, &steps, &[]);
}
