//! Makes each way of talking go through a known number of round trips, between two marks, so that
//! the requests to Wine's server can be counted in the server's own log. `benches/figures` does the
//! counting.
//!
//! A mark is the attempt to open a pipe that does not exist: the server logs its name.

#[cfg(not(windows))]
fn main() {
    eprintln!("bench-requests: there is a server to count requests to under Wine only");
    std::process::exit(2);
}

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    windows::main()
}

#[cfg(windows)]
mod windows {
    use std::fs::File;
    use std::io;
    use std::thread;

    use anonpipe::Driver;
    use anonpipe_benches::pairs;
    use anonpipe_benches::talk::{blocking, op, pattern, with_futures, with_tokio};
    use futures::executor::block_on;
    use tokio::runtime::{Builder, Runtime};

    /// Round trips before counting starts, by when every thread has its event and every end its
    /// binding; and after it ended, so that no thread's end is counted.
    const AROUND: u32 = 50;
    const PAIRS: usize = 50;

    /// Counts what `f` does, which stands for `units` of what is counted.
    fn count<T>(name: &str, units: usize, f: impl FnOnce() -> T) -> T {
        mark(&format!("begin {name} {units}"));
        let result = f();
        mark(&format!("end {name}"));
        result
    }

    fn mark(name: &str) {
        let opened = File::open(format!(r"\\.\pipe\anonpipe-bench {name}"));
        assert!(opened.is_err(), "there is a pipe of the name of a mark");
    }

    struct Trips(u32);

    impl Trips {
        /// `talk` makes as many round trips as it is told.
        fn count(&self, name: &str, mut talk: impl FnMut(u32)) {
            talk(AROUND);
            count(name, self.0 as usize, || talk(self.0));
            talk(AROUND);
        }

        /// The same with the other side in a thread of its own.
        fn count_threads(&self, name: &str, near: impl FnMut(u32), far: impl FnOnce(u32) + Send) {
            thread::scope(|scope| {
                scope.spawn(|| far(AROUND + self.0 + AROUND));
                self.count(name, near);
            });
        }
    }

    pub(super) fn main() -> io::Result<()> {
        let trips = match std::env::args().nth(1).map(|trips| trips.parse()) {
            None => Trips(200),
            Some(Ok(trips)) => Trips(trips),
            Some(Err(_)) => return Err(io::Error::other("usage: bench-requests [TRIPS]")),
        };
        blocking_threads(&trips)?;
        operations(&trips)?;
        on_own_executors(&trips)?;
        with_tokios(&trips)?;
        in_two_threads(&trips)?;
        with_children(&trips)?;
        bulk(&Trips(trips.0 / 10))?;
        bulk_with_children(&trips)?;
        made_pairs()
    }

    fn blocking_threads(trips: &Trips) -> io::Result<()> {
        let (near, far) = anonpipe::duplex()?;
        let ping = |trips| blocking::ping((&near, &near), trips);
        trips.count_threads("blocking", ping, |trips| blocking::pong((&far, &far), trips));
        let (near, far) = pairs::std()?;
        let ping = |trips| blocking::ping((&near.0, &near.1), trips);
        trips.count_threads("std::io::pipe", ping, |trips| blocking::pong((&far.0, &far.1), trips));
        Ok(())
    }

    fn operations(trips: &Trips) -> io::Result<()> {
        let (near, far) = pairs::ours()?;
        trips.count_threads("Op::wait", |trips| op::ping(&near, trips), |trips| op::pong(&far, trips));
        Ok(())
    }

    fn on_own_executors(trips: &Trips) -> io::Result<()> {
        let (mut near, mut far) = pairs::ours()?;
        trips.count("futures' block_on", |trips| block_on(with_futures::both(&mut near, &mut far, trips)));
        let driver = Driver::new()?;
        let (mut near, mut far) = pairs::ours_on(&driver, &driver)?;
        trips.count("Driver::block_on", |trips| driver.block_on(with_futures::both(&mut near, &mut far, trips)));
        Ok(())
    }

    fn runtime() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_io().build()
    }

    fn with_tokios(trips: &Trips) -> io::Result<()> {
        let runtime = runtime()?;
        let (mut near, mut far) = pairs::ours()?;
        trips.count("tokio", |trips| runtime.block_on(with_tokio::both(&mut near, &mut far, trips)));
        let (mut near, mut far) = pairs::tokios(&runtime, &runtime)?;
        trips.count("tokio's named pipe", |trips| runtime.block_on(with_tokio::both(&mut near, &mut far, trips)));
        Ok(())
    }

    /// Each side in a thread of its own, so that a task does not find what the other one in its
    /// thread has just written.
    fn in_two_threads(trips: &Trips) -> io::Result<()> {
        let (mut near, mut far) = pairs::ours()?;
        let ping = |trips| block_on(with_futures::ping(&mut near, trips));
        trips.count_threads("futures' block_on x2", ping, |trips| block_on(with_futures::pong(&mut far, trips)));
        let drivers = [Driver::new()?, Driver::new()?];
        let (mut near, mut far) = pairs::ours_on(&drivers[0], &drivers[1])?;
        let ping = |trips| drivers[0].block_on(with_futures::ping(&mut near, trips));
        trips.count_threads("Driver::block_on x2", ping, |trips| {
            drivers[1].block_on(with_futures::pong(&mut far, trips));
        });
        let runtimes = [runtime()?, runtime()?];
        let (mut near, mut far) = pairs::ours()?;
        let ping = |trips| runtimes[0].block_on(with_tokio::ping(&mut near, trips));
        trips.count_threads("tokio x2", ping, |trips| runtimes[1].block_on(with_tokio::pong(&mut far, trips)));
        let (mut near, mut far) = pairs::tokios(&runtimes[0], &runtimes[1])?;
        let ping = |trips| runtimes[0].block_on(with_tokio::ping(&mut near, trips));
        trips.count_threads("tokio's named pipe x2", ping, |trips| {
            runtimes[1].block_on(with_tokio::pong(&mut far, trips));
        });
        Ok(())
    }

    /// What this process and its child ask for.
    fn with_children(trips: &Trips) -> io::Result<()> {
        let (runtime, peers_runtime) = (runtime()?, runtime()?);
        let (mut child, mut side) = pairs::our_child()?;
        trips.count("child, tokio", |trips| runtime.block_on(with_tokio::ping(&mut side, trips)));
        drop(side);
        child.wait()?;
        let (mut child, mut side) = pairs::tokios_child(&peers_runtime)?;
        trips.count("child, tokio::process", |trips| peers_runtime.block_on(with_tokio::ping(&mut side, trips)));
        drop(side);
        peers_runtime.block_on(child.wait())?;
        let (mut child, mut side) = pairs::child_on_named_pipe(&peers_runtime)?;
        trips.count("child, tokio's named pipe", |trips| peers_runtime.block_on(with_tokio::ping(&mut side, trips)));
        drop((side, peers_runtime));
        child.wait()?;
        Ok(())
    }

    /// For each 64 KiB there and back.
    fn bulk_with_children(trips: &Trips) -> io::Result<()> {
        let block = pattern(65536);
        let (runtime, peers_runtime) = (runtime()?, runtime()?);
        let (mut child, mut side) = pairs::our_child()?;
        let talk = |times| runtime.block_on(with_tokio::bulk(&mut side.1, &mut side.0, &block, times));
        trips.count("child, 64 KiB, tokio", talk);
        drop(side);
        child.wait()?;
        let (mut child, mut side) = pairs::tokios_child(&peers_runtime)?;
        let talk = |times| peers_runtime.block_on(with_tokio::bulk(&mut side.1, &mut side.0, &block, times));
        trips.count("child, 64 KiB, tokio::process", talk);
        drop(side);
        peers_runtime.block_on(child.wait())?;
        Ok(())
    }

    /// For each MiB; shows where the time of bulk transfers goes.
    fn bulk(trips: &Trips) -> io::Result<()> {
        let block = pattern(1 << 20);
        let runtime = runtime()?;
        let (mut near, mut far) = pairs::ours()?;
        let talk = |times| runtime.block_on(with_tokio::bulk(&mut near.1, &mut far.0, &block, times));
        trips.count("1 MiB, tokio", talk);
        let (mut near, mut far) = pairs::tokios(&runtime, &runtime)?;
        let talk = |times| runtime.block_on(with_tokio::bulk(&mut near.1, &mut far.0, &block, times));
        trips.count("1 MiB, tokio's named pipe", talk);
        Ok(())
    }

    fn made_pairs() -> io::Result<()> {
        fn make<T>(name: &str, pair: impl Fn() -> io::Result<T>) -> io::Result<Vec<T>> {
            count(name, PAIRS, || (0..PAIRS).map(|_| pair()).collect())
        }
        let pairs = make("pair", anonpipe::pipe)?;
        // What the first operation costs more than the second is the binding.
        let write = || pairs.iter().try_for_each(|(_, writer)| writer.submit_write(vec![0]).wait().0.map(drop));
        count("first write", PAIRS, write)?;
        count("second write", PAIRS, write)?;
        make("std's pair", io::pipe)?;
        let runtime = runtime()?;
        make("tokio's pair", || pairs::named(&runtime, &runtime))?;
        Ok(())
    }
}
