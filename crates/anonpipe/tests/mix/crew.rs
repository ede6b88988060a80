//! Threads for jobs that need one.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Whether a thread that has done its job waits for the next. Under Wine a read whose thread ends
/// while it completes can lose its bytes (*observed*, Wine 8), so there every thread outlives what
/// it submits.
const THREADS_STAY: bool = cfg!(windows);

/// The threads that have nothing to do.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

fn idle() -> std::sync::MutexGuard<'static, Vec<Sender<Job>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a thread do `job`.
pub(crate) fn send_out(job: impl FnOnce() + Send + 'static) {
    if !THREADS_STAY {
        thread::spawn(job);
        return;
    }
    let known = idle().pop();
    let thread = known.unwrap_or_else(|| {
        let (jobs, mine) = channel::<Job>();
        let me = jobs.clone();
        thread::spawn(move || {
            for job in mine {
                job();
                idle().push(me.clone());
            }
        });
        jobs
    });
    thread.send(Box::new(job)).expect("it waits for jobs as long as the process lives");
}
