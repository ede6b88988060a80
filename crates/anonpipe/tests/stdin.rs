//! The program's own standard input, of each kind that a parent may give. The tests start this
//! program again as the child, which does what it is told and reports on its standard error.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use anonpipe::process::{Stdin, stdin};
use anonpipe::{Driver, End, Error, Overlapped, PipeOptions, Writer};

mod starts;

use starts::start;

const STEPS: &str = "ANONPIPE_STDIN_STEPS";
/// So long a read waits in vain.
const MOMENT: Duration = Duration::from_millis(100);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

// The child.

fn report(what: impl std::fmt::Display) {
    eprintln!("report: {what}");
}

fn outcome(outcome: std::io::Result<usize>, bytes: &[u8]) {
    match outcome {
        Ok(0) => report("the end"),
        Ok(count) => report(format_args!("{:?}", String::from_utf8_lossy(&bytes[..count]))),
        Err(error) if error.kind() == ErrorKind::TimedOut => report("timed out"),
        Err(error) if Error::of(&error).is_some_and(Error::is_cancelled) => report("cancelled"),
        Err(error) => report(format_args!("{:?}: {error}", error.kind())),
    }
}

fn step(name: &str, stdin: &Stdin) {
    let mut buffer = [0; 100];
    match name {
        "time out" => outcome(stdin.read_timeout(&mut buffer, MOMENT), &buffer),
        "read" => outcome((&mut { stdin }).read(&mut buffer), &buffer),
        "read in time" => outcome(stdin.read_timeout(&mut buffer, LONG), &buffer),
        "read one byte" => outcome((&mut { stdin }).read(&mut buffer[..1]), &buffer),
        "operation" => {
            let (result, bytes) = stdin.submit_read(vec![0; 100]).wait();
            outcome(result, &bytes);
        }
        "cancel" => {
            let mut op = stdin.submit_read(vec![0; 100]);
            assert!(op.wait_timeout(MOMENT).is_none());
            op.cancel();
            let (result, bytes) = op.wait();
            outcome(result, &bytes);
        }
        "drop" => {
            let mut op = stdin.submit_read(vec![0; 100]);
            assert!(op.wait_timeout(MOMENT).is_none());
            drop(op);
            report("dropped");
        }
        "two operations" => {
            let ops = [stdin.submit_read(vec![0; 3]), stdin.submit_read(vec![0; 3])];
            report("submitted");
            for (result, bytes) in ops.map(anonpipe::Op::wait) {
                outcome(result, &bytes);
            }
        }
        "a child reads" => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "child", "--nocapture"]).env(STEPS, "read").stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        }
        "own driver" => {
            let driver = Driver::new().unwrap();
            stdin.attach(&driver).unwrap();
            let (result, bytes) = driver.block_on(stdin.submit_read(vec![0; 100]));
            outcome(result, &bytes);
        }
        #[cfg(feature = "tokio")]
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                use tokio::io::AsyncReadExt as Async;

                let mut stdin = stdin.clone();
                if tokio::time::timeout(MOMENT, Async::read(&mut stdin, &mut buffer)).await.is_err() {
                    report("timed out");
                    let result = Async::read(&mut stdin, &mut buffer).await;
                    outcome(result, &buffer);
                }
            });
        }
        // A runtime that is dropped waits for its blocking threads, and a program for its runtime.
        #[cfg(feature = "tokio")]
        "tokio ends" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let mut stdin = stdin.clone();
            runtime.spawn(async move { tokio::io::AsyncReadExt::read(&mut stdin, &mut [0; 100]).await });
            runtime.block_on(async { tokio::time::sleep(MOMENT).await });
            drop(runtime);
            report("the runtime has ended");
        }
        #[cfg(feature = "futures-io")]
        "futures" => {
            let mut stdin = stdin.clone();
            let result = pollster::block_on(futures::AsyncReadExt::read(&mut stdin, &mut buffer));
            outcome(result, &buffer);
        }
        name => panic!("no step is called {name}"),
    }
}

/// What the child does. Without a parent's steps it does nothing.
#[test]
fn child() {
    let Ok(steps) = std::env::var(STEPS) else { return };
    let stdin = match stdin() {
        Ok(stdin) => stdin,
        Err(error) => return report(format_args!("no stdin: {error}")),
    };
    for name in steps.split(", ") {
        step(name, &stdin);
    }
    report("done");
    // With reads pending, perhaps.
    std::process::exit(0);
}

// The parent.

struct Running {
    child: Child,
    reports: BufReader<ChildStderr>,
}

impl Running {
    fn start(steps: &str, input: impl Into<Stdio>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(STEPS, steps);
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = start(&mut command).unwrap();
        let reports = BufReader::new(child.stderr.take().unwrap());
        Self { child, reports }
    }

    /// The child's next report. Other lines come from Wine, or from a panic.
    #[track_caller]
    fn says(&mut self, what: &str) {
        let mut others = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.reports.read_line(&mut line).unwrap(), 0, "the child ended before {what:?}: {others}");
            match line.trim_end().strip_prefix("report: ") {
                Some(report) => return assert_eq!(report, what, "{others}"),
                None => others += &line,
            }
        }
    }

    #[track_caller]
    fn ends(mut self) {
        self.says("done");
        let since = Instant::now();
        assert!(self.child.wait().unwrap().success());
        assert!(since.elapsed() < LONG / 2, "a pending read keeps the program from ending");
    }
}

/// The ways in which a parent gives a pipe: the child's end in either mode.
fn pipes() -> Vec<(&'static str, Writer<Overlapped>, Stdio)> {
    let blocking = PipeOptions::new().client(End::blocking()).outbound().unwrap();
    let (writer, reader) = PipeOptions::new().client(End::overlapped().inheritable(true)).outbound().unwrap();
    let overlapped = reader.into_stdio_despite_overlapped().unwrap();
    vec![("blocking", blocking.0, blocking.1.into()), ("overlapped", writer, overlapped)]
}

#[test]
fn a_read_has_a_timeout_and_loses_nothing() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        let steps = "time out, cancel, drop, read in time, read one byte, read, time out, read, read";
        let mut child = Running::start(steps, input);
        for report in ["timed out", "cancelled", "dropped"] {
            child.says(report);
        }
        (&writer).write_all(b"late").unwrap();
        child.says("\"late\"");
        (&writer).write_all(b"rest").unwrap();
        child.says("\"r\"");
        child.says("\"est\"");
        child.says("timed out");
        drop(writer);
        child.says("the end");
        child.says("the end");
        child.ends();
    }
}

/// What is not read here is there for others.
#[test]
fn nothing_is_read_ahead() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        (&writer).write_all(b"abc").unwrap();
        let mut child = Running::start("read one byte, a child reads, time out", input);
        for report in ["\"a\"", "\"bc\"", "done", "timed out"] {
            child.says(report);
        }
        child.ends();
    }
}

#[test]
fn operations_share_what_comes() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        let mut child = Running::start("two operations, operation, own driver", input);
        child.says("submitted");
        (&writer).write_all(b"abcd").unwrap();
        child.says("\"abc\"");
        child.says("\"d\"");
        (&writer).write_all(b"more").unwrap();
        child.says("\"more\"");
        // It was used before, and is not attached any more.
        drop(writer);
        let mut rest = String::new();
        child.reports.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("attach an end before its first operation"), "{rest}");
        assert!(!child.child.wait().unwrap().success());
    }
}

#[test]
fn a_loop_of_ones_own_waits_for_it() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        let mut child = Running::start("own driver, read", input);
        (&writer).write_all(b"hello").unwrap();
        child.says("\"hello\"");
        drop(writer);
        child.says("the end");
        child.ends();
    }
}

#[cfg(all(feature = "tokio", feature = "futures-io"))]
#[test]
fn tasks_wait_for_it() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        let mut child = Running::start("tokio, futures, tokio ends, read, futures", input);
        child.says("timed out");
        (&writer).write_all(b"one").unwrap();
        child.says("\"one\"");
        (&writer).write_all(b"two").unwrap();
        child.says("\"two\"");
        child.says("the runtime has ended");
        (&writer).write_all(b"three").unwrap();
        child.says("\"three\"");
        drop(writer);
        child.says("the end");
        child.ends();
    }
}

/// A language server that is told to exit by other means has a read pending.
#[cfg(feature = "tokio")]
#[test]
fn a_pending_read_keeps_nothing_from_ending() {
    for (mode, writer, input) in pipes() {
        println!("{mode}");
        let mut child = Running::start("tokio ends", input);
        child.says("the runtime has ended");
        child.ends();
        drop(writer);
    }
}

#[test]
fn a_file_is_read_as_it_is() {
    let path = std::env::temp_dir().join(format!("anonpipe-stdin-{}", std::process::id()));
    std::fs::write(&path, "first line\nsecond").unwrap();
    let mut child = Running::start("read one byte, operation, read, read in time", File::open(&path).unwrap());
    std::fs::remove_file(&path).ok();
    child.says("\"f\"");
    child.says("\"irst line\\nsecond\"");
    child.says("the end");
    child.says("the end");
    child.ends();
}

#[test]
fn an_empty_input_ends_at_once() {
    let mut child = Running::start("read, operation, read in time", Stdio::null());
    for _ in 0..3 {
        child.says("the end");
    }
    child.ends();
}

/// A program without standard streams has an input that is empty.
#[cfg(windows)]
#[test]
fn a_closed_pipe_ends_at_once() {
    let (writer, reader) = PipeOptions::new().client(End::blocking()).outbound().unwrap();
    drop(writer);
    let mut child = Running::start("read, time out", reader);
    child.says("the end");
    child.says("the end");
    child.ends();
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
    use std::os::unix::net::UnixStream;

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    /// Others use the same description, and would fail with `EAGAIN`.
    #[test]
    fn the_parents_flags_stay() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let ours = reader.try_clone().unwrap();
        let flags = || fcntl_getfl(ours.as_fd()).unwrap().contains(OFlags::NONBLOCK);
        let mut child = Running::start("time out, read", reader);
        child.says("timed out");
        assert!(!flags());
        writer.write_all(b"word").unwrap();
        child.says("\"word\"");
        assert!(!flags());
        child.ends();
    }

    #[test]
    fn a_socket_is_waited_for() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut child = Running::start("time out, read, read", OwnedFd::from(theirs));
        child.says("timed out");
        ours.write_all(b"word").unwrap();
        child.says("\"word\"");
        drop(ours);
        child.says("the end");
        child.ends();
    }

    /// A failing read is not the end.
    #[test]
    fn what_cannot_be_read_says_so() {
        let mut child = Running::start("read, operation", File::open("/").unwrap());
        child.says("IsADirectory: cannot read from standard input: Is a directory (os error 21)");
        child.says("IsADirectory: cannot read from standard input: Is a directory (os error 21)");
        child.ends();
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut child = Running::start("read", null);
        let mut rest = String::new();
        child.reports.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("Bad file descriptor (os error 9)"), "{rest}");
    }

    #[test]
    fn a_terminal_is_waited_for() {
        let (mut master, mut slave) = (0, 0);
        let none = std::ptr::null_mut();
        // SAFETY: both numbers are written, and nothing else is asked for.
        let made = unsafe { libc::openpty(&raw mut master, &raw mut slave, none, none.cast(), none.cast()) };
        assert_eq!(made, 0);
        // SAFETY: just made, and owned here alone.
        let mut master = unsafe { File::from_raw_fd(master) };
        // SAFETY: the same.
        let slave = unsafe { OwnedFd::from_raw_fd(slave) };
        let steps = "time out, cancel, read, read in time, operation, time out";
        let mut child = Running::start(steps, slave.try_clone().unwrap());
        child.says("timed out");
        child.says("cancelled");
        master.write_all(b"typed\nahead\n").unwrap();
        child.says("\"typed\\n\"");
        child.says("\"ahead\\n\"");
        // Ctrl-D: one end of file, and no state.
        master.write_all(&[4]).unwrap();
        child.says("the end");
        child.says("timed out");
        child.ends();
    }
}
