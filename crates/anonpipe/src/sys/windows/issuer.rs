//! The handle of an overlapped end.
//!
//! # References
//!
//! - [`ReadFile`](https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfile)
//! - [`WriteFile`]
//! - [`CancelIoEx`]
//! - [`SetFileCompletionNotificationModes`]
//! - [`FILE_COMPLETION_INFORMATION`]
//! - [golang/go#80979](https://github.com/golang/go/issues/80979)
//!
//! [`WriteFile`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-writefile
//! [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
//! [`SetFileCompletionNotificationModes`]: https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-setfilecompletionnotificationmodes
//! [`FILE_COMPLETION_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_completion_information

#[cfg(test)]
mod shortage;

use std::io;
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Storage::FileSystem::{FileReplaceCompletionInformation, NtSetInformationFile};
use windows_sys::Win32::Foundation::STATUS_PENDING;
use windows_sys::Win32::Storage::FileSystem::{ReadFile, SetFileCompletionNotificationModes, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, IO_STATUS_BLOCK, OVERLAPPED};
use windows_sys::Win32::System::WindowsProgramming::FILE_SKIP_COMPLETION_PORT_ON_SUCCESS;

use super::event::Event;
use super::port::Port;
use super::slot::Slot;
use super::wine::IssuingThread;
use super::{MAX_PIECE, MAX_READ, MAX_TRANSFER, MIN_PIECE, Process, answers, clamp, probe};
use crate::buffer::Loan;
use crate::channel::completion::{self, Answer, Bound, SlotId};
use crate::contract::{Failure, Half, Outcome};

/// The handle of an overlapped end.
pub(crate) struct Issuer {
    /// Closed when this is dropped, unless it was given away.
    handle: ManuallyDrop<OwnedHandle>,
    given_away: AtomicBool,
    /// What the tests have it refuse: Wine never does.
    #[cfg(test)]
    shortage: shortage::Shortage,
}

impl Issuer {
    pub(crate) fn new(handle: OwnedHandle) -> Self {
        Self {
            handle: ManuallyDrop::new(handle),
            given_away: AtomicBool::new(false),
            #[cfg(test)]
            shortage: shortage::Shortage::default(),
        }
    }
}

impl AsHandle for Issuer {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if !*self.given_away.get_mut() {
            // SAFETY: this is its only drop, it was not given away, and nothing uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.handle) };
        }
    }
}

impl completion::Issuer for Issuer {
    type Process = Process;
    type Handle = OwnedHandle;
    type Port = Port;
    type Slot = Slot;
    type Event = Event;
    type Thread = IssuingThread;
    /// The Win32 code.
    type Said = u32;

    const MAX_TRANSFER: usize = MAX_TRANSFER;
    const MAX_READ: usize = MAX_READ;
    const MAX_PIECE: usize = MAX_PIECE;
    const MIN_PIECE: usize = MIN_PIECE;

    fn issue(&self, half: Half, loan: &Loan<Slot>, event: Option<&Event>, packet_on_success: bool) -> Answer {
        let handle = self.handle.as_raw_handle();
        let (slot, (data, length)) = (loan.slot(), loan.address(half));
        #[cfg(test)]
        if let Some(code) = self.shortage.code_for(half, length) {
            return answers::refused(half, code, 0, length);
        }
        let overlapped = slot.lend_to_kernel(event.map_or(ptr::null_mut(), Event::without_packet));
        let (data, count) = (data.as_ptr(), clamp(length));
        let done = match half {
            // SAFETY: a loan's slot and bytes belong together. While the kernel has the slot, the
            // bytes are not given back, and neither is freed: that would end the process. The bytes
            // that a read gets may be written to, and nothing looks at them meanwhile.
            Half::Read => unsafe { ReadFile(handle, data, count, ptr::null_mut(), overlapped) },
            // SAFETY: as above; a write only reads the bytes.
            Half::Write => unsafe { WriteFile(handle, data, count, ptr::null_mut(), overlapped) },
        };
        if done == 0 {
            let code = answers::last_code();
            if answers::is_pending(code) {
                return Answer::Pending;
            }
            // An operation that fails at once sends no packet, and its event stays reset.
            slot.take_back();
            return answers::refused(half, code, slot.result().1, length);
        }
        if packet_on_success {
            return Answer::Pending;
        }
        self.observe(half, loan)
    }

    fn observe(&self, half: Half, loan: &Loan<Slot>) -> Answer {
        let slot = loan.slot();
        let (status, count) = slot.result();
        if status == STATUS_PENDING {
            return Answer::Pending;
        }
        slot.take_back();
        answers::transfer(half, answers::code_of(status), count, loan.address(half).1)
    }

    fn observe_lost(&self, half: Half, loan: &Loan<Slot>, said: u32) -> Outcome {
        loan.slot().take_back();
        answers::of_packet(half, said, loan.address(half).1)
    }

    /// The kernel does not find operations that are complete or already cancelled.
    fn cancel(&self, id: SlotId) -> bool {
        let overlapped: *mut OVERLAPPED = ptr::without_provenance_mut(id.0);
        // SAFETY: the kernel only compares the pointer with those of the operations in flight.
        let done = unsafe { CancelIoEx(self.handle.as_raw_handle(), overlapped) };
        done != 0 || answers::had_operation(answers::last_code())
    }

    /// On a byte pipe a write is a number of bytes; on a pipe for messages it is a message.
    fn takes_pieces(&self) -> bool {
        probe::is_for_messages(self.as_handle()).is_ok_and(|is| !is)
    }

    fn bind(&self, port: &Port, key: usize) -> io::Result<Bound> {
        match port.bind(self.as_handle(), key) {
            Ok(()) => {}
            Err(error) if answers::is_bound_elsewhere(&error) => return Ok(Bound::Elsewhere),
            Err(error) => return Err(error),
        }
        // Never FILE_SKIP_SET_EVENT_ON_HANDLE: the mode cannot be taken back, and another owner of
        // the handle who waits for the file object, as ReadFile and WriteFile do without an
        // OVERLAPPED, would wait for ever (golang/go#80979).
        let modes = u8::try_from(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS).unwrap_or(0);
        // SAFETY: the call needs only an open handle.
        let skips = unsafe { SetFileCompletionNotificationModes(self.handle.as_raw_handle(), modes) } != 0;
        Ok(Bound::Here { skips })
    }

    /// Does nothing on a system that cannot unbind: Wine 8.0 answers that this is not implemented
    /// (*observed*).
    fn unbind(&self) {
        let none = FileCompletionInformation { port: ptr::null_mut(), key: ptr::null_mut() };
        let mut block = IO_STATUS_BLOCK::default();
        let size = u32::try_from(size_of_val(&none)).unwrap_or(0);
        // SAFETY: the struct of this class, on this stack, with its size; the call is synchronous.
        unsafe {
            NtSetInformationFile(
                self.handle.as_raw_handle(),
                &raw mut block,
                ptr::from_ref(&none).cast(),
                size,
                FileReplaceCompletionInformation,
            )
        };
    }

    fn post(port: &Port, key: usize, id: SlotId) -> io::Result<()> {
        port.post(key, id)
    }

    fn is_inheritable(&self) -> bool {
        probe::is_inheritable(self.as_handle()).unwrap_or(true)
    }

    fn is_readable(&self) -> bool {
        probe::is_readable(self.as_handle())
    }

    fn refusal_of_writes(&self) -> Option<Failure> {
        probe::refusal_of_writes(self.as_handle())
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        super::shutdown_write(self.as_handle())
    }

    fn give_away(&self) -> Option<OwnedHandle> {
        if self.given_away.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: open, and the drop of this no longer closes it; nothing uses it here from now on,
        // says the channel.
        Some(unsafe { OwnedHandle::from_raw_handle(self.handle.as_raw_handle()) })
    }
}

/// `FILE_COMPLETION_INFORMATION`. Zeros unbind (Windows 8.1 and later; *documented*, ntifs.h).
#[repr(C)]
struct FileCompletionInformation {
    port: *mut std::ffi::c_void,
    key: *mut std::ffi::c_void,
}
