//! A time limit for each rule, which tells what the rule was doing when the time was up.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, io, process, thread};

/// What a hanging test ends the process with.
const HUNG: i32 = 86;

/// Where a rule says what it does, and finds its name.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    doing: Arc<Mutex<String>>,
}

impl Limit {
    /// Notes what the rule does from now on.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }
}

/// Runs a rule, and ends the process if it takes too long.
pub(crate) fn limited(name: &'static str, rule: impl FnOnce(&Limit)) {
    let seconds = env::var("ANONPIPE_TEST_DEADLINE").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(120);
    let limit = Limit { name, doing: Arc::new(Mutex::new("starting".to_owned())) };
    let watched = limit.clone();
    let (running, ended) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
            let doing = watched.doing.lock().unwrap_or_else(PoisonError::into_inner);
            // Not `eprintln`, which is captured.
            let _ = writeln!(io::stderr(), "\ntest {name} hangs: after {seconds} s still {doing}");
            process::exit(HUNG);
        }
    });
    rule(&limit);
    drop(running);
    watchdog.join().expect("the watchdog");
}
