//! Reads and writes that block the caller: an event of the issuing thread, no port, no hop, no other thread.

use std::io::{self, IoSlice, IoSliceMut};
use std::time::Instant;

use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::event::Event;
use super::super::probe;
use super::super::slot::{Slot, result_of};
use super::super::transfer::{clamp, first, first_mut, outcome};
use super::{Channel, Entry, Issued};
use crate::error::Failure;
use crate::op::{Flow, Outcome};

impl Channel {
    /// Reads, blocking the caller until `deadline`.
    pub(crate) fn read(&self, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
        let buffer = first_mut(buffers);
        self.block_on(Flow::Read, buffer.as_mut_ptr(), clamp(buffer.len()), deadline)
    }

    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    /// Whether there is something to read, or the end of file. If it is not known, no.
    pub(crate) fn is_readable(&self) -> bool {
        probe::is_readable(self.pipe())
    }

    #[cfg_attr(
        not(any(feature = "tokio", feature = "futures-io")),
        allow(dead_code, reason = "for the async traits, which are features")
    )]
    /// Reads what there is. `None`: nothing, or nothing any more. The read that found this out is over.
    pub(crate) fn read_at_once(&self, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
        match self.read(buffers, Some(Instant::now())) {
            Err(Failure::TimedOut { .. }) => None,
            outcome => Some(outcome),
        }
    }

    /// Writes, blocking the caller until `deadline`.
    pub(crate) fn write(&self, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        let buffer = first(buffers);
        self.block_on(Flow::Write, buffer.as_ptr().cast_mut(), clamp(buffer.len()), deadline)
    }

    /// Issues an operation with an event of this thread, and waits for it here: no port, no other thread.
    ///
    /// `data` is the caller's borrowed buffer; this returns when the kernel is done with it.
    fn block_on(&self, flow: Flow, data: *mut u8, length: u32, deadline: Option<Instant>) -> Outcome {
        let event = Event::of_this_thread()?;
        let slot = Slot::default();
        let overlapped = slot.overlapped();
        loop {
            let mut queue = self.queue(flow);
            // SAFETY: the buffer is borrowed by the caller for the time of this call, and `slot` lives as long; the call ends
            // only after the completion (see `wait_for`).
            let issued = unsafe { self.issue(flow, overlapped, event.without_packet(), data, length, false) };
            if let Issued::Done(outcome) = issued {
                return outcome;
            }
            queue.push_back(Entry::Thread(overlapped.expose_provenance()));
            drop(queue);
            let timed_out = self.wait_for(&event, overlapped, deadline);
            self.queue(flow).retain(|entry| !entry.is(overlapped));
            // SAFETY: complete, says the event, so the kernel is done with it.
            let (status, count) = unsafe { result_of(overlapped) };
            match outcome(flow, status, count, length as usize) {
                Some(Err(Failure::Cancelled { transferred })) if timed_out => {
                    return Err(Failure::TimedOut { transferred });
                }
                Some(outcome) => return outcome,
                None => {}
            }
        }
    }

    /// Waits for the completion; cancels when the time is up, and waits for what became of that. Returns whether it was.
    fn wait_for(&self, event: &Event, overlapped: *mut OVERLAPPED, deadline: Option<Instant>) -> bool {
        match event.wait(deadline) {
            Ok(true) => return false,
            Ok(false) => {}
            Err(error) => unwaitable(&error),
        }
        self.cancel_raw(overlapped);
        if let Err(error) = event.wait(None) {
            unwaitable(&error);
        }
        true
    }
}

/// The kernel writes to this thread's stack until the event is set, and there is no way to wait for it: going on would be
/// worse than ending. Seen only when somebody closes a handle that is not his.
fn unwaitable(error: &io::Error) -> ! {
    eprintln!("anonpipe: cannot wait for an operation in flight: {error}");
    std::process::abort()
}
