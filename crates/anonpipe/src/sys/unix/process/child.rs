//! One child: its number, how it ended, and signals to it and to its group.
//!
//! # References
//!
//! - [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html)
//! - [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html)
//! - [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process, kill_process_group, waitpid};

use super::exit_watch::Observer;
use crate::sys::unix::answers::uninterrupted;
use crate::sys::{FIRST_PAUSE, LONGEST_PAUSE};

/// A child that was started here.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// It leads a process group of its own, which has its number.
    leads_group: bool,
    /// Held while its number is used, because the number is free for others once it was reaped.
    state: Mutex<State>,
    pub(super) observer: Observer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Alive, or a zombie: the number is its own.
    Unreaped,
    /// With its exit status, if it was this process that reaped it.
    Reaped(Option<ExitStatus>),
}

impl Child {
    pub(super) fn new(id: u32, leads_group: bool) -> io::Result<Self> {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the system's number of the child is no process id"))?;
        Ok(Self { pid, leads_group, state: Mutex::new(State::Unreaped), observer: Observer::default() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it has ended, if it has. It stays a zombie, and its number its own, until
    /// [`reap`](Self::reap).
    pub(crate) fn try_status(&self) -> io::Result<Option<ExitStatus>> {
        let mut state = self.state();
        match *state {
            State::Reaped(status @ Some(_)) => Ok(status),
            State::Reaped(None) => Err(Errno::CHILD.into()),
            State::Unreaped => {
                let status = observe(self.pid)?;
                if status.is_some() && REAPS_AT_ONCE {
                    *state = State::Reaped(status);
                }
                Ok(status)
            }
        }
    }

    /// Makes what the exit is observed with, while the number is the child's own. `false`: it was
    /// reaped.
    pub(super) fn prepare_observer(&self) -> bool {
        let state = self.state();
        let is_unreaped = *state == State::Unreaped;
        if is_unreaped {
            self.observer.prepare(self.pid);
        }
        is_unreaped
    }

    /// Lets the system forget a child that has ended.
    pub(crate) fn reap(&self) {
        let mut state = self.state();
        if *state == State::Unreaped {
            match uninterrupted(|| waitpid(Some(self.pid), WaitOptions::NOHANG)) {
                Ok(None) => {}
                Ok(Some((_, status))) => *state = State::Reaped(Some(ExitStatus::from_raw(status.as_raw()))),
                // The program has asked the system for it, or has told it to reap all children.
                Err(_) => *state = State::Reaped(None),
            }
        }
    }

    /// Blocks until it has ended, or `deadline` has come.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        if deadline.is_none() && !REAPS_AT_ONCE {
            return wait_for(self.pid);
        }
        if self.prepare_observer() && self.observer.wait(deadline)? {
            return Ok(());
        }
        let mut pause = FIRST_PAUSE;
        while self.try_status()?.is_none() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            std::thread::sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Whether the system must be asked for it when it has ended: it is a zombie until then.
    pub(crate) fn needs_care(&self) -> bool {
        true
    }

    /// Called when it is known to have ended.
    pub(crate) fn on_end(&self) {}

    pub(crate) fn kill(&self) -> io::Result<()> {
        match *self.state() {
            State::Reaped(_) => Ok(()),
            State::Unreaped => sent(kill_process(self.pid, Signal::KILL)),
        }
    }

    /// Whether [`kill_tree`](Self::kill_tree) and [`terminate`](Self::terminate) reach its
    /// descendants.
    pub(crate) fn has_group(&self) -> bool {
        self.leads_group
    }

    /// Kills everything in its group, also after its own end.
    pub(crate) fn kill_tree(&self) -> io::Result<()> {
        self.signal_group(Signal::KILL)
    }

    /// Asks everything in its group to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.signal_group(Signal::TERM)?;
        // One that is stopped does not notice before it goes on.
        self.signal_group(Signal::CONT)
    }

    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let state = self.state();
        if *state != State::Unreaped {
            // The number may be another's.
            return Ok(());
        }
        let to_group = sent(kill_process_group(self.pid, signal));
        if getpgid(Some(self.pid)).is_ok_and(|group| group != self.pid) {
            // It went to another group.
            return sent(kill_process(self.pid, signal));
        }
        to_group
    }
}

/// A signal that nothing was left to receive has done its work. Apple's systems answer "not
/// permitted" for a group of which only zombies are left.
fn sent(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::SRCH) => Ok(()),
        Err(Errno::PERM) if cfg!(target_vendor = "apple") => Ok(()),
        other => Ok(other?),
    }
}

/// Whether asking how a child has ended is the same as reaping it: rustix does not have the other
/// call there, or not its answers.
const REAPS_AT_ONCE: bool = cfg!(any(target_os = "openbsd", target_os = "netbsd"));

#[cfg(not(any(target_os = "openbsd", target_os = "netbsd")))]
fn observe(pid: Pid) -> io::Result<Option<ExitStatus>> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let Some(status) = uninterrupted(|| waitid(WaitId::Pid(pid), options))? else { return Ok(None) };
    // As wait(2) encodes it.
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | if status.dumped() { 0x80 } else { 0 },
        (None, None) => return Ok(None),
    };
    Ok(Some(ExitStatus::from_raw(raw)))
}

#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
fn observe(pid: Pid) -> io::Result<Option<ExitStatus>> {
    let ended = uninterrupted(|| waitpid(Some(pid), WaitOptions::NOHANG))?;
    Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
}

/// Blocks until a child has ended.
#[cfg(not(any(target_os = "openbsd", target_os = "netbsd")))]
fn wait_for(pid: Pid) -> io::Result<()> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    uninterrupted(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))?;
    Ok(())
}

#[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
fn wait_for(_: Pid) -> io::Result<()> {
    Ok(())
}
