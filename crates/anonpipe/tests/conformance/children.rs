//! Pipes to other programs.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anonpipe::{Adopted, Blocking, Driver, End, Overlapped, Reader, Writer};

use crate::child_programs::{converser, copier, mode_reporter, quitter, reporter, waiter};
use crate::harness::{MOMENT, patience, soon};
use crate::system::{Handle, HasHandle, inherited};
use crate::transfer_ways::{LONG, Way, is_cancelled, kind};
use crate::{Backend, test_data};

/// A running child, and our ends of its standard input and output.
pub(crate) struct Conversation {
    pub(crate) child: Child,
    pub(crate) stdin: Writer<Overlapped>,
    pub(crate) stdout: Reader<Overlapped>,
}

/// Starts `command` on two one-way pipes.
pub(crate) fn start(backend: Backend, mut command: Command) -> Conversation {
    let (stdin, childs_stdin) = backend.options().client(End::blocking()).outbound().unwrap();
    let (stdout, childs_stdout) = backend.options().client(End::blocking()).inbound().unwrap();
    let child = command.stdin(childs_stdin).stdout(childs_stdout).spawn();
    // The command holds copies of the child's ends, which would hide the end of file.
    drop(command);
    Conversation { child: child.expect("the child"), stdin, stdout }
}

/// Feeds `input` to a child while it reads what comes; returns all of that when the child has
/// ended.
pub(crate) fn filter(backend: Backend, command: Command, input: &[u8]) -> Vec<u8> {
    let Conversation { mut child, stdin, stdout } = start(backend, command);
    let mut output = Vec::new();
    thread::scope(|scope| {
        scope.spawn(move || (&stdin).write_all(input).expect("the child reads it all"));
        (&stdout).read_to_end(&mut output).unwrap();
    });
    assert!(child.wait().unwrap().success());
    output
}

pub(crate) fn a_child_copies_megabytes(backend: Backend) {
    const TOTAL: usize = 8 << 20;
    let Some(command) = copier() else { return };
    let found = filter(backend, command, &test_data::bytes(0, TOTAL));
    assert_eq!(found.len(), TOTAL);
    test_data::check(0, &found);
}

/// All of its input is one operation.
pub(crate) fn a_child_copies_one_large_write(backend: Backend) {
    const TOTAL: usize = 64 << 20;
    let Some(command) = copier() else { return };
    let Conversation { mut child, stdin, stdout } = start(backend, command);
    let op = stdin.submit_write(test_data::bytes(0, TOTAL));
    drop(stdin);
    let mut found = Vec::with_capacity(TOTAL);
    (&stdout).read_to_end(&mut found).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!((found.len(), op.wait().0.unwrap()), (TOTAL, TOTAL));
    test_data::check(0, &found);
}

pub(crate) fn a_child_answers_line_by_line(backend: Backend) {
    let Some(command) = converser() else { return };
    let Conversation { mut child, stdin, stdout } = start(backend, command);
    for word in ["one", "two", "three"] {
        (&stdin).write_all(format!("{word}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with('\n') {
            let mut bytes = [0; 50];
            let count = stdout.read_timeout(&mut bytes, LONG).unwrap();
            assert_ne!(count, 0, "the child ended after {answer:?}");
            answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        assert_eq!(answer.trim_end(), format!("you said {word}"));
        assert_eq!(kind(stdout.read_timeout(&mut [0; 50], MOMENT)), ErrorKind::TimedOut, "a quiet child");
    }
    drop(stdin);
    assert_eq!((&stdout).read(&mut [0; 50]).unwrap(), 0);
    assert!(child.wait().unwrap().success());
}

/// Standard input and output on one duplex pipe.
pub(crate) fn a_child_on_a_duplex_pipe(backend: Backend) {
    let Some(mut command) = converser() else { return };
    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let mut child = command.stdin(theirs.try_clone().unwrap()).stdout(theirs).spawn().unwrap();
    drop(command);
    for word in ["ping", "pong"] {
        (&ours).write_all(format!("{word}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with('\n') {
            let (result, bytes) = ours.submit_read(vec![0; 50]).wait();
            answer.push_str(std::str::from_utf8(&bytes[..result.unwrap()]).unwrap());
        }
        assert_eq!(answer.trim_end(), format!("you said {word}"));
    }
    if cfg!(unix) {
        ours.shutdown_write().unwrap();
        assert_eq!((&ours).read(&mut [0; 50]).unwrap(), 0);
    } else {
        // There is no half-close, so the child learns of the end from the whole one.
        drop(ours);
    }
    assert!(child.wait().unwrap().success());
}

pub(crate) fn a_child_that_does_not_read(backend: Backend) {
    let Conversation { mut child, stdin, stdout } = start(backend, quitter());
    let error = (&stdin).write_all(&vec![0; 3_000_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!((&stdout).read(&mut [0; 50]).unwrap(), 0);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(Way::Submit.read(&stdout, 50).unwrap(), b"");
}

pub(crate) fn a_child_of_somebody_else_does_not_hold_the_pipe(backend: Backend) {
    for inheritable_peer in [false, true] {
        let (reader, writer) =
            backend.options().server(End::overlapped().inheritable(inheritable_peer)).inbound().unwrap();
        let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
        let mut child = waiter().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (start, keep) = (Instant::now(), child.stdin.take());
        drop(writer);
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 0, "the end of file");
        drop(theirs);
        assert_eq!(ours.submit_read(vec![0; 8]).wait().0.unwrap(), 0, "the end of file");
        assert!(child.try_wait().unwrap().is_none(), "the other child must be alive for this to mean something");
        assert!(start.elapsed() < patience());
        drop(keep);
        child.wait().unwrap();
    }
}

/// As when two threads start children at the same time.
pub(crate) fn children_started_at_once_do_not_hold_each_others_pipes(backend: Backend) {
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                for round in 0..4 {
                    let Some(command) = copier() else { return };
                    let text = format!("thread {thread}, round {round}");
                    assert_eq!(filter(backend, command, text.as_bytes()), text.as_bytes());
                }
            });
        }
    });
}

pub(crate) fn an_inheritable_end_reaches_a_child_by_number(backend: Backend) {
    let (reader, writer) = backend.options().client(End::blocking().inheritable(true)).inbound().unwrap();
    let Some(mut command) = reporter(writer.number(), "by number") else { return };
    assert!(command.status().unwrap().success());
    drop(writer);
    let mut all = String::new();
    (&reader).read_to_string(&mut all).unwrap();
    assert_eq!(all, "by number");
}

pub(crate) fn a_private_end_does_not_reach_a_child(backend: Backend) {
    let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let Some(mut command) = reporter(writer.number(), "by number") else { return };
    let _ = command.stderr(Stdio::null()).status().unwrap();
    assert_eq!(kind(reader.read_timeout(&mut [0; 50], MOMENT)), ErrorKind::TimedOut);
}

/// Of all handles that the library makes, in any of its calls: the ends, and those that it needs
/// itself.
pub(crate) fn nothing_is_inherited_but_what_was_asked_for(backend: Backend) {
    let before = inherited();
    let driver = Driver::new().unwrap();
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    for capacity in [None, Some(10_000)] {
        let options = || match capacity {
            None => backend.options(),
            Some(capacity) => backend.options().capacity(capacity),
        };
        let (ours, theirs) = options().client(End::blocking()).duplex().unwrap();
        let (reader, writer) = options().inbound().unwrap();
        let (attached, attached_peer) = backend.pipe();
        attached.attach(&driver).unwrap();
        // The driver's thread, this thread's own waits, and a driver that this thread turns.
        let pending = reader.submit_read(vec![0; 8]);
        let turned = attached.submit_read(vec![0; 8]);
        assert_eq!(kind(ours.read_timeout(&mut [0; 8], MOMENT)), ErrorKind::TimedOut);
        driver.turn(Some(MOMENT)).unwrap();
        let (ours_too, theirs_too) = (ours.try_clone().unwrap(), theirs.try_clone().unwrap());
        let as_handle = Handle::from(theirs_too);
        let handle_too = as_handle.try_clone().unwrap();
        assert_eq!(inherited(), before, "while everything is in use");
        kept.push(Box::new((ours.split(), ours_too, theirs, writer, attached_peer, pending, turned)));
        kept.push(Box::new((as_handle, handle_too, reader, attached)));
    }
    let (asked_for, _peer) = backend.options().server(End::overlapped().inheritable(true)).inbound().unwrap();
    let mut expected = before;
    expected.push(asked_for.number());
    expected.sort_unstable();
    let mut found = inherited();
    found.sort_unstable();
    assert_eq!(found, expected, "one more");
}

pub(crate) fn an_end_in_use_by_a_child_ends_with_it(backend: Backend) {
    let Conversation { mut child, stdin, stdout } = start(backend, waiter());
    let op = stdout.submit_read(vec![0; 8]);
    thread::sleep(MOMENT);
    assert!(!op.is_complete());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(op.wait().0.unwrap(), 0);
    soon("the writer's news", || (&stdin).write(b"x").is_err_and(|error| error.kind() == ErrorKind::BrokenPipe));
}

/// What it had written is read, in order, and then comes the end of file; and what it had not read
/// is a broken pipe. Killed while it waits for us to read, and while we read.
pub(crate) fn a_child_killed_in_mid_write_leaves_what_it_wrote(backend: Backend) {
    const FED: usize = 2_000_000;
    for while_it_waits in [true, false] {
        let Some(command) = copier() else { return };
        let Conversation { mut child, stdin, stdout } = start(backend, command);
        let feed = stdin.submit_write(test_data::bytes(0, FED));
        let mut all = Way::Submit.read(&stdout, 50_000).unwrap();
        if while_it_waits {
            // Nothing moves any more.
            let (mut before, mut still) = (0, 0);
            soon("a child that waits", || {
                let now = stdout.bytes_available().unwrap();
                still = if now > 0 && now == before { still + 1 } else { 0 };
                before = now;
                still == 50
            });
        } else {
            while all.len() < FED / 4 {
                all.extend(Way::Std.read(&stdout, 10_000).unwrap());
            }
        }
        assert!(!feed.is_complete(), "the child must be in the middle for this to mean something");
        child.kill().unwrap();
        child.wait().unwrap();
        (&stdout).read_to_end(&mut all).unwrap();
        assert!((1..FED).contains(&all.len()), "{} bytes", all.len());
        test_data::check(0, &all);
        assert_eq!(kind(feed.wait().0), ErrorKind::BrokenPipe);
    }
}

/// What a child says of its standard input and output: see [`mode_reporter`].
const AS_A_CHILD_WANTS_THEM: &str = "stdin waits\nstdout waits\n";

/// Starts a child that waits for a line and then says whether its handles wait; `use_ours` is
/// called while it is there.
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

fn blocking_reader(handle: Handle) -> Reader<Blocking> {
    let Adopted::Blocking(reader) = Reader::adopt(handle).unwrap() else { panic!("it is overlapped") };
    reader
}

fn blocking_writer(handle: Handle) -> Writer<Blocking> {
    let Adopted::Blocking(writer) = Writer::adopt(handle).unwrap() else { panic!("it is overlapped") };
    writer
}

/// An end that an unrelated child inherited by accident would keep the pipe open until that child
/// ends (swiftlang/swift-tools-support-core#560, boostorg/process#282,
/// brettwooldridge/NuProcess#162, joyent/libuv#343).
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
        // Also while the pair is being made.
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

/// `O_NONBLOCK` belongs to all who share the description, and most programs take its answers for
/// errors (python-trio/trio#1707, ponylang/ponyc#1003, moonbitlang/async#553); an overlapped handle
/// has the same effect on Windows.
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
