//! What goes through: byte for byte, as it comes, and independent of what the command does first.
mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

use common::*;

#[test]
fn bytes_arrive_as_they_are() {
    let input = noise(8 << 20);
    let finished = finish(run_child(&[], &["cat"]), input.clone());
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    assert!(finished.stdout == input, "{} bytes of {} came back, or others", finished.stdout.len(), input.len());
}

#[test]
fn a_command_that_writes_before_it_reads_does_not_deadlock() {
    // More than all the pipes and buffers on the way hold, in both directions.
    let input = noise(4 << 20);
    let finished = finish(run_child(&[], &["emit-then-cat", "4000000"]), input.clone());
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    assert_eq!(finished.stdout.len(), 4_000_000 + input.len());
    assert!(finished.stdout[4_000_000..] == input);
}

#[test]
fn a_command_that_closes_its_input_is_not_an_error() {
    let finished = finish(run_child(&[], &["close-stdin"]), noise(4 << 20));
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "closed\n", ""));
}

#[test]
fn a_command_that_never_reads_is_not_an_error() {
    let finished = finish(run_child(&[], &["exit", "3"]), noise(4 << 20));
    assert_eq!((finished.status, finished.stderr.as_str()), (3, ""));
}

#[test]
fn a_command_may_close_its_output_and_live_on() {
    let finished = finish(run_child(&[], &["close-stdout"]), "");
    assert_eq!((finished.status, finished.text().as_str()), (0, "last words\n"));
    assert_eq!(finished.stderr.trim_end(), "still here");
    finished.assert_took(300);
}

#[test]
fn an_empty_input_ends_at_once() {
    let finished = finish(run_child(&[], &["cat"]), "");
    assert_eq!((finished.status, finished.stdout.len()), (0, 0));
    let mut from_null = anonpipe();
    from_null.arg("run").arg("--").arg(child()).arg("cat");
    assert!(spawn(from_null.stdin(Stdio::null())).wait().expect("ours").success());
}

#[test]
fn the_streams_stay_apart() {
    let finished = finish(run_child(&[], &["both"]), "");
    assert_eq!((finished.text().as_str(), finished.stderr.as_str()), ("to stdout", "to stderr"));
}

/// Each line is answered before the next is sent, so nothing may be held back on either way.
#[test]
fn data_streams_as_it_comes() {
    let mut running = Running::start(run_child(&[], &["cat"]));
    let mut stdin = running.child.stdin.take().expect("piped");
    let mut stdout = running.child.stdout.take().expect("piped");
    let conversation = thread::spawn(move || {
        for round in 0..100 {
            let line = format!("line {round}\n");
            stdin.write_all(line.as_bytes()).expect("it reads");
            let mut answer = vec![0; line.len()];
            stdout.read_exact(&mut answer).expect("it answers");
            assert_eq!(answer, line.as_bytes());
        }
    });
    eventually("the conversation's end", || conversation.is_finished());
    conversation.join().expect("every line was answered");
    assert_eq!(running.wait(), 0);
}

/// The command gets as far as the pipes and our few buffers reach, and not further.
#[test]
fn output_that_nobody_reads_makes_the_command_wait() {
    let count = scratch("flood");
    let mut running = Running::start(run_child(&["--timeout", &time(2000)], &["flood", &count.to_string_lossy()]));
    assert_eq!(running.wait(), 124);
    let written: u64 = String::from_utf8(contents(&count)).expect("a number").parse().expect("a number");
    assert!((64 << 10..1 << 20).contains(&written), "the command could write {written} bytes");
}

#[test]
fn input_that_nobody_reads_is_not_swallowed() {
    let mut running = Running::start(run_child(&["--timeout", &time(2000)], &["sleep", HOUR_MS]));
    let mut stdin = running.child.stdin.take().expect("piped");
    let (sender, written) = std::sync::mpsc::channel();
    thread::spawn(move || while stdin.write_all(&[b'x'; 1024]).is_ok() && sender.send(1024).is_ok() {});
    assert_eq!(running.wait(), 124);
    let total: usize = written.iter().sum();
    assert!((64 << 10..1 << 20).contains(&total), "we took {total} bytes of input");
}

#[test]
fn copies_have_each_stream() {
    let (out, err) = (scratch("out"), scratch("err"));
    let options = ["--stdout", &out.to_string_lossy(), "--stderr", &err.to_string_lossy()];
    let finished = finish(run_child(&options, &["both"]), "");
    assert_eq!((finished.text().as_str(), finished.stderr.as_str()), ("to stdout", "to stderr"));
    assert_eq!((contents(&out), contents(&err)), (b"to stdout".to_vec(), b"to stderr".to_vec()));
}

#[test]
fn one_file_can_have_both_streams() {
    let both = scratch("both");
    let options = ["--quiet", "--stdout", &both.to_string_lossy(), "--stderr", &both.to_string_lossy()];
    let finished = finish(run_child(&options, &["both"]), "");
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "", ""));
    let text = String::from_utf8(contents(&both)).expect("text");
    assert!(text == "to stdoutto stderr" || text == "to stderrto stdout", "{text}");
}

#[test]
fn a_copy_is_complete_and_replaces_what_was_there() {
    let copy = scratch("copy");
    fs::write(&copy, noise(5 << 20)).expect("a file");
    let input = noise(3 << 20);
    let options = ["--quiet", "--stdout", &copy.to_string_lossy()];
    assert_eq!(finish(run_child(&options, &["cat"]), input.clone()).status, 0);
    assert!(contents(&copy) == input);
}

#[test]
fn quiet_passes_nothing_through() {
    let finished = finish(run_child(&["--quiet"], &["both"]), "");
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "", ""));
}

#[test]
fn a_copy_that_cannot_be_created_is_told_before_the_command_runs() {
    let nowhere = scratch("no-folder").join("file");
    let touched = scratch("touched");
    let options = ["--stdout", &nowhere.to_string_lossy()];
    let finished = finish(run_child(&options, &["flood", &touched.to_string_lossy()]), "");
    assert_eq!(finished.status, 125);
    assert!(finished.stderr.contains("cannot create"), "{}", finished.stderr);
    assert!(!touched.exists(), "the command ran");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::time::Duration;

    /// The disk is full: the stream goes on, and a success would be a lie.
    #[test]
    fn a_lost_copy_is_told_at_the_end() {
        let finished = finish(run_child(&["--stdout", "/dev/full"], &["both"]), "");
        assert_eq!((finished.status, finished.text().as_str()), (125, "to stdout"));
        assert!(finished.stderr.contains("cannot write the copy of stdout"), "{}", finished.stderr);
        assert_eq!(finish(run_child(&["--stdout", "/dev/full"], &["nonsense"]), "").status, 99);
    }

    #[test]
    fn an_output_that_cannot_be_written_is_told() {
        let mut command = run_child(&[], &["emit", "100000"]);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
        let output = command.stdin(Stdio::null()).stdout(full).output().expect("it starts");
        assert_eq!(output.status.code(), Some(125));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write standard output"));
    }

    fn threads(pid: u32) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it lives");
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let mut names: Vec<_> = tasks.flatten().map(|task| name(task).trim_end().to_owned()).collect();
        names.sort();
        names
    }

    /// With all three streams in use: the main thread, the library's driver, and a helper for our
    /// own input and output.
    #[test]
    fn the_commands_pipes_cost_no_threads() {
        let mut running = Running::start(run_sh(&[], "echo out; echo err >&2; read line; echo $line"));
        let mut first = [0; 4];
        running.child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("it writes");
        running.child.stderr.as_mut().expect("piped").read_exact(&mut first).expect("it writes");
        // A new thread gives itself its name.
        let named = || threads(running.child.id()) == ["anonpipe", "anonpipe-driver", "output", "stdin"];
        eventually("the four threads that there may be", named);
        running.feed(b"go on\n".to_vec());
        assert_eq!(running.finish().text(), "go on\n");
    }

    /// One helper writes both, and yet a standard output without a reader does not hold up standard
    /// error.
    #[test]
    fn a_blocked_output_does_not_hold_up_standard_error() {
        let mut running = Running::start(run_sh(&[], "yes & sleep 0.5; echo here >&2; kill $!; wait"));
        let mut stderr = running.child.stderr.take().expect("piped");
        let reader = thread::spawn(move || {
            let mut line = [0; 5];
            stderr.read_exact(&mut line).expect("a line");
            line
        });
        eventually("the line on standard error", || reader.is_finished());
        assert_eq!(&reader.join().expect("a line"), b"here\n");
        running.feed(Vec::new());
        running.finish();
    }

    /// Waiting is waiting: no wake-ups while nothing happens.
    #[test]
    fn a_quiet_command_costs_no_time() {
        let mut running = Running::start(run_child(&["--timeout", "1h"], &["sleep", &slowly(2500).to_string()]));
        thread::sleep(Duration::from_millis(slowly(300)));
        let switches = || {
            let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).expect("it lives");
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).expect("it is there");
            line.split_whitespace().last().and_then(|count| count.parse::<u64>().ok()).expect("a number")
        };
        // From when it waits.
        eventually("a moment without a wake-up", || {
            let before = switches();
            thread::sleep(Duration::from_millis(50));
            switches() == before
        });
        let before = switches();
        thread::sleep(Duration::from_millis(800));
        assert_eq!(switches(), before, "the main thread woke up");
        assert_eq!(running.wait(), 0);
    }
}

#[cfg(unix)]
mod unix {
    use super::*;

    #[test]
    fn other_peoples_programs_work() {
        assert_eq!(finish(run_sh(&[], "sort | tail -n 2"), "c\na\nb\n").text(), "b\nc\n");
        let mut python = anonpipe();
        python.args(["run", "--", "python3", "-c", "import sys; print(len(sys.stdin.buffer.read()))"]);
        assert_eq!(finish(python, noise(1 << 20)).text(), "1048576\n");
    }

    #[test]
    fn a_command_that_takes_what_it_wants_is_not_an_error() {
        let mut head = anonpipe();
        head.args(["run", "--", "head", "-n", "1"]);
        let finished = finish(head, "line\n".repeat(1_000_000));
        assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "line\n", ""));
    }

    /// Our standard streams may be missing altogether.
    #[test]
    fn closed_streams_of_our_own_are_empty() {
        let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("'{anonpipe}' run -- sh -c 'cat; echo out; echo err >&2' <&- >&- 2>&-")]);
        assert_eq!(finish(shell, "").status, 0);
    }
}
