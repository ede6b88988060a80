//! Starts children, by `CreateProcessW`.
//!
//! # References
//!
//! - [`CreateProcessW`]
//! - [`STARTUPINFOEXW`]
//!
//! [`CreateProcessW`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-createprocessw
//! [`STARTUPINFOEXW`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/ns-winbase-startupinfoexw

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::io::{AsHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    EXTENDED_STARTUPINFO_PRESENT, PROCESS_INFORMATION, ResumeThread, STARTF_USESHOWWINDOW, STARTF_USESTDHANDLES,
    STARTUPINFOEXW, TerminateProcess,
};

use super::attributes::Attributes;
use super::command_line::Arg;
use super::environment::Environment;
use super::job::Job;
use super::stdio::Inheritable;
use super::{Child, batch, command_line, search, terminated};
use crate::sys::{ChildStdio, SpawnOptions};

/// A program, its arguments and its environment; makes any number of children.
#[derive(Debug)]
pub(crate) struct Builder {
    program: OsString,
    args: Vec<Arg>,
    environment: Environment,
    dir: Option<PathBuf>,
    flags: u32,
    show_window: Option<u16>,
}

impl Builder {
    pub(crate) fn new(program: &OsStr) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            environment: Environment::default(),
            dir: None,
            flags: 0,
            show_window: None,
        }
    }

    pub(crate) fn arg(&mut self, arg: &OsStr) {
        self.args.push(Arg { text: arg.to_owned(), is_raw: false });
    }

    pub(crate) fn raw_arg(&mut self, text: &OsStr) {
        self.args.push(Arg { text: text.to_owned(), is_raw: true });
    }

    pub(crate) fn env(&mut self, key: &OsStr, value: &OsStr) {
        self.environment.set(key, value);
    }

    pub(crate) fn env_remove(&mut self, key: &OsStr) {
        self.environment.remove(key);
    }

    pub(crate) fn env_clear(&mut self) {
        self.environment.clear();
    }

    pub(crate) fn current_dir(&mut self, dir: &Path) {
        self.dir = Some(dir.to_owned());
    }

    pub(crate) fn creation_flags(&mut self, flags: u32) {
        self.flags = flags;
    }

    pub(crate) fn show_window(&mut self, how: u16) {
        self.show_window = Some(how);
    }

    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    pub(crate) fn args(&self) -> impl Iterator<Item = &OsStr> {
        self.args.iter().map(|arg| arg.text.as_os_str())
    }

    pub(crate) fn envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.environment.changes()
    }

    pub(crate) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Starts a child. Keeps none of its handles.
    pub(crate) fn spawn(&mut self, stdio: [ChildStdio; 3], options: &SpawnOptions) -> io::Result<Child> {
        let found = search::find(&self.program, self.environment.path())?;
        let (application, line) = if batch::is_batch(&found) {
            (batch::interpreter()?, batch::command_line(&found, &self.args)?)
        } else {
            (found.into_os_string(), command_line::of(&self.program, &self.args)?)
        };
        let handles = Inheritable::new(stdio)?;
        let job = (options.own_group || options.die_with_parent).then(Job::new).transpose()?;
        if let Some(job) = job.as_ref().filter(|_| options.die_with_parent) {
            job.kill_on_close(true)?;
        }
        let group = if options.own_group { CREATE_NEW_PROCESS_GROUP } else { 0 };
        let (process, id) = self.create(&application, line, &handles, job.as_ref(), group)?;
        Ok(Child { process, id, job, has_group: options.own_group, dies_with_parent: options.die_with_parent })
    }

    fn create(
        &self,
        application: &OsStr,
        mut line: Vec<u16>,
        handles: &Inheritable,
        job: Option<&Job>,
        group: u32,
    ) -> io::Result<(OwnedHandle, u32)> {
        let application = terminated(application)?;
        let environment = self.environment.block()?;
        let dir = self.dir.as_deref().map(|dir| terminated(dir.as_os_str())).transpose()?;
        let standard = handles.raw();
        let inherited = listable(standard);
        let jobs = [job.map_or(ptr::null_mut(), Job::raw)];
        let mut attributes = Attributes::new()?;
        if !inherited.is_empty() {
            attributes.inherit(&inherited)?;
        }
        // Otherwise the child waits until it is in its job.
        let is_suspended = job.is_some() && attributes.put_in_job(&jobs).is_err();
        let mut startup = self.startup(standard);
        startup.lpAttributeList = attributes.raw();
        let flags = self.flags
            | group
            | CREATE_UNICODE_ENVIRONMENT
            | EXTENDED_STARTUPINFO_PRESENT
            | if is_suspended { CREATE_SUSPENDED } else { 0 };
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: strings that end with zeros, a writable command line, a startup structure of the
        // size that it states, whose list and handles live during the call.
        let done = unsafe {
            CreateProcessW(
                application.as_ptr(),
                line.as_mut_ptr(),
                /* lpProcessAttributes */ ptr::null(),
                /* lpThreadAttributes */ ptr::null(),
                i32::from(!inherited.is_empty()),
                flags,
                environment.as_ref().map_or(ptr::null(), |block| block.as_ptr().cast()),
                dir.as_ref().map_or(ptr::null(), |dir| dir.as_ptr()),
                (&raw const startup).cast(),
                &raw mut made,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded: new, and ours.
        let process = unsafe { OwnedHandle::from_raw_handle(made.hProcess) };
        // SAFETY: as above.
        let thread = unsafe { OwnedHandle::from_raw_handle(made.hThread) };
        if let Some(job) = job.filter(|_| is_suspended) {
            self.admit(&process, &thread, job)?;
        }
        Ok((process, made.dwProcessId))
    }

    /// Puts a suspended child into its job, and lets it run.
    fn admit(&self, process: &OwnedHandle, thread: &OwnedHandle, job: &Job) -> io::Result<()> {
        use std::os::windows::io::AsRawHandle;

        if let Err(error) = job.assign(process.as_handle()) {
            // SAFETY: an open handle. The child has not run.
            unsafe { TerminateProcess(process.as_raw_handle(), 1) };
            return Err(error);
        }
        if self.flags & CREATE_SUSPENDED == 0 {
            // SAFETY: an open handle.
            unsafe { ResumeThread(thread.as_raw_handle()) };
        }
        Ok(())
    }

    fn startup(&self, [stdin, stdout, stderr]: [HANDLE; 3]) -> STARTUPINFOEXW {
        let mut startup = STARTUPINFOEXW::default();
        let info = &mut startup.StartupInfo;
        info.cb = size_of::<STARTUPINFOEXW>().try_into().unwrap_or(u32::MAX);
        if [stdin, stdout, stderr].iter().any(|handle| !handle.is_null()) {
            info.dwFlags |= STARTF_USESTDHANDLES;
            (info.hStdInput, info.hStdOutput, info.hStdError) = (stdin, stdout, stderr);
        }
        if let Some(how) = self.show_window {
            info.dwFlags |= STARTF_USESHOWWINDOW;
            info.wShowWindow = how;
        }
        startup
    }
}

/// The handles that go into a list. Those of a console before Windows 8 are no handles of the
/// kernel (their two lowest bits are set), and are inherited in another way.
fn listable(handles: [HANDLE; 3]) -> Vec<HANDLE> {
    handles.into_iter().filter(|handle| !handle.is_null() && handle.addr() & 3 != 3).collect()
}
