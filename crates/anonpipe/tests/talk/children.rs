//! Frames between parent and child, over a duplex pair both of whose ends are overlapped. The child
//! is this program again, with the same test, which finds that it is the child.

use std::env;
use std::process::{self, Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anonpipe::{Duplex, End, Overlapped};

use crate::Backend;
use crate::executor::Executor;
use crate::floods::{Side, exchange, framed, framed_by_compat};
use crate::frames::{ends, noise};
use crate::limit::Limit;

/// Names the test whose child this process is.
const CHILD_OF: &str = "ANONPIPE_TALK_CHILD_OF";

/// The number of the handle that a child inherited.
const HANDLE: &str = "ANONPIPE_TALK_HANDLE";

/// A child of one test must not inherit the inheritable ends of another.
static SPAWN: Mutex<()> = Mutex::new(());

pub(crate) fn frames_over_a_childs_stdin(limit: &Limit, backend: Backend) {
    if is_child(limit) {
        return exchange_as_child(limit, Executor::Tokio, system::standard_input());
    }
    let (ours, child) = start(limit, backend);
    exchange_as_parent(limit, ours, child);
}

pub(crate) fn frames_over_an_inherited_handle(limit: &Limit, backend: Backend) {
    if is_child(limit) {
        let number = env::var(HANDLE).ok().and_then(|number| number.parse().ok()).expect("the number of the handle");
        return exchange_as_child(limit, Executor::Smol, system::inherited(number));
    }
    let (ours, child) = {
        let _alone = SPAWN.lock().unwrap_or_else(PoisonError::into_inner);
        let (ours, theirs) = backend.options().client(End::overlapped().inheritable(true)).duplex().expect("a pair");
        let child = same_test(limit).env(HANDLE, system::number(&theirs).to_string()).stdin(Stdio::null()).spawn();
        (ours, child.expect("the child"))
    };
    exchange_as_parent(limit, ours, child);
}

/// A flush is there for this: what it waited for is not lost when the process ends right after it.
/// The parent reads late.
pub(crate) fn what_a_child_flushed_survives_it(limit: &Limit, backend: Backend) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    // More than the pipe holds, and not more than an end takes at once.
    let bytes = noise().slice(..250_000);
    if is_child(limit) {
        let mut end = system::standard_input();
        return Executor::Tokio.block_on(async {
            limit.doing("flushing, as the child");
            end.write_all(&bytes).await.expect("they are taken");
            end.flush().await.expect("they are written");
            process::exit(0);
        });
    }
    let (mut ours, mut child) = start(limit, backend);
    limit.doing("waiting for the child to write");
    while ours.bytes_available().expect("how many are there") == 0 && child.try_wait().expect("its state").is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(200));
    limit.doing("reading what the child has written");
    let mut found = Vec::new();
    Executor::Tokio.block_on(ours.read_to_end(&mut found)).expect("the bytes and the end of file");
    assert_eq!(found.len(), bytes.len());
    assert!(found == bytes, "other bytes");
    limit.doing("waiting for the child to end");
    assert!(child.wait().expect("how the child ended").success());
}

/// Starts the child, with one end as its standard input.
fn start(limit: &Limit, backend: Backend) -> (Duplex<Overlapped>, Child) {
    let (ours, theirs) = backend.duplex();
    let mut command = same_test(limit);
    command.stdin(theirs.into_stdio_despite_overlapped().expect("it was never used"));
    let _alone = SPAWN.lock().unwrap_or_else(PoisonError::into_inner);
    // With the command goes its copy of the child's end, which would hide the end of file.
    (ours, command.spawn().expect("the child"))
}

fn is_child(limit: &Limit) -> bool {
    env::var(CHILD_OF).is_ok_and(|name| name == limit.name)
}

/// This program, to run the test of that name as its own child.
fn same_test(limit: &Limit) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.args([limit.name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD_OF, limit.name);
    command.stdout(Stdio::null());
    command
}

fn exchange_as_parent(limit: &Limit, ours: Duplex<Overlapped>, mut child: Child) {
    let executor = Executor::Tokio;
    executor.block_on(async {
        limit.doing("exchanging frames with the child");
        let (mut framed, _) = exchange(Side { executor, ours: 1, theirs: 2 }, framed(ours)).await;
        limit.doing("waiting for the end of file from the child");
        ends(&mut framed).await;
    });
    limit.doing("waiting for the child to end");
    let status = child.wait().expect("how the child ended");
    assert!(status.success(), "the child ended with {status}");
}

/// Ends without waiting for the parent.
fn exchange_as_child(limit: &Limit, executor: Executor, end: Duplex<Overlapped>) {
    let side = Side { executor, ours: 2, theirs: 1 };
    limit.doing("exchanging frames, as the child");
    executor.block_on(async {
        match executor {
            Executor::Tokio => drop(exchange(side, framed(end)).await),
            Executor::Smol => drop(exchange(side, framed_by_compat(end)).await),
        }
    });
}

#[cfg(unix)]
mod system {
    use std::io::stdin;
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

    use anonpipe::{Duplex, Overlapped};

    pub(super) fn standard_input() -> Duplex<Overlapped> {
        let copy = stdin().as_fd().try_clone_to_owned().expect("a copy of standard input");
        copy.try_into().expect("an overlapped end")
    }

    pub(super) fn number(end: &Duplex<Overlapped>) -> usize {
        usize::try_from(end.as_raw_fd()).expect("a descriptor is not negative")
    }

    pub(super) fn inherited(number: usize) -> Duplex<Overlapped> {
        let number = i32::try_from(number).expect("a descriptor");
        // SAFETY: the parent made it for this process alone, and said so; nothing else here knows
        // of it.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        fd.try_into().expect("an overlapped end")
    }
}

#[cfg(windows)]
mod system {
    use std::io::stdin;
    use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};

    use anonpipe::{Duplex, Overlapped};

    pub(super) fn standard_input() -> Duplex<Overlapped> {
        let copy = stdin().as_handle().try_clone_to_owned().expect("a copy of standard input");
        copy.try_into().expect("an overlapped end")
    }

    pub(super) fn number(end: &Duplex<Overlapped>) -> usize {
        end.as_raw_handle().addr()
    }

    pub(super) fn inherited(number: usize) -> Duplex<Overlapped> {
        let handle = std::ptr::with_exposed_provenance_mut(number);
        // SAFETY: the parent made it for this process alone, and said so; nothing else here knows
        // of it.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        handle.try_into().expect("an overlapped end")
    }
}
