//! With async-io, on Unix.

use std::io;
use std::thread;

use anonpipe_benches::pairs;
use anonpipe_benches::rounds::{Far, Goal, Rounds, time};
use anonpipe_benches::talk::{pattern, with_futures};
use futures::executor::block_on;

/// Both on the same executor.
pub(crate) fn driver_one_thread(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::async_ios()?;
    rounds.times(
        label,
        goal,
        |trips| time(|| block_on(with_futures::both(&mut near, &mut far, trips))),
        |trips| time(|| block_on(with_futures::both(&mut peer_near, &mut peer_far, trips))),
    );
    Ok(())
}

pub(crate) fn driver_two_threads(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::async_ios()?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |trips| block_on(with_futures::pong(&mut far, trips)));
        let mut peer_far = Far::new(scope, |trips| block_on(with_futures::pong(&mut peer_far, trips)));
        rounds.times(
            label,
            goal,
            |trips| far.time(trips, || block_on(with_futures::ping(&mut near, trips))),
            |trips| peer_far.time(trips, || block_on(with_futures::ping(&mut peer_near, trips))),
        );
    });
    Ok(())
}

/// The peer on its own `block_on`, which polls for events itself instead of waiting for its thread
/// to do that. Its like on our side is a driver that the caller polls.
pub(crate) fn driver_against_best(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::async_ios()?;
    rounds.times(
        label,
        goal,
        |trips| time(|| block_on(with_futures::both(&mut near, &mut far, trips))),
        |trips| time(|| async_io::block_on(with_futures::both(&mut peer_near, &mut peer_far, trips))),
    );
    Ok(())
}

pub(crate) fn driver_bulk(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    const BYTES: usize = 65536;
    let block = pattern(BYTES);
    let ((_, mut writer), (mut reader, _)) = pairs::ours()?;
    let ((_, mut peers_writer), (mut peers_reader, _)) = pairs::async_ios()?;
    rounds.throughput(
        label,
        goal,
        BYTES,
        |times| time(|| block_on(with_futures::bulk(&mut writer, &mut reader, &block, times))),
        |times| time(|| block_on(with_futures::bulk(&mut peers_writer, &mut peers_reader, &block, times))),
    );
    Ok(())
}
