//! Reads and writes that block the caller: an event of the issuing thread, no port, no hop, no other thread.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Instant;

use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::event::Event;
use super::super::probe;
use super::super::slot::{Slot, result_of};
use super::super::transfer::{clamp, first, first_mut, outcome};
use super::Channel;
use super::issue::Issued;
use super::queue::{Entry, Queue};
use crate::error::Failure;
use crate::op::{Flow, Outcome};

impl Channel {
    /// Reads, blocking the caller until `deadline`.
    pub(crate) fn read(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>], deadline: Option<Instant>) -> Outcome {
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
    pub(crate) fn read_at_once(self: &Arc<Self>, buffers: &mut [IoSliceMut<'_>]) -> Option<Outcome> {
        match self.read(buffers, Some(Instant::now())) {
            Err(Failure::TimedOut { .. }) => None,
            outcome => Some(outcome),
        }
    }

    /// Writes, blocking the caller until `deadline`.
    pub(crate) fn write(self: &Arc<Self>, buffers: &[IoSlice<'_>], deadline: Option<Instant>) -> Outcome {
        let buffer = first(buffers);
        self.block_on(Flow::Write, buffer.as_ptr().cast_mut(), clamp(buffer.len()), deadline)
    }

    /// Issues an operation with an event of this thread, and waits for it here: no port, no other thread.
    ///
    /// `data` is the caller's borrowed buffer; this returns when the kernel is done with it.
    fn block_on(self: &Arc<Self>, flow: Flow, data: *mut u8, length: u32, deadline: Option<Instant>) -> Outcome {
        let event = Event::of_this_thread()?;
        let slot = Slot::default();
        let overlapped = slot.overlapped();
        let mut queue = self.queue(flow);
        queue.push(Entry::thread(overlapped), false);
        let outcome = loop {
            queue = self.await_turn(flow, queue, overlapped, deadline);
            if let Some(failure) = over_before_it_is_issued(&mut queue, overlapped, deadline) {
                break Err(failure);
            }
            // SAFETY: the buffer is borrowed by the caller for the time of this call, and `slot` lives as long; the call ends
            // only after the completion (see `wait_for`).
            match unsafe { self.issue(flow, overlapped, event.without_packet(), data, length, false) } {
                Issued::Done(outcome) => break outcome,
                Issued::Empty if is_over(deadline) => break Err(Failure::TimedOut { transferred: Some(0) }),
                Issued::Empty => {}
                Issued::Pending => {
                    queue.set_issued(overlapped);
                    self.pass_on(flow, queue);
                    let outcome = self.wait_here(flow, &event, overlapped, length, deadline);
                    queue = self.queue(flow);
                    if let Some(outcome) = outcome {
                        break outcome;
                    }
                }
            }
            // An empty message of a peer that writes messages. Cancels are heard even if it writes
            // nothing else.
            queue.send_to_the_back(overlapped, false);
            self.pass_on(flow, queue);
            std::thread::yield_now();
            queue = self.queue(flow);
        };
        queue.remove(overlapped);
        self.pass_on(flow, queue);
        outcome
    }

    /// Waits for the end of an operation of this thread. `None`: it read an empty message, and
    /// there is time left.
    fn wait_here(
        &self,
        flow: Flow,
        event: &Event,
        overlapped: *mut OVERLAPPED,
        length: u32,
        deadline: Option<Instant>,
    ) -> Option<Outcome> {
        let timed_out = self.wait_for(event, overlapped, deadline);
        // SAFETY: complete, says the event, so the kernel is done with it.
        let (status, count) = unsafe { result_of(overlapped) };
        match outcome(flow, status, count, length as usize) {
            Some(Err(Failure::Cancelled { transferred })) if timed_out => Some(Err(Failure::TimedOut { transferred })),
            None if timed_out => Some(Err(Failure::TimedOut { transferred: Some(0) })),
            outcome => outcome,
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

/// Why an operation of this thread is not issued, if it is not to be.
fn over_before_it_is_issued(
    queue: &mut Queue,
    overlapped: *mut OVERLAPPED,
    deadline: Option<Instant>,
) -> Option<Failure> {
    if queue.find(overlapped).is_some_and(|entry| entry.is_cancelled()) {
        Some(Failure::Cancelled { transferred: Some(0) })
    } else if !queue.is_next(overlapped) && is_over(deadline) {
        Some(Failure::TimedOut { transferred: Some(0) })
    } else {
        None
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// The kernel writes to this thread's stack until the event is set, and there is no way to wait for it: going on would be
/// worse than ending. Seen only when somebody closes a handle that is not his.
fn unwaitable(error: &io::Error) -> ! {
    eprintln!("anonpipe: cannot wait for an operation in flight: {error}");
    std::process::abort()
}
