//! Children that the system ends when this process has ended.
//!
//! # References
//!
//! - [PR_SET_PDEATHSIG(2const)](https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html)
//! - [procctl(2)](https://man.freebsd.org/cgi/man.cgi?query=procctl&sektion=2)

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, getpid, getppid};

use crate::sys::PerProcess;
use crate::sys::unix::signals::{SignalMask, with_signals_left_to_the_program};

/// The process with which a child ends.
#[derive(Debug)]
pub(super) struct Parent(Pid);

impl Parent {
    pub(super) fn this_process() -> Self {
        Self(getpid())
    }
}

pub(crate) const IS_POSSIBLE: bool = cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd"));

/// In the child: asks the system to end it with its parent.
pub(super) fn end_with(parent: &Parent) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: takes numbers.
        super::in_child::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    }
    #[cfg(target_os = "freebsd")]
    {
        let mut signal = libc::SIGKILL;
        // SAFETY: process 0 is the caller, and the call reads one signal number.
        super::in_child::check(unsafe {
            libc::procctl(libc::P_PID, 0, libc::PROC_PDEATHSIG_CTL, (&raw mut signal).cast())
        })?;
    }
    // It may have ended before the call.
    if getppid() == Some(parent.0) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts the child from a thread that never ends. On Linux the "parent" whose end counts is the
/// thread that forked (*documented*).
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    if !IS_POSSIBLE {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot end a child with its parent"));
    }
    let spawner = spawner()?;
    // The thread needs it as its own for a moment.
    let mut moved = std::mem::replace(command, Command::new(""));
    let mask = SignalMask::of_this_thread();
    let (done, result) = channel();
    let job = Box::new(move || {
        // A child inherits the mask of the thread that forks.
        let spawned = mask.during(|| moved.spawn());
        // The caller waits for it.
        let _ = done.send((moved, spawned));
    });
    spawner.send(job).map_err(|_| gone())?;
    let (moved, spawned) = result.recv().map_err(|_| gone())?;
    *command = moved;
    spawned
}

/// Only if a caller's closure has panicked in the thread, and ended it.
fn gone() -> io::Error {
    io::Error::other("the thread that starts such children has ended")
}

/// The thread that starts such children; the first call starts it.
fn spawner() -> io::Result<Sender<Job>> {
    static SPAWNER: PerProcess<Mutex<Option<Sender<Job>>>> = PerProcess::new();

    let mut known = SPAWNER.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(spawner) = &*known {
        return Ok(spawner.clone());
    }
    let (spawner, jobs) = channel::<Job>();
    let thread = std::thread::Builder::new().name("anonpipe-spawner".into());
    let run = move || jobs.into_iter().for_each(|job| job());
    with_signals_left_to_the_program(|| thread.spawn(run))?;
    Ok(known.insert(spawner).clone())
}
