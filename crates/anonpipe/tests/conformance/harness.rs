//! What runs a rule: a watchdog, and a process of its own where one is needed.

use std::fmt::Debug;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use crate::leftovers;
use crate::starts::start;

/// The time for a thread to get into a blocking call, and the time after which "nothing happens"
/// counts. On a slow machine it may be too short for a rule to notice a fault, but it never makes a
/// rule see one that is not there.
pub(crate) const MOMENT: Duration = Duration::from_millis(40);

/// Names the one test that this process was started for.
const ALONE: &str = "ANONPIPE_CONFORMANCE_ALONE";

/// What a hanging test ends the process with.
const HUNG: i32 = 86;

/// A child has all descriptors of its parent until it executes its program. Until then, an end that
/// a rule closes is still open in the child. So no child starts while such a rule runs.
static QUIET: RwLock<()> = RwLock::new(());

/// Runs a rule that shares the process with others, and starts no children.
pub(crate) fn shared(name: &'static str, rule: impl Fn() + Send + Sync) {
    let _quiet = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    watched(name, deadline(), || if leftovers::are_looked_for() { leftovers::none_after(name, rule) } else { rule() });
}

/// Runs a rule in a process of its own.
pub(crate) fn alone(name: &'static str, rule: impl FnOnce() + Send) {
    if env::var_os(ALONE).is_some_and(|only| only == name) {
        return watched(name, deadline(), || {
            if leftovers::are_looked_for() { leftovers::none_after_the_only(name, rule) } else { rule() }
        });
    }
    // Longer than the other process has, so that the other one reports what hangs.
    watched(name, deadline() + Duration::from_secs(10), || {
        let program = env::current_exe().expect("the path of this program");
        let mut command = Command::new(program);
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(ALONE, name);
        if leftovers::are_looked_for() {
            let (variable, value) = leftovers::variable_for_another_process();
            command.env(variable, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = {
            let _quiet = QUIET.write().unwrap_or_else(PoisonError::into_inner);
            start(&mut command)
        };
        let output = child.and_then(Child::wait_with_output).expect("this program, started again");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let passed = output.status.success() && stdout.contains("1 passed");
        assert!(passed, "in its own process ({}):\n{stdout}\n{stderr}", output.status);
        // What a passing rule has to say, past the capture.
        let _ = write!(io::stderr(), "{stderr}");
    });
}

/// How long a rule may take. A machine that is much slower than usual says so in the variable, and
/// the other limits follow.
fn deadline() -> Duration {
    let seconds = env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// How long something may take that has nothing to wait for. Usually it takes a thousandth of that,
/// so a machine may be slow and busy. A fault would wait for ever, for a peer that does nothing.
pub(crate) fn patience() -> Duration {
    deadline() / 3
}

/// How often a rule tries what goes wrong rarely, if at all; `ANONPIPE_TEST_ROUNDS` has it try
/// longer.
pub(crate) fn rounds(usually: usize) -> usize {
    env::var("ANONPIPE_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usually)
}

fn watched(name: &'static str, deadline: Duration, rule: impl FnOnce()) {
    let (running, ended) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
            // Not `eprintln`, which is captured.
            let _ = writeln!(io::stderr(), "\ntest {name} hangs: not done after {} s", deadline.as_secs());
            process::exit(HUNG);
        }
    });
    rule();
    drop(running);
    watchdog.join().expect("the watchdog");
}

/// Waits until `condition` holds, which it must do soon.
#[track_caller]
pub(crate) fn soon(what: &str, mut condition: impl FnMut() -> bool) {
    let (start, patience) = (Instant::now(), patience());
    while !condition() {
        assert!(start.elapsed() < patience, "{what}: not after {patience:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Calls what must not wait, not even for a short time. On a busy machine one call may be slow, but
/// not every one.
#[track_caller]
pub(crate) fn at_once(mut call: impl FnMut()) {
    soon("an answer without a wait", || {
        let start = Instant::now();
        call();
        start.elapsed() < Duration::from_millis(500)
    });
}

/// Waits until an end has as many reads in flight, those of blocked threads included.
#[track_caller]
pub(crate) fn until_reads_in_flight(end: &impl Debug, count: usize) {
    let text = format!("reads_in_flight: {count}");
    soon(&text, || format!("{end:?} ").replace([',', '}'], " ").contains(&format!("{text} ")));
}

/// Waits until an end has as many writes in flight, those of blocked threads included.
#[track_caller]
pub(crate) fn until_writes_in_flight(end: &impl Debug, count: usize) {
    let text = format!("writes_in_flight: {count}");
    soon(&text, || format!("{end:?} ").replace([',', '}'], " ").contains(&format!("{text} ")));
}
