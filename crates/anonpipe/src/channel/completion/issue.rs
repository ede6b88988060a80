//! Giving operations to the kernel.

use std::io;
use std::sync::MutexGuard;

use super::table::{Ended, Table};
use super::{Answer, Channel, Issuer, SlotId, System, Thread};
use crate::channel::Request;
use crate::contract::{Failure, Half};

/// How many empty messages a read may meet in a row before others get their turn: the caller, who
/// wants to submit and not to wait, or the other ends of the driver that goes on with it.
const MAX_EMPTY_MESSAGES: usize = 16;

impl<S: System> Channel<S> {
    /// Issues an operation that is in the table, on this thread and for our port; again, if it
    /// meets an empty message. Returns it if it is over.
    ///
    /// It is in the table before it is issued. The lock is held meanwhile, so that the table's
    /// order is the kernel's, and a cancel comes before (and is seen here) or after (and goes to
    /// the kernel).
    pub(super) fn issue_for_port(
        &self,
        half: Half,
        mut table: MutexGuard<'_, Table<S>>,
        id: SlotId,
        skips: bool,
    ) -> Option<Ended<S>> {
        for _ in 0..MAX_EMPTY_MESSAGES {
            let entry = table.find(id)?;
            if entry.is_cancelled() {
                return table.end(id, Err(Failure::Cancelled { transferred: Some(0) }));
            }
            entry.set_issued_by(Thread::current());
            let operation = entry.as_operation()?;
            // The packet of an operation that succeeds at once is skipped, or comes all the same.
            let slot = &operation.request().slot;
            match self.issuer.issue(half, slot, operation.bytes(), None, !skips) {
                Answer::Pending => {
                    table.set_issued(id);
                    return None;
                }
                Answer::Done(outcome) => return table.end(id, outcome),
                Answer::Empty => table.send_to_the_back(id, false),
            }
        }
        // A peer that writes nothing else holds up neither the caller nor other ends: the driver
        // goes on with it when it comes to that.
        match self.binding().post(id) {
            Ok(()) => None,
            Err(error) => table.end(id, Err(error.into())),
        }
    }
}

/// Refuses a length that the system cannot take at once, rather than cutting it short.
pub(super) fn check_length<S: System>(request: &Request<S>) -> Result<(), Failure> {
    let most = <S::Issuer as Issuer>::MOST_AT_ONCE;
    if request.length <= most {
        return Ok(());
    }
    let why = format!("the buffer has {} bytes, and Windows takes at most {most} at once", request.length);
    Err(Failure::refused(io::ErrorKind::InvalidInput, why))
}
