//! One child: its handle, how it ended, and how to end it.
//!
//! # References
//!
//! - [`GetExitCodeProcess`]
//! - [`TerminateProcess`]
//! - [`GenerateConsoleCtrlEvent`]
//!
//! [`GetExitCodeProcess`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-getexitcodeprocess
//! [`TerminateProcess`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-terminateprocess
//! [`GenerateConsoleCtrlEvent`]: https://learn.microsoft.com/en-us/windows/console/generateconsolectrlevent

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::os::windows::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, TerminateProcess, WaitForSingleObject};

use super::job::Job;
use crate::sys::Watch;
use crate::sys::windows::event::milliseconds_until;
use crate::sys::windows::{Poller, event_wait};

/// What std gives a child that it kills.
const KILLED: u32 = 1;

/// A child that was started here.
#[derive(Debug)]
pub(crate) struct Child {
    pub(super) process: OwnedHandle,
    pub(super) id: u32,
    /// It, and all that it starts.
    pub(super) job: Option<Job>,
    /// It was asked for to end them together, and the child is the first of a process group of the
    /// console.
    pub(super) has_group: bool,
    /// The job is killed when this process ends.
    pub(super) dies_with_parent: bool,
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn process(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }

    /// How it has ended, if it has. Its code alone does not tell: 259 is one, too.
    pub(crate) fn try_status(&self) -> io::Result<Option<ExitStatus>> {
        // SAFETY: an open handle.
        match unsafe { WaitForSingleObject(self.raw(), 0) } {
            WAIT_OBJECT_0 => {}
            WAIT_TIMEOUT => return Ok(None),
            _ => return Err(io::Error::last_os_error()),
        }
        let mut code = 0;
        // SAFETY: an open handle; the code lives on this stack.
        let done = unsafe { GetExitCodeProcess(self.raw(), &raw mut code) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Some(ExitStatus::from_raw(code))) }
    }

    fn raw(&self) -> HANDLE {
        self.process.as_raw_handle()
    }

    /// Blocks until it has ended, or `deadline` has come.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            // SAFETY: an open handle.
            match unsafe { WaitForSingleObject(self.raw(), milliseconds_until(deadline)) } {
                WAIT_OBJECT_0 => return Ok(()),
                WAIT_TIMEOUT if deadline.is_some_and(|deadline| deadline <= Instant::now()) => return Ok(()),
                // The longest time that can be expressed is over, or the clocks differ by a tick.
                WAIT_TIMEOUT => {}
                _ => return Err(io::Error::last_os_error()),
            }
        }
    }

    /// Has `tell` called when it has ended. The driver has no part in that.
    pub(crate) fn watch(&self, _: &Poller, _key: usize, tell: impl FnOnce() + Send + 'static) -> io::Result<Watch> {
        let process = Process(self.process.try_clone()?);
        Ok(match event_wait::when_set(process, tell) {
            Ok(()) => Watch::Told,
            Err(_) => Watch::Asking,
        })
    }

    /// Nothing: the pool's wait ends with the child.
    pub(crate) fn unwatch(&self, _: &Poller) {}

    /// Nothing: the system keeps a process as long as there is a handle to it.
    pub(crate) fn reap(&self) {}

    /// Whether this must stay when the caller has dropped the child: the child would be killed with
    /// its job.
    pub(crate) fn needs_care(&self) -> bool {
        self.dies_with_parent
    }

    /// Called when it is known to have ended: what it has left behind goes on.
    pub(crate) fn on_end(&self) {
        if let Some(job) = self.job.as_ref().filter(|_| self.dies_with_parent) {
            // Fails for want of memory, at worst.
            let _ = job.kill_on_close(false);
        }
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        // SAFETY: an open handle.
        if unsafe { TerminateProcess(self.raw(), KILLED) } != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // "Access denied", if it has ended.
        if matches!(self.try_status(), Ok(Some(_))) { Ok(()) } else { Err(error) }
    }

    /// Whether [`kill_tree`](Self::kill_tree) and [`terminate`](Self::terminate) reach its
    /// descendants.
    pub(crate) fn has_group(&self) -> bool {
        self.has_group
    }

    /// Kills everything in its job, also after its own end.
    pub(crate) fn kill_tree(&self) -> io::Result<()> {
        self.job.as_ref().map_or(Ok(()), |job| job.terminate(KILLED))
    }

    /// Asks everything in its process group to end. Only while it is alive: sent to a number that
    /// is no group's, the event reaches the whole console, this process included.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        if self.try_status()?.is_some() {
            return Ok(());
        }
        // SAFETY: takes numbers; the process is the first of a group of this number.
        let done = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.id) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// A handle that the thread pool waits for.
struct Process(OwnedHandle);

impl event_wait::Waitable for Process {
    fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}
