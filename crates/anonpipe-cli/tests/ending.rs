//! How a run ends: with the command, by the clock, by a signal, or because its output has no reader
//! any more.
mod common;

use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::*;

#[test]
fn what_the_command_left_behind_is_waited_for() {
    finish_holding(&["--linger", "1h"], 600).assert_took(600);
}

#[test]
fn the_wait_for_what_the_command_left_behind_is_limited() {
    let usual = finish_holding(&[], long());
    usual.assert_took(2000);
    finish_holding(&["--linger", "2.5"], long()).assert_took(2500);
    // On a busy machine not each time.
    let at_once = || finish_holding(&["--linger", "0"], long());
    eventually("an end before the usual wait", || at_once().elapsed + Duration::from_secs(1) < usual.elapsed);
}

/// How long something may outlive a test in which it was not waited for, in milliseconds.
fn long() -> u64 {
    deadline().as_secs() * 1000
}

/// The command is gone at once, and a grandchild holds its outputs open.
#[track_caller]
fn finish_holding(options: &[&str], milliseconds: u64) -> Finished {
    let finished = finish(run_child(options, &["hold", &milliseconds.to_string()]), "");
    assert_eq!((finished.status, finished.text().as_str()), (0, "gone\n"));
    finished
}

/// The limit is for data that may never come, not for a slow reader: our own output is full, so are
/// our buffers, and the rest waits in the command's pipe, whose other end a grandchild holds.
#[test]
fn a_slow_reader_misses_nothing() {
    let options = ["--linger", "100ms"];
    let hold = long().to_string();
    let mut running = Running::start(run_child(&options, &["emit-trickle-hold", "65536", "20", &hold]));
    thread::sleep(Duration::from_millis(slowly(1800)));
    let mut stdout = running.child.stdout.take().expect("piped");
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).expect("readable");
    assert_eq!((running.wait(), bytes.len()), (0, 65536 + 20));
    assert!(running.elapsed() < Duration::from_millis(long()), "it waited for the grandchild");
}

#[test]
fn the_time_is_up() {
    let finished = finish(run_child(&["--timeout", "300ms"], &["sleep", HOUR_MS]), "");
    assert_eq!((finished.status, finished.stderr.as_str()), (124, ""));
    finished.assert_took(300);
}

#[test]
fn a_command_in_time_is_not_disturbed() {
    for options in [["--timeout", "1h"], ["--timeout", "0"]] {
        let finished = finish(run_child(&options, &["exit", "7"]), "");
        assert_eq!(finished.status, 7);
        finished.assert_took(0);
    }
}

/// The grandchild writes to a file every 50 ms, until it is ended.
#[test]
fn a_timeout_ends_what_the_command_started() {
    let file = scratch("alive");
    let finished = finish(run_child(&["--timeout", &time(1000)], &["start-live", &file.to_string_lossy()]), "");
    assert_eq!(finished.status, 124);
    let length = contents(&file).len();
    assert!(length > 0, "the grandchild never lived");
    thread::sleep(Duration::from_millis(slowly(400)));
    assert_eq!(contents(&file).len(), length, "the grandchild lives on");
}

#[test]
fn a_timeout_comes_after_the_command_too() {
    let options = ["--timeout", &time(1000), "--linger", "1h"];
    let finished = finish(run_child(&options, &["hold", HOUR_MS]), "");
    assert_eq!((finished.status, finished.text().as_str()), (124, "gone\n"));
    finished.assert_took(slowly(1000));
}

#[test]
fn an_output_that_nobody_reads_does_not_delay_the_timeout() {
    let mut running = Running::start(run_child(&["--timeout", "1"], &["emit", "100000000"]));
    assert_eq!(running.wait(), 124);
}

/// The command is gone, and only our own output is left to wait for.
#[test]
fn an_output_that_nobody_reads_does_not_delay_the_timeout_afterwards() {
    let mut running = Running::start(run_child(&["--timeout", &time(1000)], &["emit", "200000"]));
    assert_eq!(running.wait(), 124);
}

#[test]
fn a_reader_who_has_gone_ends_it_quietly() {
    for options in [&[][..], &["--json"]] {
        let mut running = Running::start(run_child(options, &["emit", "100000000000"]));
        let mut first = [0; 100];
        running.child.stdout.take().expect("piped").read_exact(&mut first).expect("it writes");
        let finished = running.finish();
        assert_eq!((finished.status, finished.stderr.as_str()), (141, ""));
        finished.assert_took(0);
    }
}

#[test]
fn the_run_ends_while_our_input_is_open() {
    let mut command = run_child(&[], &["exit", "4"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawn(&mut command);
    let keep = child.stdin.take();
    eventually("the end", || child.try_wait().expect("ours").is_some());
    assert_eq!(child.wait().expect("ours").code(), Some(4));
    drop(keep);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::Write;

    /// Sends a signal to the command under test alone.
    fn signal(running: &Running, signal: Signal) {
        let pid = i32::try_from(running.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it lives");
    }

    /// Starts a script, and waits until it says "ready".
    fn start_ready(options: &[&str], script: &str) -> Running {
        let mut running = Running::start(run_sh(options, script));
        let mut ready = [0; 6];
        running.child.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("it is ready");
        assert_eq!(&ready, b"ready\n");
        running
    }

    #[test]
    fn a_signal_is_told_as_shells_do() {
        for (name, number) in [("TERM", 15), ("KILL", 9), ("INT", 2)] {
            assert_eq!(finish(run_sh(&[], &format!("kill -{name} $$")), "").status, 128 + number);
        }
    }

    #[test]
    fn signals_reach_the_command() {
        for (name, number) in
            [("INT", Signal::INT), ("TERM", Signal::TERM), ("HUP", Signal::HUP), ("QUIT", Signal::QUIT)]
        {
            let script = format!("trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done");
            let running = start_ready(&[], &script);
            signal(&running, number);
            let finished = running.finish();
            assert_eq!((finished.status, finished.text()), (5, format!("got {name}\n")));
        }
    }

    #[test]
    fn an_interrupt_ends_a_command_that_does_not_mind() {
        let running = start_ready(&[], "echo ready; exec sleep 3600");
        signal(&running, Signal::INT);
        let finished = running.finish();
        assert_eq!((finished.status, finished.stderr.as_str()), (130, ""));
    }

    /// Nothing is left that the signal could be passed on to, but we still wait.
    #[test]
    fn a_signal_after_the_command_ends_the_wait() {
        let mut running =
            start_ready(&["--linger", "1h"], &format!("echo ready; sleep {} & exit 0", deadline().as_secs()));
        thread::sleep(Duration::from_millis(slowly(300)));
        signal(&running, Signal::TERM);
        assert_eq!(running.wait(), 143);
    }

    /// As under nohup.
    #[test]
    fn a_signal_that_was_ignored_stays_ignored() {
        let mut command = std::process::Command::new("sh");
        let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
        command
            .args(["-c", &format!("trap '' HUP; exec '{anonpipe}' run -- sh -c 'echo ready; read line; echo $line'")]);
        let mut running = Running::start(command);
        let mut ready = [0; 6];
        running.child.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("it is ready");
        signal(&running, Signal::HUP);
        thread::sleep(Duration::from_millis(100));
        running.child.stdin.take().expect("piped").write_all(b"alive\n").expect("it reads");
        let finished = running.finish();
        assert_eq!((finished.status, finished.text().as_str()), (0, "alive\n"));
    }

    /// Ctrl-Z and `fg`: the command stops and goes on with us.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_stop_stops_the_command() {
        let mut running = start_ready(&[], "echo ready; echo $$; exec sleep 3600");
        let mut pid = Vec::new();
        let stdout = running.child.stdout.as_mut().expect("piped");
        while pid.last() != Some(&b'\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("a line");
            pid.push(byte[0]);
        }
        let pid = String::from_utf8(pid).expect("a number");
        let state = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
        };
        let own = running.child.id().to_string();
        signal(&running, Signal::TSTP);
        eventually("both stop", || state(&own) == Some('T') && state(&pid) == Some('T'));
        signal(&running, Signal::CONT);
        eventually("both go on", || state(&own) == Some('S') && state(&pid) == Some('S'));
        signal(&running, Signal::TERM);
        assert_eq!(running.wait(), 143);
    }

    #[test]
    fn the_command_may_tidy_up_before_the_end() {
        let script = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let finished = finish(run_sh(&["--timeout", &time(500), "--kill-after", "1h"], script), "");
        assert_eq!((finished.status, finished.text().as_str()), (124, "ready\ntidy\n"));
        finished.assert_took(slowly(500));
    }

    #[test]
    fn a_command_that_does_not_listen_is_killed() {
        let script = "trap '' TERM; sleep 3600; sleep 3600";
        let finished = finish(run_sh(&["--timeout", &time(500), "--kill-after", "0.5"], script), "");
        assert_eq!(finished.status, 124);
        finished.assert_took(slowly(500) + 500);
    }

    /// The command listens, what it started does not, and has nothing to do with our pipes.
    #[test]
    fn a_grandchild_that_does_not_listen_is_killed() {
        let file = scratch("alive");
        let script = format!(
            "(trap '' TERM; exec '{}' live '{}') </dev/null >/dev/null 2>&1 & sleep {HOUR}",
            child().display(),
            file.display()
        );
        let finished = finish(run_sh(&["--timeout", &time(500), "--kill-after", &time(2000)], &script), "");
        assert_eq!(finished.status, 124);
        finished.assert_took(slowly(2500));
        let length = contents(&file).len();
        assert!(length > 20, "it had its time to tidy up");
        thread::sleep(Duration::from_millis(slowly(300)));
        assert_eq!(contents(&file).len(), length, "it lives on");
    }

    #[test]
    fn a_stopped_command_ends_in_time() {
        let options = ["--timeout", &time(500), "--kill-after", "1h"];
        let finished = finish(run_sh(&options, "kill -STOP $$"), "");
        assert_eq!(finished.status, 124);
        finished.assert_took(slowly(500));
    }

    /// With a session of its own it is out of reach; we do not wait for it.
    #[test]
    fn what_escaped_does_not_delay_the_timeout() {
        let escape = format!("import os, time; os.setsid(); time.sleep({})", deadline().as_secs());
        let script = format!("python3 -c '{escape}' & sleep {HOUR}");
        let finished = finish(run_sh(&["--timeout", &time(1000)], &script), "");
        assert_eq!(finished.status, 124);
        finished.assert_took(slowly(1000));
    }

    #[test]
    fn in_a_pipeline_it_ends_with_its_reader() {
        let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("'{anonpipe}' run -- yes | head -n 1")]);
        let finished = finish(shell, "");
        assert_eq!((finished.text().as_str(), finished.stderr.as_str()), ("y\n", ""));
        finished.assert_took(0);
    }
}
