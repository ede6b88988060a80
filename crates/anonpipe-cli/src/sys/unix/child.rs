//! A command as the leader of a process group.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group, test_kill_process_group};

use crate::status;
use crate::sys::Exit;

pub(crate) struct Child {
    child: std::process::Child,
    /// Its process group, which has its number; `None` once that is known to be empty, when the
    /// number may be another's.
    group: Option<Pid>,
    /// Its exit was not asked for yet, so that its number is its own, even if it left the group.
    unreaped: bool,
}

impl Child {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self { child, group, unreaped: true })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        let status = self.child.try_wait()?;
        self.unreaped &= status.is_none();
        Ok(status.map(|status| Exit { code: status.code(), signal: status.signal() }))
    }

    /// Passes a signal on to the whole group.
    pub(crate) fn signal(&mut self, number: i32) {
        // What arrives is one of the few that `Watch` registered, all of which have names.
        if let Some(signal) = Signal::from_named_raw(number) {
            self.send(signal);
        }
    }

    /// Passes a signal on to the command alone.
    pub(crate) fn signal_alone(&mut self, number: i32) {
        if let (Some(pid), true, Some(signal)) = (self.group, self.unreaped, Signal::from_named_raw(number)) {
            // It may end at any time, and then has no use for it.
            let _ = kill_process(pid, signal);
        }
    }

    /// Asks the whole group to end.
    pub(crate) fn terminate(&mut self) {
        self.send(Signal::TERM);
        // One that is stopped does not notice before it goes on.
        self.send(Signal::CONT);
    }

    pub(crate) fn kill(&mut self) {
        self.send(Signal::KILL);
    }

    fn send(&mut self, signal: Signal) {
        let Some(group) = self.group else { return };
        let sent = kill_process_group(group, signal);
        if !self.unreaped {
            if sent == Err(Errno::SRCH) {
                self.group = None;
            }
        } else if getpgid(Some(group)) != Ok(group) {
            // It went to another group. If we may not signal it, there is no more to be done.
            let _ = kill_process(group, signal);
        }
    }

    /// Whether anything of the group still runs. To be asked only after
    /// [`try_wait`](Self::try_wait) has seen the child's end.
    pub(crate) fn has_group(&mut self) -> bool {
        if let Some(group) = self.group {
            if test_kill_process_group(group).is_err() {
                self.group = None;
            } else if is_dead(group) {
                // A process may have been started while we looked.
                self.kill();
                self.group = None;
            }
        }
        self.group.is_some()
    }
}

/// Whether a group has only members that have ended. They belong to it until their parent has taken
/// note, and an orphan's new parent, a container's first process, may never do that.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_dead(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut any = false;
    for process in processes.flatten() {
        // What is not a process has none, and what has gone meanwhile has none any more.
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        // "PID (NAME) STATE PPID PGRP ...", and a name may have anything in it (*documented*,
        // proc_pid_stat(5)).
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next();
        let of_group = fields.nth(1).and_then(|number| number.parse().ok()) == Some(group.as_raw_nonzero().get());
        if of_group && !matches!(state, Some("Z" | "X")) {
            return false;
        }
        any |= of_group;
    }
    // Otherwise this is not the /proc that we took it for.
    any
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_dead(_group: Pid) -> bool {
    false
}

/// The exit status for a command that could not be started, as shells have it.
pub(crate) fn spawn_status(program: &Path, error: &io::Error) -> i32 {
    // What exists has an interpreter that does not.
    let is_there = if program.as_os_str().as_bytes().contains(&b'/') {
        program.exists()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        !program.as_os_str().is_empty() && std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !is_there => status::NOT_FOUND,
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => status::FAILED,
        _ => status::NOT_EXECUTABLE,
    }
}
