//! Operations that go through events: the process's driver thread issues them.
//!
//! When a thread ends, the system cancels what the thread has issued, unless the handle is bound to
//! a port (*documented*, CancelIoEx). The submitting thread may end at any time, and so may the
//! threads of the thread pool. The driver's thread does not. A submitted operation waits in the
//! table, where it can be cancelled, until the driver's thread issues it. Threads that block in a
//! call of their own keep their place among the waiting entries.
//!
//! # References
//!
//! - [`CancelIoEx`]
//!
//! [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex

use std::io;
use std::mem;
use std::sync::Arc;

use super::table::{Ended, Entry, Table};
use super::{Answer, Channel, Event, Issuer, SlotId, System};
use crate::channel::{DriverShare as _, InFlight};
use crate::contract::{Failure, Half};
use crate::sync::MutexGuard;

type EventOf<S> = <<S as System>::Issuer as Issuer>::Event;

impl<S: System> Channel<S> {
    /// Queues an operation for the driver's thread.
    pub(super) fn submit_to_driver(self: &Arc<Self>, operation: Arc<dyn InFlight<S>>) {
        let half = operation.request().half;
        let mut table = self.table(half);
        table.push(Entry::operation(operation, Arc::clone(self)), true);
        if self.is_on_drivers_thread() {
            // Submitted by a waker. It may wait for the operation, though it should not.
            drop(table);
            return Self::issue_waiting(Arc::clone(self), half);
        }
        self.pass_on(half, table);
    }

    /// Makes sure that the next waiting entry is issued.
    pub(super) fn pass_on(self: &Arc<Self>, half: Half, mut table: MutexGuard<'_, Table<S>>) {
        let Some(next) = table.next_waiting() else { return };
        if next.as_operation().is_none() {
            self.line(half).notify();
        } else if !mem::replace(&mut table.driver_notified, true) {
            drop(table);
            if let Err(error) = self.tell_driver() {
                self.give_up(half, &error);
            }
        }
    }

    fn tell_driver(&self) -> io::Result<()> {
        // A waiting operation came by the event route, which has set `issuing`.
        self.issuing.get().map_or(Ok(()), |key| S::Issuer::post(key.poller(), key.number(), SlotId::NONE))
    }

    pub(super) fn is_on_drivers_thread(&self) -> bool {
        self.issuing.get().is_some_and(|key| key.driver().is_turned_by_this_thread())
    }

    /// The driver cannot be told; out of memory, at worst. The operations that wait for it end with
    /// this error.
    fn give_up(&self, half: Half, error: &io::Error) {
        let mut ended = Vec::new();
        let mut table = self.table(half);
        table.driver_notified = false;
        let waiting: Vec<_> = table.waiting().filter(|entry| entry.as_operation().is_some()).map(Entry::id).collect();
        for id in waiting {
            let error = io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default());
            ended.extend(table.end(id, Err(error.into())));
        }
        drop(table);
        self.line(half).notify();
        ended.into_iter().for_each(Ended::tell);
    }

    /// Issues the waiting operations, on the driver's thread.
    pub(super) fn issue_waiting(channel: Arc<Self>, half: Half) {
        let mut ended = Vec::new();
        let mut table = channel.table(half);
        table.driver_notified = false;
        // Each of them once: a read that meets an empty message continues after the other
        // operations of this driver had their turn.
        let count = table.waiting().len();
        for _ in 0..count {
            let Some(operation) = table.next_waiting().and_then(Entry::as_operation).map(Arc::clone) else { break };
            let event;
            (table, event) = channel.issue_next(half, table, &*operation, &mut ended);
            if let Some(event) = event {
                drop(table);
                ended.extend(channel.await_event(&*operation, event));
                table = channel.table(half);
            }
        }
        channel.pass_on(half, table);
        drop(channel);
        ended.into_iter().for_each(Ended::tell);
    }

    /// Issues the next waiting operation. If it is pending, returns its event, which has to be
    /// awaited.
    fn issue_next<'a>(
        &self,
        half: Half,
        mut table: MutexGuard<'a, Table<S>>,
        operation: &dyn InFlight<S>,
        ended: &mut Vec<Ended<S>>,
    ) -> (MutexGuard<'a, Table<S>>, Option<EventOf<S>>) {
        let id = super::Slot::id(operation.loan().slot());
        let is_cancelled = table.find(id).is_some_and(|entry| entry.is_cancelled());
        let event = match is_cancelled {
            true => Err(Failure::Cancelled { transferred: Some(0) }),
            false => EventOf::<S>::new().map_err(Failure::from),
        };
        let event = match event {
            Ok(event) => event,
            Err(failure) => {
                ended.extend(table.end(id, Err(failure)));
                return (table, None);
            }
        };
        match self.issuer.issue(half, operation.loan(), Some(&event), false) {
            Answer::Pending => {
                table.set_issued(id);
                return (table, Some(event));
            }
            Answer::Done(outcome) => ended.extend(table.end(id, outcome)),
            Answer::Empty => table.send_to_the_back(id, true),
        }
        (table, None)
    }

    /// Makes the thread pool wait for a pending operation's event. If it cannot, ends the operation
    /// and returns it.
    fn await_event(self: &Arc<Self>, operation: &dyn InFlight<S>, event: EventOf<S>) -> Option<Ended<S>> {
        let id = super::Slot::id(operation.loan().slot());
        let channel = Arc::clone(self);
        let (event, error) = event.when_set(move || Self::on_completion(channel, id, None)).err()?;
        // Out of memory, at worst. The operation must end before its event does.
        self.issuer.cancel(id);
        event.wait(None);
        let asked = self.table(operation.request().half).find(id).is_some_and(|entry| entry.is_cancelled());
        let ended = self.observe(id, None)?;
        Some(if asked { ended } else { ended.because_of(error) })
    }
}
