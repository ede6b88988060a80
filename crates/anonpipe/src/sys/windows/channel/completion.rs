//! What is said to be complete.

use std::sync::{Arc, MutexGuard};

use windows_sys::Win32::Foundation::STATUS_PENDING;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::binding::Route;
use super::super::probe::is_inheritable;
use super::super::slot::result_of;
use super::super::transfer::{Said, outcome, outcome_of_packet};
use super::Channel;
use super::queue::{Entry, Queue};
use crate::driver::undisturbed;
use crate::error::Failure;
use crate::op::{Flow, InFlight, Outcome};

/// An operation that is over, and out of its queue.
pub(super) struct Ended {
    operation: Arc<dyn InFlight>,
    outcome: Outcome,
}

impl Ended {
    pub(super) fn new(operation: Arc<dyn InFlight>, outcome: Outcome) -> Self {
        Self { operation, outcome }
    }

    /// Tells the caller who waits for it. This runs the caller's code, so no lock is held, and no
    /// share of the channel: the caller may want to take the handle out, and must be the last owner
    /// then.
    pub(super) fn tell(self) {
        undisturbed(|| {
            self.operation.header().complete(self.outcome);
            drop(self.operation);
        });
    }
}

impl Channel {
    /// An operation with that `OVERLAPPED` is said to be complete: by a packet, which says how it
    /// ended, or by its event.
    ///
    /// It may be a stranger's. Then nothing happens.
    pub(in super::super) fn on_completion(channel: Arc<Self>, overlapped: *mut OVERLAPPED, said: Option<Said>) {
        let ended = channel.observe(overlapped, said);
        drop(channel);
        if let Some(ended) = ended {
            ended.tell();
        }
    }

    /// Takes an operation that is complete out of its queue; or issues it again, if it met an empty
    /// message.
    pub(super) fn observe(self: &Arc<Self>, overlapped: *mut OVERLAPPED, said: Option<Said>) -> Option<Ended> {
        for flow in [Flow::Read, Flow::Write] {
            let mut queue = self.queue(flow);
            if queue.find(overlapped).is_some() {
                return self.observe_in(flow, queue, overlapped, said);
            }
        }
        None
    }

    fn observe_in<'a>(
        self: &'a Arc<Self>,
        flow: Flow,
        mut queue: MutexGuard<'a, Queue>,
        overlapped: *mut OVERLAPPED,
        said: Option<Said>,
    ) -> Option<Ended> {
        let entry = queue.find(overlapped)?;
        let header = entry.header()?;
        if !entry.is_issued() {
            // It has met so many empty messages that others got their turn first. (What waits for
            // the driver has no packets.)
            return self.go_on(flow, queue, overlapped);
        }
        // SAFETY: it is the OVERLAPPED of an operation of ours, and the entry keeps it; the kernel
        // writes the status last.
        let (status, count) = unsafe { result_of(overlapped) };
        if status == STATUS_PENDING {
            let said = said.filter(|_| self.was_lost(entry))?;
            let outcome = outcome_of_packet(flow, said, header.length());
            return queue.end(overlapped, outcome);
        }
        let outcome = match outcome(flow, status, count, header.length()) {
            Some(outcome) => outcome,
            // It read an empty message, so the cancel came too late for the kernel, but not for us.
            None if entry.is_cancelled() => Err(Failure::Cancelled { transferred: Some(0) }),
            // Its buffer is still empty. It does not leave the queue, where it can be cancelled all
            // the time.
            None => return self.go_on(flow, queue, overlapped),
        };
        queue.end(overlapped, outcome)
    }

    /// A packet came for an operation whose status is pending. Whether it is over all the same:
    /// Wine has lost it, see [`wine`](super::super::wine).
    ///
    /// Else the packet is a stranger's, whose `OVERLAPPED` has the same address in another process,
    /// and the kernel will still write to the operation's memory. So all of this must hold:
    ///
    /// - the thread that issued it has ended. Else nothing was lost;
    /// - there is no other handle, and so no stranger: the end was made here, or the caller said
    ///   so, and no child inherits it. (A caller who duplicates the handle himself, and starts I/O
    ///   in another process, might be one);
    /// - the kernel does not know it. (Were it asked for an operation that is in flight, that would
    ///   be cancelled.) What is over and not lost is on its way to a thread that lives, and then
    ///   the packet comes after the status.
    fn was_lost(&self, entry: &Entry) -> bool {
        let is_exclusive = || self.exclusive && !is_inheritable(self.pipe()).unwrap_or(true);
        entry.issuer_has_ended() && is_exclusive() && !self.cancel_raw(entry.overlapped())
    }

    /// Issues an operation again that is not with the kernel any more.
    fn go_on(
        self: &Arc<Self>,
        flow: Flow,
        mut queue: MutexGuard<'_, Queue>,
        overlapped: *mut OVERLAPPED,
    ) -> Option<Ended> {
        let route = self.binding().settled();
        queue.send_to_the_back(overlapped, route == Route::Event);
        match route {
            Route::Port { skips } => self.issue_for_port(flow, queue, overlapped, skips),
            Route::Event => {
                self.pass_on(flow, queue);
                None
            }
        }
    }
}
