//! Pipes to other programs.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use anonpipe::{End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::child_programs::{converser, copier, quitter, reporter, waiter};
use crate::harness::{MOMENT, patience, soon};
use crate::system::HasHandle;
use crate::test_data;
use crate::transfer_ways::{LONG, Way, kind};

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
    // With the command go its copies of the child's ends, which would hide the end of file.
    drop(command);
    Conversation { child: child.expect("the child"), stdin, stdout }
}

/// Feeds `input` to a child while it reads what comes; returns all of that when the child has ended.
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
