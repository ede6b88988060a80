//! What a new process gets beyond the parameters of `CreateProcessW`: its list of handles, and its
//! job.
//!
//! # References
//!
//! - [`UpdateProcThreadAttribute`]
//!
//! [`UpdateProcThreadAttribute`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-updateprocthreadattribute

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, UpdateProcThreadAttribute,
};

/// A list of attributes. It refers to the handles, which have to live as long.
pub(super) struct Attributes<'a> {
    list: Vec<usize>,
    handles: PhantomData<&'a [HANDLE]>,
}

/// Which of this crate's attributes there are.
const COUNT: u32 = 2;

impl<'a> Attributes<'a> {
    pub(super) fn new() -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: asks for the size alone.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), COUNT, 0, &raw mut size) };
        // Of units that are aligned for pointers.
        let mut list = vec![0_usize; size.div_ceil(size_of::<usize>())];
        // SAFETY: as much memory as the call above has asked for.
        let done = unsafe { InitializeProcThreadAttributeList(list.as_mut_ptr().cast(), COUNT, 0, &raw mut size) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self { list, handles: PhantomData }) }
    }

    /// The child inherits these handles, which are inheritable, and no others.
    pub(super) fn inherit(&mut self, handles: &'a [HANDLE]) -> io::Result<()> {
        self.update(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles)
    }

    /// The child starts in this job. Windows before 10 cannot do that.
    pub(super) fn put_in_job(&mut self, jobs: &'a [HANDLE; 1]) -> io::Result<()> {
        self.update(PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs)
    }

    fn update(&mut self, attribute: u32, handles: &'a [HANDLE]) -> io::Result<()> {
        let value: *const c_void = handles.as_ptr().cast();
        // SAFETY: the list was initialised by `new`; the handles live as long as the list.
        let done = unsafe {
            UpdateProcThreadAttribute(
                self.raw(),
                0,
                attribute as usize,
                value,
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub(super) fn raw(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_mut_ptr().cast()
    }
}

impl Drop for Attributes<'_> {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, and not used afterwards.
        unsafe { DeleteProcThreadAttributeList(self.raw()) };
    }
}
