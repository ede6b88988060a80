//! The comparisons. Each makes its pipes first, and has ours and the peer's talk over them in turn.

use std::io;
use std::thread;

use anonpipe::Driver;
use anonpipe_benches::pairs;
use anonpipe_benches::rounds::{Far, Goal, Rounds, time};
use anonpipe_benches::talk::{blocking as threads, op, pattern, with_futures, with_tokio};
use tokio::runtime::{Builder, Runtime};

#[cfg(unix)]
pub(crate) mod unix;
#[cfg(windows)]
pub(crate) mod windows;

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

pub(crate) fn tokio_one_thread(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (runtime, peers_runtime) = (runtime()?, runtime()?);
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtime, &peers_runtime)?;
    rounds.times(
        label,
        goal,
        |trips| time(|| runtime.block_on(with_tokio::both(&mut near, &mut far, trips))),
        |trips| time(|| peers_runtime.block_on(with_tokio::both(&mut peer_near, &mut peer_far, trips))),
    );
    Ok(())
}

/// Each side's thread has a runtime of its own.
pub(crate) fn tokio_two_threads(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (runtimes, peers_runtimes) = ([runtime()?, runtime()?], [runtime()?, runtime()?]);
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtimes[0], &peers_runtimes[1])?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |trips| runtimes[1].block_on(with_tokio::pong(&mut far, trips)));
        let mut peer_far = Far::new(scope, |trips| peers_runtimes[1].block_on(with_tokio::pong(&mut peer_far, trips)));
        rounds.times(
            label,
            goal,
            |trips| far.time(trips, || runtimes[0].block_on(with_tokio::ping(&mut near, trips))),
            |trips| peer_far.time(trips, || peers_runtimes[0].block_on(with_tokio::ping(&mut peer_near, trips))),
        );
    });
    Ok(())
}

pub(crate) fn tokio_bulk<const BYTES: usize>(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let block = pattern(BYTES);
    let (runtime, peers_runtime) = (runtime()?, runtime()?);
    let ((_, mut writer), (mut reader, _)) = pairs::ours()?;
    let ((_, mut peers_writer), (mut peers_reader, _)) = pairs::tokios(&peers_runtime, &peers_runtime)?;
    rounds.throughput(
        label,
        goal,
        BYTES,
        |times| time(|| runtime.block_on(with_tokio::bulk(&mut writer, &mut reader, &block, times))),
        |times| time(|| peers_runtime.block_on(with_tokio::bulk(&mut peers_writer, &mut peers_reader, &block, times))),
    );
    Ok(())
}

/// Our driver, polled by the thread that talks.
pub(crate) fn polled_one_thread(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let driver = Driver::new()?;
    let peers_runtime = runtime()?;
    let (mut near, mut far) = pairs::ours_on(&driver, &driver)?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtime, &peers_runtime)?;
    rounds.times(
        label,
        goal,
        |trips| time(|| driver.block_on(with_futures::both(&mut near, &mut far, trips))),
        |trips| time(|| peers_runtime.block_on(with_tokio::both(&mut peer_near, &mut peer_far, trips))),
    );
    Ok(())
}

pub(crate) fn polled_two_threads(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let drivers = [Driver::new()?, Driver::new()?];
    let peers_runtimes = [runtime()?, runtime()?];
    let (mut near, mut far) = pairs::ours_on(&drivers[0], &drivers[1])?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtimes[0], &peers_runtimes[1])?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |trips| drivers[1].block_on(with_futures::pong(&mut far, trips)));
        let mut peer_far = Far::new(scope, |trips| peers_runtimes[1].block_on(with_tokio::pong(&mut peer_far, trips)));
        rounds.times(
            label,
            goal,
            |trips| far.time(trips, || drivers[0].block_on(with_futures::ping(&mut near, trips))),
            |trips| peer_far.time(trips, || peers_runtimes[0].block_on(with_tokio::ping(&mut peer_near, trips))),
        );
    });
    Ok(())
}

pub(crate) fn blocking(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (near, far) = pairs::ours()?;
    let (peer_near, peer_far) = pairs::std()?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |trips| threads::pong((&far.0, &far.1), trips));
        let mut peer_far = Far::new(scope, |trips| threads::pong((&peer_far.0, &peer_far.1), trips));
        rounds.times(
            label,
            goal,
            |trips| far.time(trips, || threads::ping((&near.0, &near.1), trips)),
            |trips| peer_far.time(trips, || threads::ping((&peer_near.0, &peer_near.1), trips)),
        );
    });
    Ok(())
}

pub(crate) fn op_wait(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (near, far) = pairs::ours()?;
    let (peer_near, peer_far) = pairs::std()?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |trips| op::pong(&far, trips));
        let mut peer_far = Far::new(scope, |trips| threads::pong((&peer_far.0, &peer_far.1), trips));
        rounds.times(
            label,
            goal,
            |trips| far.time(trips, || op::ping(&near, trips)),
            |trips| peer_far.time(trips, || threads::ping((&peer_near.0, &peer_near.1), trips)),
        );
    });
    Ok(())
}

pub(crate) fn blocking_bulk(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    const BYTES: usize = 65536;
    let block = pattern(BYTES);
    let ((_, writer), (reader, _)) = pairs::ours()?;
    let ((_, peers_writer), (peers_reader, _)) = pairs::std()?;
    thread::scope(|scope| {
        let mut far = Far::new(scope, |times| threads::flood(&writer, &block, times));
        let mut peer_far = Far::new(scope, |times| threads::flood(&peers_writer, &block, times));
        rounds.throughput(
            label,
            goal,
            BYTES,
            |times| far.time(times, || threads::drain(&reader, &block, times)),
            |times| peer_far.time(times, || threads::drain(&peers_reader, &block, times)),
        );
    });
    Ok(())
}

/// The same child on our ends, and started by tokio.
pub(crate) fn child(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (runtime, peers_runtime) = (runtime()?, runtime()?);
    let (mut child, mut side) = pairs::our_child()?;
    let (mut peers_child, mut peers_side) = pairs::tokios_child(&peers_runtime)?;
    rounds.times(
        label,
        goal,
        |trips| time(|| runtime.block_on(with_tokio::ping(&mut side, trips))),
        |trips| time(|| peers_runtime.block_on(with_tokio::ping(&mut peers_side, trips))),
    );
    drop((side, peers_side));
    child.wait()?;
    peers_runtime.block_on(peers_child.wait())?;
    Ok(())
}

/// Writes blocks to the child, and reads them back at the same time.
pub(crate) fn child_bulk(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    const BYTES: usize = 65536;
    let block = pattern(BYTES);
    let (runtime, peers_runtime) = (runtime()?, runtime()?);
    let (mut child, (mut reader, mut writer)) = pairs::our_child()?;
    let (mut peers_child, (mut peers_reader, mut peers_writer)) = pairs::tokios_child(&peers_runtime)?;
    rounds.throughput(
        label,
        goal,
        BYTES,
        |times| time(|| runtime.block_on(with_tokio::bulk(&mut writer, &mut reader, &block, times))),
        |times| time(|| peers_runtime.block_on(with_tokio::bulk(&mut peers_writer, &mut peers_reader, &block, times))),
    );
    drop((reader, writer, peers_reader, peers_writer));
    child.wait()?;
    peers_runtime.block_on(peers_child.wait())?;
    Ok(())
}
