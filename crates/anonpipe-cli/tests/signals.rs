//! Signals on Unix: what reaches the command, in each state of it and of ours.
#![cfg(unix)]
mod common;

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use common::*;

fn signal(running: &Running, signal: Signal) {
    let pid = i32::try_from(running.child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it lives");
}

/// Reads a line of the command's output.
fn output_line(running: &mut Running) -> String {
    line(running.child.stdout.as_mut().expect("piped"))
}

/// `anonpipe run OPTIONS -- python3 -c SCRIPT`.
fn run_python(options: &[&str], script: &str) -> Command {
    let mut command = anonpipe();
    command.arg("run").args(options).args(["--", "python3", "-c", script]);
    command
}

/// Such as a command that has read from a terminal in the background.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_a_command_that_is_stopped() {
    for number in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let mut running = Running::start(run_sh(&[], "echo $$; kill -STOP $$; sleep 3600"));
        let stat = format!("/proc/{}/stat", output_line(&mut running));
        let is_stopped = || std::fs::read_to_string(&stat).unwrap_or_default().contains(") T ");
        eventually("the command's stop", is_stopped);
        signal(&running, number);
        assert_eq!(running.wait(), 128 + number.as_raw());
    }
}

#[test]
fn a_command_that_left_its_group_is_ended_in_time() {
    let script = "import os, time; os.setpgid(0, os.getpgid(os.getppid())); time.sleep(3600)";
    let options = ["--timeout", &time(3000), "--kill-after", "1h"];
    let finished = finish(run_python(&options, script), "");
    assert_eq!(finished.status, 124);
    finished.assert_took(slowly(3000));
}

/// It does not escape by a process group of its own, nor by ignoring SIGTERM.
#[test]
fn a_command_that_left_its_group_is_killed() {
    let script = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);
os.setpgid(0, os.getpgid(os.getppid())); time.sleep(3600)";
    let finished = finish(run_python(&["--timeout", &time(3000), "--kill-after", "0.3"], script), "");
    assert_eq!(finished.status, 124);
    finished.assert_took(slowly(3000) + 300);
}

/// A parent may leave its own signal mask to us.
#[test]
fn blocked_signals_are_unblocked() {
    let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
    let blocked = |command: &str| {
        let script = format!(
            "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM]);
os.execv('{anonpipe}', ['anonpipe', 'run', '--', 'sh', '-c', '{command}'])"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &script]);
        python
    };
    let finished = finish(blocked("exit 3"), "");
    assert_eq!(finished.status, 3);
    let mut running = Running::start(blocked("echo ready; exec sleep 3600"));
    assert_eq!(output_line(&mut running), "ready");
    signal(&running, Signal::TERM);
    assert_eq!(running.wait(), 143);
}

/// The command has asked for them, what it started has not.
#[test]
fn the_users_signals_reach_the_command_alone() {
    for (name, number) in [("USR1", Signal::USR1), ("USR2", Signal::USR2)] {
        let script = format!("trap 'echo got' {name}; sleep {} & echo ready; wait $!; wait $!; echo $?", time(600));
        let mut running = Running::start(run_sh(&[], &script));
        assert_eq!(output_line(&mut running), "ready");
        signal(&running, number);
        assert_eq!(running.finish().text(), "got\n0\n");
    }
}
