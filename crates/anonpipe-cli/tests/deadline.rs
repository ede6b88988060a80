//! A run that was ended comes to its end, even if our own streams and the command's heirs block.
#![cfg(unix)]
mod common;

use std::io::{PipeReader, Read, pipe};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use common::*;

/// Both our outputs on one pipe, which the test has to read.
#[track_caller]
fn start_on_one_pipe(mut command: Command) -> (std::process::Child, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    command.stdin(Stdio::null()).stdout(writer.try_clone().expect("a clone")).stderr(writer);
    (spawn(&mut command), reader)
}

#[track_caller]
fn assert_ends(child: std::process::Child, status: i32) {
    assert_ends_within(time_limit(), child, status);
}

#[track_caller]
fn assert_ends_within(limit: Duration, mut child: std::process::Child, status: i32) {
    let started = Instant::now();
    while child.try_wait().expect("ours").is_none() {
        if started.elapsed() > limit {
            let _ = child.kill();
            panic!("it goes on after {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().expect("ours").code(), Some(status));
}

/// There is something to say, and no reader.
#[test]
#[cfg(target_os = "linux")]
fn messages_do_not_delay_the_timeout() {
    let options = ["--timeout", &time(1500), "--stderr", "/dev/full"];
    let script = format!("yes & sleep {}; echo x >&2; sleep {HOUR}", time(500));
    let (child, _reader) = start_on_one_pipe(run_sh(&options, &script));
    assert_ends(child, 124);
}

/// A reader that takes a little now and then does not hold up our end: such a reader would need a
/// quarter of a minute for what is on its way.
#[test]
fn a_trickling_reader_does_not_delay_the_timeout() {
    let mut command = anonpipe();
    command.args(["run", "--timeout", "1", "--", "yes"]);
    let (child, mut reader) = start_on_one_pipe(command);
    thread::spawn(move || {
        while reader.read_exact(&mut [0; 4096]).is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    });
    assert_ends_within(Duration::from_millis(slowly(8000)), child, 124);
}

/// What escaped writes on and on.
#[test]
#[cfg(target_os = "linux")]
fn what_escaped_and_writes_does_not_delay_the_timeout() {
    // Its writes fail when we have gone, and that ends it.
    let escaped = format!("setsid yes & sleep {HOUR}");
    let finished = finish(run_sh(&["--timeout", &time(1000), "--linger", "1h", "--quiet"], &escaped), "");
    assert_eq!(finished.status, 124);
    finished.assert_took(slowly(1000));
}

/// The command still has much to say.
#[test]
fn a_timeout_loses_nothing_of_what_was_written() {
    let script = "trap 'head -c 300000 /dev/zero; exit' TERM; while :; do sleep 0.05; done";
    let finished = finish(run_sh(&["--timeout", &time(500), "--kill-after", "1h"], script), "");
    assert_eq!((finished.status, finished.stdout.len()), (124, 300_000));
    finished.assert_took(slowly(500));
}

/// The last event comes in any case.
#[test]
fn json_tells_of_an_interrupt() {
    // What it leaves behind holds its output open, and does not outlive us by much.
    let script = format!("sleep {} & exit 0", deadline().as_secs());
    let mut running = Running::start(run_sh(&["--json", "--linger", "1h"], &script));
    let start = line(running.child.stdout.as_mut().expect("piped"));
    let start: Value = serde_json::from_str(&start).expect("JSON");
    let command = start["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).expect("a process");
    eventually("the command's end", || test_kill_process(command).is_err());
    let pid = i32::try_from(running.child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::TERM).expect("it lives");
    let finished = running.finish();
    assert_eq!(finished.status, 143);
    finished.assert_took(0);
    let text = finished.text();
    let last: Value = serde_json::from_str(text.lines().last().expect("events")).expect("JSON");
    assert_eq!((&last["event"], &last["code"], &last["status"]), (&"exit".into(), &0.into(), &143.into()));
}

/// A stream of ours that is closed is closed for the command.
#[test]
fn a_closed_standard_error_ends_who_writes_there() {
    let (reader, writer) = pipe().expect("a pipe");
    let mut command = run_sh(&[], "yes >&2");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    let child = spawn(&mut command);
    drop(command);
    drop(reader);
    assert_ends(child, 128 + 13);
}

/// But a copy still wants it.
#[test]
fn a_copy_goes_on_when_standard_error_is_closed() {
    let copy = scratch("copy");
    let (reader, writer) = pipe().expect("a pipe");
    let options = ["--stderr", &copy.to_string_lossy()];
    let mut command = run_sh(&options, "for word in one two three; do echo $word >&2; sleep 0.1; done");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    let child = spawn(&mut command);
    drop(command);
    drop(reader);
    assert_ends(child, 0);
    assert_eq!(contents(&copy), b"one\ntwo\nthree\n");
}

/// A full disk is not the same as a reader that is gone.
#[test]
#[cfg(target_os = "linux")]
fn a_standard_error_that_fails_does_not_end_the_command() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
    let mut command = run_sh(&[], "echo x >&2; sleep 0.1; echo x >&2; exit 4");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(full);
    assert_ends(spawn(&mut command), 4);
}
