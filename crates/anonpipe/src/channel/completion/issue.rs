//! Giving operations to the kernel.

use std::io;

use super::table::{Ended, Table};
use super::{Answer, Channel, Issuer, SlotId, System, Thread};
use crate::channel::Request;
use crate::contract::{Failure, Half};
use crate::sync::MutexGuard;

/// How many empty messages a read may meet in a row before others get their turn: the caller, who
/// wants to submit and not to wait, or the other ends of the driver that continues the read.
const MAX_EMPTY_MESSAGES: usize = 16;

impl<S: System> Channel<S> {
    /// Issues an operation that is in the table, on this thread and for our port; issues it again
    /// if it meets an empty message. Returns the operation if it is over.
    ///
    /// The operation is in the table before it is issued, and the table stays locked meanwhile. So
    /// the table has the kernel's order, and a cancel comes either before (and is seen here) or
    /// after (and goes to the kernel).
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
            // If the handle `skips`, an operation that succeeds at once sends no packet. Otherwise
            // its packet comes, and is waited for.
            match self.issuer.issue(half, operation.loan(), None, !skips) {
                Answer::Pending => {
                    table.set_issued(id);
                    return None;
                }
                Answer::Done(outcome) => return table.end(id, outcome),
                Answer::Empty => table.send_to_the_back(id, false),
            }
        }
        // A peer that writes only empty messages must not hold up the caller or other ends. The
        // driver continues the read when it gets to this packet.
        match self.binding().post(id) {
            Ok(()) => None,
            Err(error) => table.end(id, Err(error.into())),
        }
    }
}

/// Refuses a length that the system cannot take at once, rather than cutting it short.
pub(super) fn check_length<S: System>(request: Request) -> Result<(), Failure> {
    let most = <S::Issuer as Issuer>::MAX_TRANSFER;
    if request.length <= most {
        return Ok(());
    }
    let why = format!("the buffer has {} bytes, and the system takes at most {most} at once", request.length);
    Err(Failure::refused(io::ErrorKind::InvalidInput, why))
}
