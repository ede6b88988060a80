//! Observes completions that the kernel reports.

use std::sync::Arc;

use super::binding::Route;
use super::table::{Ended, Entry, Table};
use super::{Answer, Channel, Issuer, SlotId, System};
use crate::contract::{Failure, Half};
use crate::sync::MutexGuard;

type SaidOf<S> = <<S as System>::Issuer as Issuer>::Said;

/// What is to be done after a report.
pub(super) struct Observed<S: System> {
    /// The operation that is over.
    pub(super) ended: Option<Ended<S>>,
    /// The half where an operation may be issued now: the next piece, or what waited for the
    /// operation that is over.
    pub(super) goes_on: Option<Half>,
}

impl<S: System> Observed<S> {
    const NOTHING: Self = Self { ended: None, goes_on: None };
}

impl<S: System> Channel<S> {
    /// Handles a report that the operation with this slot is complete: by a packet, which says how
    /// it ended, or by its event.
    ///
    /// Does nothing if the operation is not one of ours.
    pub(super) fn on_completion(channel: Arc<Self>, id: SlotId, said: Option<SaidOf<S>>) {
        let observed = channel.observe(id, said);
        if let Some(half) = observed.goes_on {
            return Self::go_on(channel, half, observed.ended);
        }
        drop(channel);
        if let Some(ended) = observed.ended {
            ended.tell();
        }
    }

    /// Issues what may be issued now, on this thread if the system allows that.
    #[cold]
    fn go_on(channel: Arc<Self>, half: Half, ended: Option<Ended<S>>) {
        match channel.known_route() {
            Route::Port { .. } => Self::issue_waiting(channel, half, ended),
            Route::Event => {
                channel.pass_on(half, channel.table(half));
                drop(channel);
                ended.into_iter().for_each(Ended::tell);
            }
        }
    }

    /// Looks whether the kernel is done with the operation that it got last, before a packet or an
    /// event tells. The report then finds nothing to do.
    pub(super) fn look_at_last_issued(self: &Arc<Self>, half: Half) {
        let last = self.table(half).last_issued();
        if let Some(id) = last {
            Self::on_completion(Arc::clone(self), id, None);
        }
    }

    /// The reads that will be over once `count` bytes have come, if they are still in flight. Looks
    /// at each of them, as [`look_at_last_issued`](Self::look_at_last_issued) does.
    pub(crate) fn reads_within(self: &Arc<Self>, count: usize) -> Vec<SlotId> {
        let reads: Vec<_> = {
            let mut table = self.table(Half::Read);
            let operations = table.iter_mut().filter_map(|entry| entry.as_operation());
            let mut before = 0;
            let each = operations.map(|operation| {
                let loan = operation.loan();
                let begins = before;
                before += loan.address(Half::Read).1;
                (begins, super::Slot::id(loan.slot()))
            });
            each.take_while(|(begins, _)| *begins < count).map(|(_, id)| id).collect()
        };
        for id in &reads {
            Self::on_completion(Arc::clone(self), *id, None);
        }
        reads
    }

    /// Takes a complete operation out of its table, or issues it again if it met an empty message.
    pub(super) fn observe(self: &Arc<Self>, id: SlotId, said: Option<SaidOf<S>>) -> Observed<S> {
        for half in [Half::Read, Half::Write] {
            let mut table = self.table(half);
            if table.find(id).is_some() {
                return self.observe_in(half, table, id, said).unwrap_or(Observed::NOTHING);
            }
        }
        Observed::NOTHING
    }

    /// `None`: there is nothing to be done.
    fn observe_in<'a>(
        self: &'a Arc<Self>,
        half: Half,
        mut table: MutexGuard<'a, Table<S>>,
        id: SlotId,
        said: Option<SaidOf<S>>,
    ) -> Option<Observed<S>> {
        let waits = table.is_waiting(id);
        let entry = table.find(id)?;
        let operation = entry.as_operation()?;
        let loan = operation.loan();
        if !entry.is_issued() {
            if said.is_some() && entry.takes_late_packet() {
                return None;
            }
            // An operation that waits has no packets: this is a stray one. Otherwise the read has
            // met so many empty messages that others got their turn first.
            return (!waits).then(|| self.issue_again(half, table, id));
        }
        let outcome = match self.issuer.observe(half, loan) {
            Answer::Pending => {
                let said = said.filter(|_| !entry.takes_late_packet() && self.was_lost(entry))?;
                self.issuer.observe_lost(half, loan, said)
            }
            Answer::Done(outcome) => outcome,
            Answer::NoResources(failure) => Err(failure),
            // The cancel came too late for the kernel, but not for us.
            Answer::Empty if entry.is_cancelled() => Err(Failure::Cancelled { transferred: Some(0) }),
            // The read's buffer is still empty. The read stays in the table, where it can be
            // cancelled at any time.
            Answer::Empty => {
                if said.is_none() {
                    entry.expect_late_packet();
                }
                return Some(self.issue_again(half, table, id));
            }
        };
        let ended = match entry.settle(outcome) {
            Some(outcome) => table.end(id, outcome),
            None => {
                if said.is_none() {
                    entry.expect_late_packet();
                }
                table.pause(id);
                None
            }
        };
        let goes_on = (half == Half::Write && table.next_to_issue().is_some()).then_some(half);
        Some(Observed { ended, goes_on })
    }

    /// Whether an operation is over although the kernel has reported nothing but its packet: some
    /// systems lose what they would report to a thread that has ended.
    ///
    /// Otherwise this is a stray packet, for an operation whose slot has the same address in
    /// another process, and the kernel will still write to our operation's memory. So all of this
    /// must hold:
    ///
    /// - It is not the packet of an earlier piece, or of a read that met an empty message, that was
    ///   seen to be over before. The kernel sends one for each time that the operation was issued,
    ///   all with the same slot; those that are still to come are counted.
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

    /// Issues a read again that the kernel no longer has.
    fn issue_again(self: &Arc<Self>, half: Half, mut table: MutexGuard<'_, Table<S>>, id: SlotId) -> Observed<S> {
        let route = self.known_route();
        table.send_to_the_back(id, route == Route::Event);
        let ended = match route {
            Route::Port { skips } => {
                let operation = table.find(id).and_then(|entry| entry.as_operation()).map(Arc::clone);
                operation.and_then(|operation| self.issue_for_port(half, &mut table, &*operation, skips))
            }
            Route::Event => {
                self.pass_on(half, table);
                None
            }
        };
        Observed { ended, goes_on: None }
    }
}
