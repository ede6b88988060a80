//! Running the command under a watchdog.
#![allow(dead_code, reason = "every test file uses its part of it")]

#[path = "../../../anonpipe/tests/starts/mod.rs"]
mod starts;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What takes longer hangs. A machine that is much slower than usual says so in the variable, and
/// the other limits follow.
pub(crate) fn deadline() -> Duration {
    let seconds = std::env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// How long something may take that has nothing more to wait for. It takes a tenth of that at most,
/// so a machine may be slow and busy; what is wrong waits for an hour or, if something of it
/// outlives the test, for [`deadline`].
pub(crate) fn time_limit() -> Duration {
    deadline() / 3
}

/// What the tests give processes to wait for that are to be ended, in seconds.
pub(crate) const HOUR: &str = "3600";
/// The same in milliseconds.
pub(crate) const HOUR_MS: &str = "3600000";

/// A time within which a command has to get something done, such as a `--timeout`: as long as this
/// is enough on a usual machine, and longer on a slow one. In seconds, as the command line takes
/// it, and `sleep`.
pub(crate) fn time(milliseconds: u64) -> String {
    let milliseconds = slowly(milliseconds);
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// See [`time`].
pub(crate) fn slowly(milliseconds: u64) -> u64 {
    static SLOWNESS: OnceLock<u64> = OnceLock::new();
    // How long it takes to start and to end the two programs, at most, where the tests' times were
    // chosen.
    const USUAL: Duration = Duration::from_millis(if cfg!(windows) { 250 } else { 50 });
    let slowness = *SLOWNESS.get_or_init(|| {
        let started = Instant::now();
        assert_eq!(finish(run_child(&[], &["exit", "0"]), "").status, 0);
        let times = started.elapsed().as_millis().div_ceil(USUAL.as_millis());
        // No longer than a test has.
        u64::try_from(times).expect("a few times").min(deadline().as_secs() / 6)
    });
    milliseconds * slowness
}

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

    /// Whether it took as many milliseconds, and did not wait for more.
    #[track_caller]
    pub(crate) fn assert_took(&self, milliseconds: u64) {
        let least = Duration::from_millis(milliseconds);
        let range = least..least + time_limit();
        assert!(range.contains(&self.elapsed), "it took {:?}, not {range:?}: {:?}", self.elapsed, self.stderr);
    }
}

/// Runs to the end with `input` on standard input, and reads both outputs meanwhile.
#[track_caller]
pub(crate) fn finish(mut command: Command, input: impl Into<Vec<u8>>) -> Finished {
    let input = input.into();
    let mut attempts = 3;
    loop {
        let mut running = Running::start_by(&mut command);
        running.feed(input.clone());
        let finished = running.finish();
        attempts -= 1;
        // On a busy machine Wine now and then fails to load a program that starts with many others
        // (*observed*, Wine 8). It has not begun then.
        if finished.status != STATUS_DLL_INIT_FAILED || attempts == 0 {
            return finished;
        }
    }
}

/// Starts a program.
#[track_caller]
pub(crate) fn spawn(command: &mut Command) -> Child {
    starts::start(command).expect("it starts")
}

const STATUS_DLL_INIT_FAILED: i32 = 0xC000_0142_u32.cast_signed();

/// A run under way. It ends with the test, whether that passes or fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    started: Instant,
    outputs: Option<[JoinHandle<Vec<u8>>; 2]>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self::start_by(&mut command)
    }

    fn start_by(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let child = spawn(command);
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
            if self.started.elapsed() > deadline() {
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

/// Reads a line, and no more.
#[track_caller]
pub(crate) fn line(mut from: impl Read) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        from.read_exact(&mut byte).expect("a line");
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text").trim_end().to_owned()
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
        assert!(started.elapsed() < time_limit(), "never happened: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What is in a file, or nothing.
pub(crate) fn contents(path: impl AsRef<OsStr>) -> Vec<u8> {
    std::fs::read(path.as_ref()).unwrap_or_default()
}
