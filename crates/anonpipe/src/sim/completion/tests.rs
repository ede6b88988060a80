//! What no program does: a caller has duplicated a handle that only this process is to have.

use std::time::Instant;

use super::{Issuer, Sim, driver, pipe, turn};
use crate::channel::completion::{Issuer as _, Slot as _};
use crate::channel::{DriverShare, InFlight as _};
use crate::contract::Failure;
use crate::sim::world::Kernel as _;
use crate::sim::{read, taken, write};

/// The packet says that an operation is over whose thread has ended, but the kernel still has it,
/// and will write to its memory. So the kernel is asked first, which ends the operation.
#[test]
fn a_packet_does_not_give_memory_back_that_the_kernel_has() {
    let (reader, writer) = pipe(64, true);
    let mut pending = read::<Sim>(&reader, 8);
    let id = pending.record().loan().slot().id();
    assert!(Sim::end_thread());
    let poller = driver().make_ref();
    for key in 0..64 {
        Issuer::post(DriverShare::<Sim>::poller(&poller), key, id).unwrap();
    }
    turn();
    let (outcome, _) = pending.wait(Some(Instant::now())).unwrap();
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })), "{outcome:?}");
    write::<Sim>(&writer, b"fine").detach();
    assert_eq!(taken(read::<Sim>(&reader, 8)), b"fine");
}
