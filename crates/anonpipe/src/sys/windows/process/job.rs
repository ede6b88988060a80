//! Jobs: what a child starts is in the child's job.
//!
//! # References
//!
//! - [Job Objects]
//! - [`JOBOBJECT_BASIC_LIMIT_INFORMATION`]
//!
//! [Job Objects]: https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
//! [`JOBOBJECT_BASIC_LIMIT_INFORMATION`]: https://learn.microsoft.com/en-us/windows/win32/api/winnt/ns-winnt-jobobject_basic_limit_information

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};

#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

fn check(done: i32) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Job {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no attributes, no name.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new, and ours.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(job) }))
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// Whether all that is in the job is killed when its last handle, which is ours, is closed.
    pub(super) fn kill_on_close(&self, kill: bool) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        if kill {
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        }
        let size = size_of_val(&limits).try_into().unwrap_or(u32::MAX);
        // SAFETY: an open job, and a structure of the class and size that are given.
        check(unsafe {
            SetInformationJobObject(self.raw(), JobObjectExtendedLimitInformation, (&raw const limits).cast(), size)
        })
    }

    pub(super) fn assign(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: two open handles.
        check(unsafe { AssignProcessToJobObject(self.raw(), process.as_raw_handle()) })
    }

    /// Ends all that is in the job.
    pub(super) fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: an open job.
        check(unsafe { TerminateJobObject(self.raw(), code) })
    }
}
