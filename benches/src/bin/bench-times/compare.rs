//! The comparisons. Each makes its pipes first, and has ours and the peer's talk over them in turn.

use std::io::{self, Read, Write};
use std::time::Duration;

use anonpipe::Driver;
use anonpipe_benches::pairs::{self, Side};
use anonpipe_benches::rounds::{Goal, Rounds, time, time_with};
use anonpipe_benches::talk::{blocking as threads, op, pattern, with_futures, with_tokio};
use tokio::io::{AsyncRead, AsyncWrite};
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
fn tokio_ping_pong(
    runtimes: &[Runtime; 2],
    near: &mut Side<impl AsyncRead + Unpin, impl AsyncWrite + Unpin>,
    far: &mut Side<impl AsyncRead + Unpin + Send, impl AsyncWrite + Unpin + Send>,
    trips: u32,
) -> Duration {
    time_with(
        || runtimes[0].block_on(with_tokio::ping(near, trips)),
        || runtimes[1].block_on(with_tokio::pong(far, trips)),
    )
}

pub(crate) fn tokio_two_threads(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (runtimes, peers_runtimes) = ([runtime()?, runtime()?], [runtime()?, runtime()?]);
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::tokios(&peers_runtimes[0], &peers_runtimes[1])?;
    rounds.times(
        label,
        goal,
        |trips| tokio_ping_pong(&runtimes, &mut near, &mut far, trips),
        |trips| tokio_ping_pong(&peers_runtimes, &mut peer_near, &mut peer_far, trips),
    );
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
    rounds.times(
        label,
        goal,
        |trips| {
            time_with(
                || drivers[0].block_on(with_futures::ping(&mut near, trips)),
                || drivers[1].block_on(with_futures::pong(&mut far, trips)),
            )
        },
        |trips| tokio_ping_pong(&peers_runtimes, &mut peer_near, &mut peer_far, trips),
    );
    Ok(())
}

fn threads_ping_pong(
    near: &mut Side<impl Read, impl Write>,
    far: &mut Side<impl Read + Send, impl Write + Send>,
    trips: u32,
) -> Duration {
    time_with(|| threads::ping((&mut near.0, &mut near.1), trips), || threads::pong((&mut far.0, &mut far.1), trips))
}

pub(crate) fn blocking(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (mut near, mut far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::std()?;
    rounds.times(
        label,
        goal,
        |trips| threads_ping_pong(&mut near, &mut far, trips),
        |trips| threads_ping_pong(&mut peer_near, &mut peer_far, trips),
    );
    Ok(())
}

pub(crate) fn op_wait(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    let (near, far) = pairs::ours()?;
    let (mut peer_near, mut peer_far) = pairs::std()?;
    rounds.times(
        label,
        goal,
        |trips| time_with(|| op::ping(&near, trips), || op::pong(&far, trips)),
        |trips| threads_ping_pong(&mut peer_near, &mut peer_far, trips),
    );
    Ok(())
}

pub(crate) fn blocking_bulk(rounds: &Rounds, label: &str, goal: Goal) -> io::Result<()> {
    const BYTES: usize = 65536;
    let block = pattern(BYTES);
    let ((_, mut writer), (mut reader, _)) = pairs::ours()?;
    let ((_, mut peers_writer), (mut peers_reader, _)) = pairs::std()?;
    rounds.throughput(
        label,
        goal,
        BYTES,
        |times| time_with(|| threads::drain(&mut reader, &block, times), || threads::flood(&mut writer, &block, times)),
        |times| {
            time_with(
                || threads::drain(&mut peers_reader, &block, times),
                || threads::flood(&mut peers_writer, &block, times),
            )
        },
    );
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
