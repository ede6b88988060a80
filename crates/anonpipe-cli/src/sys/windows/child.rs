//! A command in a job object, which holds all that it starts.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, RtlNtStatusToDosError};
use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};
use windows_sys::Win32::System::Threading::{CREATE_NO_WINDOW, CREATE_SUSPENDED};

use crate::status;
use crate::sys::Exit;

// Undecorated: on 32-bit x86 rustc would else ask for `NtResumeProcess@4`, and ntdll exports no
// such name.
#[cfg_attr(target_arch = "x86", link(name = "ntdll", kind = "raw-dylib", import_name_type = "undecorated"))]
#[cfg_attr(not(target_arch = "x86"), link(name = "ntdll", kind = "raw-dylib"))]
unsafe extern "system" {
    /// Resumes every thread of a process. Undocumented, and what debuggers use; std does not give
    /// out a child's first thread, which ResumeThread would need.
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// What a process that we terminate exits with, as for Task Manager.
const TERMINATED: u32 = 1;

pub(crate) struct Child {
    child: std::process::Child,
    job: OwnedHandle,
}

impl Child {
    /// Starts the command suspended, so that nothing it starts can escape from the job.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let job = create_job().map_err(|error| failed("create a job object", &error))?;
        // Without a console of ours to share, a console program would open one, with a window.
        let no_window = if has_console() { 0 } else { CREATE_NO_WINDOW };
        let mut child = command.creation_flags(CREATE_SUSPENDED | no_window).spawn()?;
        let under_way = assign(&job, &child)
            .map_err(|error| failed("put it into a job object", &error))
            .and_then(|()| resume(&child).map_err(|error| failed("resume it", &error)));
        if let Err(error) = under_way {
            // It has not run yet. If it cannot be ended either, there is no more to be done about
            // it.
            let _ = child.kill();
            return Err(error);
        }
        Ok(Self { child, job })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process's handle, open for as long as `self`.
    pub(super) fn handle(&self) -> HANDLE {
        self.child.as_raw_handle()
    }

    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| Exit { code: status.code(), signal: None }))
    }

    /// There is no way to ask: a console's Ctrl-Break reaches a process group only if that group
    /// was cut off from Ctrl-C, and programs without a console and a window have nothing.
    pub(crate) fn terminate(&mut self) {
        self.kill();
    }

    pub(crate) fn kill(&mut self) {
        // SAFETY: the job's handle is open as long as `self`, and has all access. Fails only when
        // everything has ended.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), TERMINATED) };
    }

    /// A job that was terminated has no process left, and gets no new one.
    #[expect(clippy::unused_self, reason = "it is a question on other systems")]
    pub(crate) fn has_group(&mut self) -> bool {
        false
    }
}

fn failed(what: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot {what}: {error}"))
}

/// Anonymous, and without limits: what the command started lives on after us, as on Unix.
fn create_job() -> io::Result<OwnedHandle> {
    // SAFETY: both pointers may be null: no descriptor (and so not inheritable), no name.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is open, and no one else's.
    Ok(unsafe { OwnedHandle::from_raw_handle(job) })
}

fn assign(job: &OwnedHandle, child: &std::process::Child) -> io::Result<()> {
    // SAFETY: both handles are open, because they are borrowed from their owners.
    let assigned = unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
    if assigned == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn resume(child: &std::process::Child) -> io::Result<()> {
    // SAFETY: the process's handle is open, and has all access as its creator got it.
    let status = unsafe { NtResumeProcess(child.as_raw_handle()) };
    if status >= 0 {
        return Ok(());
    }
    // SAFETY: a function of a number.
    let code = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(code.cast_signed()))
}

/// Whether this process has a console, with a window or without. Its name opens it even where our
/// own streams are something else (*documented*, "Console Handles"). GetConsoleCP, which fails
/// without a console, is 0 in some consoles, too (*observed*, Wine 8).
fn has_console() -> bool {
    File::options().read(true).write(true).open("CONOUT$").is_ok()
}

/// The exit status for a command that could not be started, as shells have it.
pub(crate) fn spawn_status(program: &Path, error: &io::Error) -> i32 {
    match error.kind() {
        // Nothing that could be looked for.
        _ if program.file_name().is_none() && !program.exists() => status::NOT_FOUND,
        io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename => status::NOT_FOUND,
        // No program, or no permission. What std or we refuse has no code of the system's.
        _ if error.raw_os_error().is_some() => status::NOT_EXECUTABLE,
        _ => status::FAILED,
    }
}
