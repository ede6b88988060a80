//! Observes completions that the kernel reports.

use std::sync::Arc;

use super::binding::Route;
use super::table::{Ended, Entry, Table};
use super::{Answer, Channel, Issuer, SlotId, System};
use crate::contract::{Failure, Half};
use crate::sync::MutexGuard;

type SaidOf<S> = <<S as System>::Issuer as Issuer>::Said;

impl<S: System> Channel<S> {
    /// Handles a report that the operation with this slot is complete: by a packet, which says how
    /// it ended, or by its event.
    ///
    /// Does nothing if the operation is not one of ours.
    pub(super) fn on_completion(channel: Arc<Self>, id: SlotId, said: Option<SaidOf<S>>) {
        let ended = channel.observe(id, said);
        drop(channel);
        if let Some(ended) = ended {
            ended.tell();
        }
    }

    /// Takes a complete operation out of its table, or issues it again if it met an empty message.
    pub(super) fn observe(self: &Arc<Self>, id: SlotId, said: Option<SaidOf<S>>) -> Option<Ended<S>> {
        for half in [Half::Read, Half::Write] {
            let mut table = self.table(half);
            if table.find(id).is_some() {
                return self.observe_in(half, table, id, said);
            }
        }
        None
    }

    fn observe_in<'a>(
        self: &'a Arc<Self>,
        half: Half,
        mut table: MutexGuard<'a, Table<S>>,
        id: SlotId,
        said: Option<SaidOf<S>>,
    ) -> Option<Ended<S>> {
        let entry = table.find(id)?;
        let operation = entry.as_operation()?;
        let loan = operation.loan();
        if !entry.is_issued() {
            // The read has met so many empty messages that others got their turn first. (An
            // operation that waits for the driver has no packets.)
            return self.issue_again(half, table, id);
        }
        let outcome = match self.issuer.observe(half, loan) {
            Answer::Pending => {
                let said = said.filter(|_| self.was_lost(entry))?;
                self.issuer.observe_lost(half, loan, said)
            }
            Answer::Done(outcome) => outcome,
            // The cancel came too late for the kernel, but not for us.
            Answer::Empty if entry.is_cancelled() => Err(Failure::Cancelled { transferred: Some(0) }),
            // The read's buffer is still empty. The read stays in the table, where it can be
            // cancelled at any time.
            Answer::Empty => return self.issue_again(half, table, id),
        };
        table.end(id, outcome)
    }

    /// Whether an operation is over although the kernel has reported nothing but its packet: some
    /// systems lose what they would report to a thread that has ended.
    ///
    /// Otherwise this is a stray packet, for an operation whose slot has the same address in
    /// another process, and the kernel will still write to our operation's memory. So all of this
    /// must hold:
    ///
    /// - The thread that issued the operation has ended. Otherwise nothing was lost.
    /// - There is no other handle, and so no stray packet: the end was made here or the caller
    ///   promised so, and no child inherits it. (A caller who duplicates the handle, and starts I/O
    ///   in another process, might cause one.)
    /// - The kernel does not know the operation. (The question would cancel it, if it were in
    ///   flight.) If an operation is over and its report not lost, the report goes to a live
    ///   thread, and its packet comes after its status.
    fn was_lost(&self, entry: &Entry<S>) -> bool {
        let is_exclusive = || self.exclusive && !self.issuer.is_inheritable();
        entry.issuing_thread_has_ended() && is_exclusive() && !self.issuer.cancel(entry.id())
    }

    /// Issues an operation again that the kernel no longer has.
    fn issue_again(self: &Arc<Self>, half: Half, mut table: MutexGuard<'_, Table<S>>, id: SlotId) -> Option<Ended<S>> {
        let route = self.binding().known_route();
        table.send_to_the_back(id, route == Route::Event);
        match route {
            Route::Port { skips } => self.issue_for_port(half, table, id, skips),
            Route::Event => {
                self.pass_on(half, table);
                None
            }
        }
    }
}
