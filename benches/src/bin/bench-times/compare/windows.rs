//! What there is on Windows only.

use std::io;

use anonpipe_benches::pairs;
use anonpipe_benches::rounds::{Goal, Rounds, time};
use anonpipe_benches::talk::{with_futures, with_tokio};
use futures::executor::block_on;

use super::runtime;

/// Ours on an executor that knows nothing of I/O.
pub(crate) fn driver_one_thread(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let peers_runtime = runtime()?;
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtime, &peers_runtime)?;
    rounds.times(
        label,
        goal,
        |trips| time(|| block_on(with_futures::both(&mut near, &mut far, trips))),
        |trips| time(|| peers_runtime.block_on(with_tokio::both(&mut peer_near, &mut peer_far, trips))),
    );
    Ok(())
}

/// The child on the blocking end of a duplex pipe, in both cases.
pub(crate) fn child_on_named_pipe(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (runtime, peers_runtime) = (runtime()?, runtime()?);
    let (mut child, mut side) = pairs::child_on_duplex()?;
    let (mut peers_child, mut peers_side) = pairs::child_on_named_pipe(&peers_runtime)?;
    rounds.times(
        label,
        goal,
        |trips| time(|| runtime.block_on(with_tokio::ping(&mut side, trips))),
        |trips| time(|| peers_runtime.block_on(with_tokio::ping(&mut peers_side, trips))),
    );
    drop(side);
    child.wait()?;
    // Without its runtime a named pipe of tokio's that was dropped does not come to its end.
    drop((peers_side, peers_runtime));
    peers_child.wait()?;
    Ok(())
}
