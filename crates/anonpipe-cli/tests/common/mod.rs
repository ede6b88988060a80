//! Running the command under a watchdog.
#![allow(dead_code, reason = "every test file uses its part of it")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Whatever takes longer hangs. Nothing here needs a tenth of it.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// The command under test.
pub(crate) fn anonpipe() -> Command {
    Command::new(env!("CARGO_BIN_EXE_anonpipe"))
}

/// `anonpipe run OPTIONS -- child ARGUMENTS`, with the example `child`.
pub(crate) fn run_child(options: &[&str], arguments: &[&str]) -> Command {
    let mut command = anonpipe();
    command.arg("run").args(options).arg("--").arg(child()).args(arguments);
    command
}

/// `anonpipe run OPTIONS -- sh -c SCRIPT`.
#[cfg(unix)]
pub(crate) fn run_sh(options: &[&str], script: &str) -> Command {
    let mut command = anonpipe();
    command.arg("run").args(options).args(["--", "sh", "-c", script]);
    command
}

/// The example `child`, which `cargo test` builds.
pub(crate) fn child() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_anonpipe"));
    let name = format!("child{}", std::env::consts::EXE_SUFFIX);
    let path = binary.parent().expect("it is in a folder").join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build -p anonpipe-cli --example child`", path.display());
    path
}

/// A path that no other test uses, and that nothing is at.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{unique}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// How a run ended, and what came out of it.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; what a shell would say, if a signal killed it.
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Finished {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).replace("\r\n", "\n")
    }

    /// Whether it took from `from` to `to` milliseconds.
    #[track_caller]
    pub(crate) fn assert_took(&self, from: u64, to: u64) {
        let range = Duration::from_millis(from)..Duration::from_millis(to);
        assert!(range.contains(&self.elapsed), "it took {:?}, not {range:?}: {:?}", self.elapsed, self.stderr);
    }
}

/// Runs to the end with `input` on standard input, and reads both outputs meanwhile.
#[track_caller]
pub(crate) fn finish(command: Command, input: impl Into<Vec<u8>>) -> Finished {
    let mut running = Running::start(command);
    running.feed(input.into());
    running.finish()
}

/// A run under way. Ends with the test, whatever becomes of that.
pub(crate) struct Running {
    pub(crate) child: Child,
    started: Instant,
    outputs: Option<[JoinHandle<Vec<u8>>; 2]>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let child = command.spawn().expect("the command under test starts");
        Self { child, started, outputs: None }
    }

    /// Writes `input` from a thread, and closes.
    pub(crate) fn feed(&mut self, input: Vec<u8>) {
        let mut stdin = self.child.stdin.take().expect("fed once");
        thread::spawn(move || {
            // A command that does not read to the end is no failure.
            let _ = stdin.write_all(&input);
        });
    }

    /// Starts to read what is still piped.
    fn read_outputs(&mut self) {
        let stdout = collect(self.child.stdout.take());
        self.outputs = Some([stdout, collect(self.child.stderr.take())]);
    }

    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        self.read_outputs();
        let status = self.wait();
        // What holds our outputs open when we have gone shows here.
        let [stdout, stderr] = self.outputs.take().expect("being read").map(|output| output.join().expect("a reader"));
        let elapsed = self.started.elapsed();
        Finished { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned(), elapsed }
    }

    /// Waits for the exit, and leaves the outputs alone.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return code_of(status);
            }
            if self.started.elapsed() > WATCHDOG {
                let name = thread::current().name().unwrap_or("a test").to_owned();
                panic!("watchdog: {name} hangs");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or(0))
}

#[cfg(windows)]
fn code_of(status: std::process::ExitStatus) -> i32 {
    status.code().expect("a code")
}

fn collect(output: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut output) = output {
            output.read_to_end(&mut bytes).expect("our own pipe is readable");
        }
        bytes
    })
}

/// Bytes that repeat nowhere soon, the same at each call.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "never happened: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What is in a file, or nothing.
pub(crate) fn contents(path: impl AsRef<OsStr>) -> Vec<u8> {
    std::fs::read(path.as_ref()).unwrap_or_default()
}
