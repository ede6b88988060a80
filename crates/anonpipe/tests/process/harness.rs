//! What runs a test: a watchdog, and a process of its own where one is needed.

use std::any::Any;
use std::env;
use std::fmt::Debug;
use std::io::{self, Write};
use std::panic::{catch_unwind, resume_unwind};
use std::process::{ExitCode, exit};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::process::{Command, Stdio};
use libtest_mimic::{Arguments, Trial};

/// Names the one test that this process was started for.
const ALONE: &str = "ANONPIPE_PROCESS_ALONE";

/// What a hanging test ends the process with.
const HUNG: i32 = 86;

/// The time after which "nothing happens" counts.
pub(crate) const MOMENT: Duration = Duration::from_millis(60);

type Test = fn();

#[derive(Default)]
pub(crate) struct Tests(Vec<(&'static str, Test, /* alone */ bool)>);

impl Tests {
    pub(crate) fn shared(&mut self, name: &'static str, test: Test) {
        self.0.push((name, test, false));
    }

    pub(crate) fn alone(&mut self, name: &'static str, test: Test) {
        self.0.push((name, test, true));
    }

    pub(crate) fn run(self) -> ! {
        if let Ok(only) = env::var(ALONE) {
            let (name, test, _) = self.0.iter().find(|(name, ..)| *name == only).expect("a test of that name");
            watched(name, deadline(), test);
            exit(0);
        }
        let trials = self.0.into_iter().map(|(name, test, alone)| {
            Trial::test(name, move || {
                let run = || if alone { in_a_process_of_its_own(name) } else { watched(name, deadline(), &test) };
                for attempt in 1.. {
                    let Err(panic) = catch_unwind(run) else { break };
                    if attempt == 3 || !wine_did_not_start_it(&*panic) {
                        resume_unwind(panic);
                    }
                }
                Ok(())
            })
        });
        let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
        exit(i32::from(conclusion.exit_code() != ExitCode::SUCCESS));
    }
}

/// Whether a test failed because a child was not started, which has nothing to do with the test: on
/// a busy machine Wine now and then answers `ERROR_INTERNAL_ERROR`, or the program ends with
/// `STATUS_DLL_INIT_FAILED` before it begins (*observed*, Wine 8, by std's `Command` as well: five
/// of 11,700 starts).
fn wine_did_not_start_it(panic: &(dyn Any + Send)) -> bool {
    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
    let signs = ["code: 1359", "os error 1359", "3221225794", "-1073741502", "0xc0000142"];
    cfg!(windows) && signs.iter().any(|sign| text.contains(sign))
}

fn in_a_process_of_its_own(name: &'static str) {
    let program = env::current_exe().expect("the path of this program");
    let output = std::process::Command::new(program).env(ALONE, name).output().expect("this program, started again");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "in its own process ({}):\n{stdout}\n{stderr}", output.status);
}

/// How long a test may take. A machine that is much slower than usual says so in the variable, and
/// the other limits follow.
fn deadline() -> Duration {
    let seconds = env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// How long something may take that has nothing to wait for.
pub(crate) fn patience() -> Duration {
    deadline() / 3
}

fn watched(name: &'static str, deadline: Duration, test: &Test) {
    let (running, ended) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
            let _ = writeln!(io::stderr(), "\ntest {name} hangs: not done after {} s", deadline.as_secs());
            exit(HUNG);
        }
    });
    test();
    drop(running);
    watchdog.join().expect("the watchdog");
}

/// This program as a child in a certain role, with nothing of ours as its standard handles.
pub(crate) fn child(role: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.arg(crate::roles::AS_CHILD).arg(role).args(args);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// What a child writes to its standard output, which it must do without a failure.
#[track_caller]
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.stdout(Stdio::piped()).output().wait().expect("a child and its output");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Waits until `condition` holds, which it must do soon.
#[track_caller]
pub(crate) fn soon(what: &str, mut condition: impl FnMut() -> bool) {
    let (start, patience) = (Instant::now(), patience());
    while !condition() {
        assert!(start.elapsed() < patience, "{what}: not after {patience:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The value, which must be there soon.
#[track_caller]
pub(crate) fn in_time<T: Debug>(value: Option<T>) -> T {
    value.expect("not in time")
}
