//! What a child writes, collected.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use anonpipe::process::{Ended, OnLimit, Output, Stdio, Unfinished};

use crate::harness::{child, in_time, patience, soon};

fn collected(command: &mut anonpipe::process::Command) -> Output {
    let mut call = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    in_time(call.wait_timeout(patience())).unwrap()
}

pub(crate) fn two_full_pipes_do_not_deadlock() {
    const TOTAL: usize = 3_000_000;
    let output = collected(&mut child("both", &[&TOTAL.to_string()]));
    assert!(output.status.success());
    assert_eq!((output.stdout.len(), output.stderr.len()), (TOTAL, TOTAL));
    assert!(output.stdout.iter().all(|&byte| byte == b'o') && output.stderr.iter().all(|&byte| byte == b'e'));
    assert!(!output.truncated.any() && output.held_open.is_none() && output.ended == Ended::Exited);
    let output = pollster::block_on(child("both", &["300000"]).stderr(Stdio::piped()).output()).unwrap().into_std();
    assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
}

pub(crate) fn input_is_written_while_output_is_read() {
    let input: Vec<u8> = (0..5_000_000_u32).map(|index| (index % 251) as u8).collect();
    let mut command = child("cat", &[]);
    command.input(input.clone());
    for _ in 0..2 {
        assert!(collected(&mut command).stdout == input, "each child gets it");
    }
    assert_eq!(collected(child("cat", &[]).input("")).stdout, b"");
}

pub(crate) fn input_that_is_not_read_is_dropped() {
    let output = collected(child("say", &["enough"]).input(vec![0; 3_000_000]));
    assert_eq!(output.stdout, b"enough");
    assert!(child("exit", &["3"]).input(vec![0; 3_000_000]).status().wait().unwrap().code() == Some(3));
}

pub(crate) fn merged_output_is_in_order() {
    let expected: String = (0..200).map(|line| format!("{line}\n")).collect();
    let output = collected(child("by_turns", &["200"]).merge_stderr(true));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(output.stderr.is_empty());
    let mut spawned = child("by_turns", &["200"]);
    let mut spawned = spawned.merge_stderr(true).stdout(Stdio::piped()).spawn().unwrap();
    assert!(spawned.stderr.is_none());
    let mut all = String::new();
    spawned.stdout.take().unwrap().read_to_string(&mut all).unwrap();
    assert_eq!(all, expected);
}

pub(crate) fn what_is_beyond_the_limit_is_left_out() {
    let output = collected(child("both", &["200000"]).output_limit(1500));
    assert!(output.status.success(), "it is not disturbed");
    assert_eq!((output.stdout.len(), output.stderr.len()), (1500, 1500));
    assert_eq!((output.truncated.stdout, output.truncated.stderr), (198_500, 198_500));
    assert!(output.truncated.any());
    let output = collected(child("say", &["exactly"]).output_limit(7));
    assert_eq!(output.stdout, b"exactly");
    assert!(!output.truncated.any());
}

pub(crate) fn a_limit_ends_the_tree() {
    let mut command = child("leave_behind", &["12345", "chatter", "1", "60000"]);
    command.output_limit(100).on_limit(OnLimit::End).linger(patience());
    let start = Instant::now();
    // The child ends by itself; what it left behind is no longer its business.
    let mut talker = child("chatter", &["1", "60000"]);
    talker.output_limit(100).on_limit(OnLimit::End);
    let output = collected(&mut talker);
    assert_eq!((output.stdout.len(), output.ended), (100, Ended::Limit));
    assert!(!output.status.success());
    assert!(output.truncated.stdout > 0);
    assert!(start.elapsed() < patience());
}

/// tokio's and std's `output` wait for the grandchild.
pub(crate) fn a_grandchild_that_holds_the_output() {
    let mut command = child("leave_behind", &["hi", "say_late", "", "3000", "late"]);
    command.linger(Duration::from_millis(100));
    let start = Instant::now();
    let output = collected(&mut command);
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    assert!(output.status.success());
    assert_eq!(output.stdout, b"hi");
    // What it writes later can be read.
    let held = output.held_open.expect("it is held open");
    let mut all = String::new();
    held.stdout.expect("the output").read_to_string(&mut all).unwrap();
    assert_eq!(all, "late");
    assert!(held.stderr.is_some());
}

pub(crate) fn what_comes_within_the_linger_time_is_taken() {
    let mut command = child("leave_behind", &["hi ", "say_late", "", "300", "late"]);
    let output = collected(command.linger(patience()));
    assert_eq!(output.stdout, b"hi late");
    assert!(output.held_open.is_none(), "it came to the end of file");
    // Anew with each line, for longer than the time.
    let mut command = child("leave_behind", &["", "chatter", "100", "12"]);
    command.linger(Duration::from_millis(500)).linger_while_data_comes(true);
    let output = collected(&mut command);
    assert_eq!(output.stdout.len(), 5 * 12);
    assert!(output.held_open.is_none());
}

/// Also what was in the pipe when the child ended, and was not told of yet.
pub(crate) fn nothing_that_was_written_is_lost_without_linger() {
    for size in ["1", "5000", "60000"] {
        for _ in 0..20 {
            let output = collected(child("both", &[size]).linger(Duration::ZERO));
            let size = size.parse::<usize>().unwrap();
            assert_eq!((output.stdout.len(), output.stderr.len()), (size, size));
        }
    }
}

pub(crate) fn a_timeout_has_the_output_so_far() {
    let mut command = child("say_late", &["so far", "60000", "never"]);
    command.timeout(Duration::from_millis(1500)).stderr(Stdio::piped());
    let start = Instant::now();
    let error = in_time(command.output().wait_timeout(patience())).unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(Unfinished::of(&error).unwrap().output().stdout, b"so far");
    let output = Unfinished::into_output(error).unwrap();
    assert_eq!(output.ended, Ended::TimedOut);
    assert!(!output.status.success());
    assert!(output.held_open.is_none());
    // With what it has started: they hold the output, so its end shows theirs.
    let mut command = child("generations", &["4"]);
    command.timeout(Duration::from_millis(3000)).linger(patience());
    let error = in_time(command.output().wait_timeout(patience())).unwrap_err();
    let output = Unfinished::into_output(error).unwrap();
    assert_eq!(output.stdout, b"all there\n");
    assert!(output.held_open.is_none());
    // And without an output.
    let mut command = child("sleep", &["60000"]);
    let error = command.timeout(Duration::from_millis(100)).status().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = pollster::block_on(command.status()).unwrap_err();
    assert_eq!(error.to_string(), "the time was up, and the child was ended");
    let other = std::io::Error::other("x");
    assert!(Unfinished::of(&other).is_none());
    assert_eq!(Unfinished::into_output(other).unwrap_err().to_string(), "x");
}

pub(crate) fn a_timeout_after_the_end_changes_nothing() {
    // The grandchild is read for longer than the child may take.
    let mut command = child("leave_behind", &["hi ", "say_late", "", "1500", "late"]);
    command.timeout(patience().min(Duration::from_millis(1200))).linger(patience());
    match command.output().wait() {
        Ok(output) => assert_eq!((output.stdout.as_slice(), output.ended), (b"hi late".as_slice(), Ended::Exited)),
        // A machine that takes so long to start a program decides nothing here.
        Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
    }
}

pub(crate) fn a_silent_child_is_idle() {
    let mut command = child("say_late", &["word", "60000", "never"]);
    let error =
        in_time(command.idle_timeout(Duration::from_millis(1500)).output().wait_timeout(patience())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let output = Unfinished::into_output(error).unwrap();
    assert_eq!((output.stdout.as_slice(), output.ended), (b"word".as_slice(), Ended::Idle));
}

pub(crate) fn one_that_talks_is_not_idle() {
    let output = collected(child("chatter", &["150", "15"]).idle_timeout(Duration::from_millis(2000)));
    assert_eq!((output.stdout.len(), output.ended), (15 * 5, Ended::Exited));
}

pub(crate) fn a_dropped_output_ends_the_child() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = child("deaf", &[]);
    let call = command.stdout(writer).output();
    let mut ready = [0; 6];
    reader.read_exact(&mut ready).unwrap();
    drop(call);
    assert_eq!(reader.read(&mut ready).unwrap(), 0, "it has ended");
    // The same for a status.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let call = command.stdout(writer).status();
    reader.read_exact(&mut ready).unwrap();
    drop(call);
    assert_eq!(reader.read(&mut ready).unwrap(), 0, "it has ended");
}

pub(crate) fn output_honours_what_was_set() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let output = child("both", &["5"]).stdout(writer).stderr(Stdio::piped()).output().wait().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 5));
    let mut all = Vec::new();
    soon("the end of file", || reader.read_to_end(&mut all).is_ok());
    assert_eq!(all, b"ooooo");
}
