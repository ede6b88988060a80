//! Defects that others had, kept from being had here: children. Each rule has a process of its own.
//!
//! Each rule names the public reports that it goes back to, as `owner/repository#number`.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anonpipe::{Adopted, Blocking, End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::child_programs::{mode_reporter, waiter};
use crate::harness::{MOMENT, patience};
use crate::system::{Handle, HasHandle};
use crate::transfer_ways::is_cancelled;

/// What another child has inherited by accident keeps a pipe open that has nothing to do with it, until that child ends
/// (swiftlang/swift-tools-support-core#560, boostorg/process#282, brettwooldridge/NuProcess#162, joyent/libuv#343).
pub(crate) fn an_unrelated_spawn_does_not_delay_the_end(backend: Backend) {
    const SPAWNS: usize = 12;
    // They live until we let go of their standard input.
    let spawn = || waiter().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let others: Mutex<Vec<Child>> = Mutex::default();
    let spawning = AtomicBool::new(true);
    let pairs = |between: &dyn Fn()| {
        let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
        let (ours, theirs) = backend.duplex();
        let (mut read, mut answer) = (reader.submit_read(vec![0; 8]), ours.submit_read(vec![0; 8]));
        between();
        drop((writer, theirs));
        for op in [&mut read, &mut answer] {
            let (result, _) = op.wait_timeout(patience()).expect("the end of file");
            assert_eq!(result.unwrap(), 0);
        }
    };
    for _ in 0..2 {
        pairs(&|| others.lock().unwrap().push(spawn()));
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..SPAWNS {
                let child = spawn();
                others.lock().unwrap().push(child);
            }
            spawning.store(false, Ordering::Release);
        });
        // Also in the midst of being made.
        let mut rounds = 0;
        while spawning.load(Ordering::Acquire) || rounds < 50 {
            pairs(&|| {});
            rounds += 1;
        }
    });
    for mut child in others.into_inner().unwrap() {
        assert!(child.try_wait().unwrap().is_none(), "it must be alive for this to mean something");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// What a child says of its standard input and output: see [`mode_reporter`].
const AS_A_CHILD_WANTS_THEM: &str = "stdin waits\nstdout waits\n";

/// Starts a child that waits for a line and then says whether its handles wait; `use_ours` is called while it is there.
pub(crate) fn modes_while(
    childs: (Reader<Blocking>, Writer<Blocking>),
    ours: (impl Write, impl Read),
    use_ours: impl FnOnce(),
) {
    assert!(!childs.0.is_overlapped() && !childs.1.is_overlapped());
    let Some(mut command) = mode_reporter() else { return };
    let child = command.stdin(childs.0).stdout(childs.1).spawn();
    drop(command);
    let (mut child, (mut stdin, mut stdout)) = (child.unwrap(), ours);
    use_ours();
    stdin.write_all(b"now\n").unwrap();
    drop(stdin);
    let mut all = String::new();
    stdout.read_to_string(&mut all).unwrap();
    assert_eq!(all.replace("\r\n", "\n"), AS_A_CHILD_WANTS_THEM);
    assert!(child.wait().unwrap().success());
}

/// `O_NONBLOCK` belongs to whoever shares the description, and most programs take its answers for errors
/// (python-trio/trio#1707, ponylang/ponyc#1003, moonbitlang/async#553); an overlapped handle has the same effect on Windows.
pub(crate) fn a_childs_handles_wait_whatever_ours_do(backend: Backend) {
    let pairs = || {
        let (stdin, childs_stdin) = backend.options().client(End::blocking()).outbound().unwrap();
        let (stdout, childs_stdout) = backend.options().client(End::blocking()).inbound().unwrap();
        (stdin, childs_stdin, stdout, childs_stdout)
    };
    let (stdin, childs_stdin, stdout, childs_stdout) = pairs();
    let pending = stdout.try_clone().unwrap();
    modes_while((childs_stdin, childs_stdout), (&stdin, &stdout), || {
        let op = pending.submit_read(vec![0; 8]);
        thread::sleep(MOMENT);
        op.cancel();
        assert!(is_cancelled(&op.wait().0));
    });

    // Through the system's handles, and adopted again.
    let (stdin, childs_stdin, stdout, childs_stdout) = pairs();
    let stdin = Writer::<Overlapped>::try_from(Handle::try_from(stdin).unwrap()).unwrap();
    let stdout = Reader::<Overlapped>::try_from(Handle::try_from(stdout).unwrap()).unwrap();
    assert!(stdin.is_overlapped() && stdout.is_overlapped());
    modes_while(
        (blocking_reader(childs_stdin.into()), blocking_writer(childs_stdout.into())),
        (&stdin, &stdout),
        || {},
    );

    // The system's own pipes, of which the child gets one side.
    let ((childs_stdin, stdin), (stdout, childs_stdout)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let (stdin, stdout) = (blocking_writer(stdin.into()), blocking_reader(stdout.into()));
    let childs = (blocking_reader(childs_stdin.into()), blocking_writer(childs_stdout.into()));
    modes_while(childs, (stdin, stdout), || {});
}

fn blocking_reader(handle: Handle) -> Reader<Blocking> {
    let Adopted::Blocking(reader) = Reader::adopt(handle).unwrap() else { panic!("it is overlapped") };
    reader
}

fn blocking_writer(handle: Handle) -> Writer<Blocking> {
    let Adopted::Blocking(writer) = Writer::adopt(handle).unwrap() else { panic!("it is overlapped") };
    writer
}
