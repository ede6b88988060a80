//! Ending a child, and what it has started. Those share its output, so the end of file there shows
//! that all of them have ended.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anonpipe::process::{Child, ChildStdout, Stdio};

use crate::harness::{MOMENT, child, in_time, patience};

/// A child in a group of its own, once it has said that it is ready.
fn grouped(role: &str, args: &[&str]) -> (Child, ChildStdout) {
    let mut child = child(role, args).stdin(Stdio::piped()).stdout(Stdio::piped()).own_group(true).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    until_line(&mut stdout);
    (child, stdout)
}

fn until_line(stdout: &mut ChildStdout) {
    let mut byte = [0];
    while byte != *b"\n" {
        assert_eq!(stdout.read_timeout(&mut byte, patience()).unwrap(), 1, "its line");
    }
}

#[track_caller]
fn all_have_ended(stdout: &ChildStdout) {
    assert_eq!(stdout.read_timeout(&mut [0; 8], patience()).unwrap(), 0);
}

#[track_caller]
fn some_are_alive(stdout: &ChildStdout) {
    assert_eq!(stdout.read_timeout(&mut [0; 8], MOMENT).unwrap_err().kind(), ErrorKind::TimedOut);
}

pub(crate) fn kill_tree_ends_four_generations() {
    let (mut child, stdout) = grouped("generations", &["4"]);
    some_are_alive(&stdout);
    child.kill_tree().unwrap();
    all_have_ended(&stdout);
    assert!(!child.wait().wait().unwrap().success());
    child.kill_tree().unwrap();
}

/// Also after `wait`: the number of the group is still its own.
pub(crate) fn kill_tree_after_the_childs_end() {
    let (mut child, stdout) = grouped("leave_behind", &["gone\n", "sleep", "60000"]);
    assert!(child.wait().wait().unwrap().success());
    some_are_alive(&stdout);
    child.kill_tree().unwrap();
    all_have_ended(&stdout);
}

pub(crate) fn without_a_group_it_says_so() {
    let mut child = child("until_eof", &[]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    for result in [child.kill_tree(), child.terminate()] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("own_group"), "{error}");
    }
    assert!(child.try_wait().unwrap().is_none());
    assert_eq!(child.wait().wait().unwrap().code(), Some(7));
}

pub(crate) fn terminate_asks() {
    let (mut child, stdout) = grouped("deaf", &[]);
    if cfg!(windows)
        && let Err(error) = child.terminate()
    {
        // Without a console there is nothing that could carry the event.
        assert!(error.to_string().starts_with("cannot end a child: "), "{error}");
        return child.kill_tree().unwrap();
    }
    child.terminate().unwrap();
    all_have_ended(&stdout);
    assert!(!child.wait().wait().unwrap().success());
    child.terminate().unwrap();
    let (mut child, stdout) = grouped("stubborn", &[]);
    child.terminate().unwrap();
    some_are_alive(&stdout);
    child.kill_tree().unwrap();
    all_have_ended(&stdout);
}

pub(crate) fn shutdown_by_end_of_file() {
    let (child, _stdout) = grouped("until_eof", &[]);
    let mut call = child.shutdown(patience() * 2);
    assert_eq!(in_time(call.wait_timeout(patience())).unwrap().code(), Some(7));
    let (child, _stdout) = grouped("until_eof", &[]);
    assert_eq!(pollster::block_on(child.shutdown(patience())).unwrap().code(), Some(7));
}

pub(crate) fn shutdown_of_one_that_ignores_everything() {
    let (child, stdout) = grouped("stubborn", &[]);
    let (grace, start) = (Duration::from_millis(150), Instant::now());
    let status = in_time(child.shutdown(grace).wait_timeout(patience())).unwrap();
    assert!(!status.success());
    // On Windows a request needs a console.
    assert!(start.elapsed() >= if cfg!(windows) { grace } else { grace * 2 });
    all_have_ended(&stdout);
    // Without a group there are fewer steps.
    let mut child =
        crate::harness::child("stubborn", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    until_line(child.stdout.as_mut().unwrap());
    let start = Instant::now();
    assert!(!in_time(child.shutdown(grace).wait_timeout(patience())).unwrap().success());
    assert!(start.elapsed() >= grace);
}

pub(crate) fn a_dropped_shutdown_goes_on() {
    let (child, stdout) = grouped("generations", &["3"]);
    drop(child.shutdown(Duration::from_millis(100)));
    all_have_ended(&stdout);
}

pub(crate) fn a_dropped_child_goes_on() {
    let mut child = child("cat", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    drop(child);
    some_are_alive(&stdout);
    stdin.write_all(b"still there").unwrap();
    let mut answer = [0; 20];
    assert_eq!(stdout.read_timeout(&mut answer, patience()).unwrap(), 11);
    drop(stdin);
    all_have_ended(&stdout);
}

pub(crate) fn a_dropped_child_is_killed_if_asked() {
    let mut command = child("deaf", &[]);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    assert!(command.get_kill_on_drop());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    until_line(&mut stdout);
    drop(child);
    all_have_ended(&stdout);
    // With its group.
    let mut command = crate::harness::child("generations", &["3"]);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).own_group(true).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    until_line(&mut stdout);
    drop(child);
    all_have_ended(&stdout);
}

/// Starts a parent, and ends it; returns the output of its child.
fn orphan_of(parent: &str) -> ChildStdout {
    let mut parent = child("parent", &[parent]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = parent.stdout.take().unwrap();
    until_line(&mut stdout);
    // The thread that started it has ended, and the process has not.
    some_are_alive(&stdout);
    let mut stdin = parent.stdin.take().unwrap();
    stdin.write_all(b"end\n").unwrap();
    assert!(in_time(parent.wait().wait_timeout(patience())).unwrap().success());
    stdout
}

pub(crate) fn a_child_that_dies_with_its_parent() {
    if cfg!(not(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd"))) {
        let error = child("deaf", &[]).die_with_parent(true).spawn().unwrap_err();
        return assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    all_have_ended(&orphan_of("die"));
}

pub(crate) fn a_child_that_does_not_die_with_its_parent() {
    let stdout = orphan_of("live");
    some_are_alive(&stdout);
}

/// Only the parent's end is to end it; and what outlived the child outlives the parent's interest.
pub(crate) fn dropping_one_that_dies_with_its_parent_ends_nothing() {
    if cfg!(not(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd"))) {
        return;
    }
    let mut command = child("say_late", &["alive\n", "1500", "and well\n"]);
    let mut child = command.stdout(Stdio::piped()).die_with_parent(true).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    until_line(&mut stdout);
    drop(child);
    until_line(&mut stdout);
    all_have_ended(&stdout);
    let mut command = crate::harness::child("leave_behind", &["gone\n", "say_late", "", "1000", "left behind\n"]);
    let mut child = command.stdout(Stdio::piped()).die_with_parent(true).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    until_line(&mut stdout);
    assert!(child.wait().wait().unwrap().success());
    drop(child);
    until_line(&mut stdout);
    all_have_ended(&stdout);
}
