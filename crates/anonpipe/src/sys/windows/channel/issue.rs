//! Giving operations to the kernel.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::sync::MutexGuard;

use windows_sys::Win32::Foundation::{ERROR_BROKEN_PIPE, ERROR_IO_PENDING, GetLastError};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::slot::{prepare, result_of};
use super::super::transfer::{clamp, outcome};
use super::super::wine::Issuer;
use super::Channel;
use super::completion::Ended;
use super::queue::Queue;
use crate::error::Failure;
use crate::op::{Flow, Header, Outcome};

/// How many empty messages a read may meet in a row before others get their turn: the caller, who
/// wants to submit and not to wait, or the other ends of the driver that goes on with it.
const PATIENCE: usize = 16;

/// What became of issuing an operation.
pub(super) enum Issued {
    Done(Outcome),
    Pending,
    /// It read an empty message of a peer that writes messages. Nothing came of it, so it has to go
    /// on.
    Empty,
}

impl Channel {
    /// Issues an operation that is in the queue, on this thread and for our port; again, if it
    /// meets an empty message. Returns it if it is over.
    ///
    /// It is in the queue before it is issued. The lock is held meanwhile, so that the queue's
    /// order is the kernel's, and a cancel comes before (and is seen here) or after (and goes to
    /// the kernel).
    pub(super) fn issue_for_port(
        &self,
        flow: Flow,
        mut queue: MutexGuard<'_, Queue>,
        overlapped: *mut OVERLAPPED,
        skips: bool,
    ) -> Option<Ended> {
        for _ in 0..PATIENCE {
            let entry = queue.find(overlapped)?;
            if entry.is_cancelled() {
                return queue.end(overlapped, Err(Failure::Cancelled { transferred: Some(0) }));
            }
            entry.set_issuer(Issuer::this_thread());
            let header = entry.header()?;
            let (data, length) = (header.data(), clamp(header.length()));
            // The packet of an operation that succeeds at once is skipped, or comes all the same.
            // SAFETY: buffer and OVERLAPPED belong to the operation, of which the queue owns a
            // share until the completion was observed. The buffer is not looked at before that. The
            // kernel does not have them: it was not issued, or is over, and what is with the kernel
            // is never passed here.
            match unsafe { self.issue(flow, overlapped, ptr::null_mut(), data, length, !skips) } {
                Issued::Pending => {
                    queue.set_issued(overlapped);
                    return None;
                }
                Issued::Done(outcome) => return queue.end(overlapped, outcome),
                Issued::Empty => queue.send_to_the_back(overlapped, false),
            }
        }
        // A peer that writes nothing else holds up neither the caller nor other ends: the driver
        // goes on with it when it comes to that.
        match self.binding().post(overlapped) {
            Ok(()) => None,
            Err(error) => queue.end(overlapped, Err(error.into())),
        }
    }

    /// Gives one operation to the kernel.
    ///
    /// # Safety
    ///
    /// `data` must be good for `length` bytes, and `overlapped` valid and unused; both must stay,
    /// untouched by anyone else, until the completion was observed.
    pub(super) unsafe fn issue(
        &self,
        flow: Flow,
        overlapped: *mut OVERLAPPED,
        event: *mut c_void,
        data: *mut u8,
        length: u32,
        packet_on_success: bool,
    ) -> Issued {
        let handle = self.handle.as_raw_handle();
        // SAFETY: valid and unused, says the caller.
        unsafe { prepare(overlapped, event) };
        let done = match flow {
            // SAFETY: what must live lives until the completion, says the caller.
            Flow::Read => unsafe { ReadFile(handle, data, length, ptr::null_mut(), overlapped) },
            // SAFETY: as above.
            Flow::Write => unsafe { WriteFile(handle, data, length, ptr::null_mut(), overlapped) },
        };
        if done == 0 {
            // SAFETY: takes nothing, and cannot fail.
            let error = unsafe { GetLastError() };
            return match error {
                ERROR_IO_PENDING => Issued::Pending,
                _ => Issued::Done(failed_at_once(flow, error)),
            };
        }
        if packet_on_success {
            return Issued::Pending;
        }
        // SAFETY: it is complete, so the kernel is done with it.
        let (status, count) = unsafe { result_of(overlapped) };
        outcome(flow, status, count, length as usize).map_or(Issued::Empty, Issued::Done)
    }
}

/// An operation that failed when it was issued: no packet, and the event stays reset.
fn failed_at_once(flow: Flow, error: u32) -> Outcome {
    match (flow, error) {
        (Flow::Read, ERROR_BROKEN_PIPE) => Ok(0),
        _ => Err(Failure::Os { error: io::Error::from_raw_os_error(error.cast_signed()), transferred: Some(0) }),
    }
}

/// Refuses a length that the system cannot take at once, rather than cutting it short.
pub(super) fn check_length(header: &Header) -> Result<(), Failure> {
    u32::try_from(header.length()).map(drop).map_err(|_| {
        let why = format!("the buffer has {} bytes, and Windows takes at most {} at once", header.length(), u32::MAX);
        Failure::refused(io::ErrorKind::InvalidInput, why)
    })
}
