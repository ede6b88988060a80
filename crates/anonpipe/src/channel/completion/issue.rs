//! Giving operations to the kernel.

use std::sync::Arc;

use super::table::{Ended, Entry, Table};
use super::{Answer, Channel, Issuer, Slot, SlotId, System, Thread};
use crate::buffer::Loan;
use crate::channel::InFlight;
use crate::contract::{Failure, Half, Outcome};

/// How often in a row an operation is issued, because a read meets empty messages or the pieces of
/// a write go at once, before others get their turn: the caller, who wants to submit and not to
/// wait, or the other ends of the driver.
pub(super) const MAX_IN_A_ROW: usize = 16;

type EventOf<S> = <<S as System>::Issuer as Issuer>::Event;

/// The result of giving an operation to the kernel.
pub(super) enum Attempt {
    /// The kernel has it.
    Pending,
    Over(Outcome),
    /// The read met an empty message.
    Empty,
    /// A piece of the write went, or has to be smaller: the write has to be issued again.
    Again,
    /// The kernel has no memory for it until it is done with something before.
    Later,
}

impl<S: System> Channel<S> {
    /// Gives an operation that is in the table to the kernel, once.
    pub(super) fn attempt(
        &self,
        half: Half,
        table: &mut Table<S>,
        id: SlotId,
        loan: &Loan<S::Slot>,
        event: Option<&EventOf<S>>,
        packet_on_success: bool,
    ) -> Attempt {
        match self.issuer.issue(half, loan, event, packet_on_success) {
            Answer::Pending => {
                table.set_issued(id);
                Attempt::Pending
            }
            Answer::Done(outcome) => table.settle(id, loan, outcome).map_or(Attempt::Again, Attempt::Over),
            Answer::Empty => Attempt::Empty,
            Answer::NoResources(failure) => self.without_resources(table, id, loan, failure),
        }
    }

    /// Issues an operation that is in the table, on this thread and for our port; issues it again
    /// if it meets an empty message, and until all its pieces are issued. Returns the operation if
    /// it is over. Afterwards an entry may have to be [passed on](Self::pass_on).
    ///
    /// The operation is in the table before it is issued, and the table stays locked meanwhile. So
    /// the table has the kernel's order, and a cancel comes either before (and is seen here) or
    /// after (and goes to the kernel).
    pub(super) fn issue_for_port(
        &self,
        half: Half,
        table: &mut Table<S>,
        operation: &dyn InFlight<S>,
        skips: bool,
    ) -> Option<Ended<S>> {
        let id = operation.loan().slot().id();
        for _ in 0..MAX_IN_A_ROW {
            let entry = table.find(id)?;
            if entry.is_cancelled() {
                let transferred = Some(entry.done());
                return table.end(id, Err(Failure::Cancelled { transferred }));
            }
            entry.set_issued_by(Thread::current());
            // If the handle `skips`, an operation that succeeds at once sends no packet. Otherwise
            // its packet comes, and is waited for.
            match self.attempt(half, table, id, operation.loan(), None, !skips) {
                Attempt::Pending => return None,
                Attempt::Over(outcome) => return table.end(id, outcome),
                Attempt::Empty => table.send_to_the_back(id, false),
                Attempt::Again => {}
                Attempt::Later => {
                    table.wait_for_memory(id);
                    return None;
                }
            }
        }
        if half == Half::Write {
            // The driver issues the other pieces when it gets to it.
            table.pause(id);
            return None;
        }
        // A peer that writes only empty messages must not hold up the caller or other ends. The
        // driver continues the read when it gets to this packet.
        match self.binding().post(id) {
            Ok(()) => None,
            Err(error) => table.end(id, Err(error.into())),
        }
    }

    /// Ends an operation whose cancellation is asked for, if it waits in the table; otherwise asks
    /// the kernel, or the thread that has it next, to do so.
    ///
    /// The caller holds the table's lock, so the operation cannot be issued again in between.
    pub(super) fn cancel_entry(&self, half: Half, table: &mut Table<S>, id: SlotId) -> Option<Ended<S>> {
        let waits = table.is_waiting(id);
        let entry = table.find(id)?;
        if entry.set_cancelled() {
            self.issuer.cancel(id);
            return None;
        }
        if waits && entry.as_operation().is_some() {
            let transferred = Some(entry.done());
            return table.end(id, Err(Failure::Cancelled { transferred }));
        }
        // The entry may be a thread that waits for its turn.
        self.line(half).notify(table);
        None
    }

    /// The next operation that is to be issued. `None`: nothing is, or a thread issues it.
    pub(super) fn next_operation(table: &Table<S>) -> Option<Arc<dyn InFlight<S>>> {
        table.next_to_issue().and_then(Entry::as_operation).map(Arc::clone)
    }
}
