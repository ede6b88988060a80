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

use super::binding::Route;
use super::issue::{Attempt, MAX_IN_A_ROW};
use super::table::{Ended, Entry, Table};
use super::{Channel, Event, Issuer, SlotId, System};
use crate::channel::{DriverShare as _, InFlight};
use crate::contract::{Failure, Half};
use crate::sync::MutexGuard;

type EventOf<S> = <<S as System>::Issuer as Issuer>::Event;

impl<S: System> Channel<S> {
    /// Queues an operation for the driver's thread.
    pub(super) fn submit_to_driver(self: &Arc<Self>, half: Half, entry: Entry<S>) {
        let mut table = self.table(half);
        table.push(entry, true);
        if self.is_on_drivers_thread() {
            // Submitted by a waker. It may wait for the operation, though it should not.
            drop(table);
            return Self::issue_waiting(Arc::clone(self), half, None);
        }
        self.pass_on(half, table);
    }

    /// Makes sure that the next waiting entry is issued, if it may be issued now.
    pub(super) fn pass_on(self: &Arc<Self>, half: Half, mut table: MutexGuard<'_, Table<S>>) {
        let Some(next) = table.next_to_issue() else { return };
        if next.as_operation().is_none() {
            self.line(half).notify(&mut table);
        } else if !mem::replace(&mut table.driver_notified, true) {
            drop(table);
            if let Err(error) = self.tell_driver() {
                self.give_up(half, &error);
            }
        }
    }

    fn tell_driver(&self) -> io::Result<()> {
        match self.issuing.get() {
            Some(key) => S::Issuer::post(key.poller(), key.number(), SlotId::NONE),
            // The operation came by the port's route.
            None => self.binding().post(SlotId::NONE),
        }
    }

    pub(super) fn is_on_drivers_thread(&self) -> bool {
        self.issuing.get().is_some_and(|key| key.driver().is_turned_by_this_thread())
    }

    /// The driver cannot be told; out of memory, at worst. The operations that wait for it end with
    /// this error.
    fn give_up(&self, half: Half, error: &io::Error) {
        let mut table = self.table(half);
        table.driver_notified = false;
        let ended = table.end_waiting(|done| {
            // An `io::Error` cannot be cloned.
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            Err(Failure::os(copy, Some(done)))
        });
        self.line(half).notify(&mut table);
        drop(table);
        ended.into_iter().for_each(Ended::tell);
    }

    /// Issues the waiting operations, as far as the kernel takes them, and tells the outcome of
    /// those that are over, after that of `ended`. If operations go through events, this is the
    /// driver's thread.
    pub(super) fn issue_waiting(channel: Arc<Self>, half: Half, ended: Option<Ended<S>>) {
        let mut ended = Vec::from_iter(ended);
        let route = channel.known_route();
        let mut table = channel.table(half);
        table.driver_notified = false;
        // Each of them once: a read that meets an empty message, or a write whose pieces go at
        // once, continues after the other operations of this driver had their turn.
        let count = table.waiting().len();
        let mut last = None;
        for _ in 0..count {
            let Some(operation) = Self::next_operation(&table) else { break };
            // Writes keep their order: those behind one in pieces wait with it.
            let id = super::Slot::id(operation.loan().slot());
            if last.replace(id) == Some(id) {
                break;
            }
            if let Route::Port { skips } = route {
                ended.extend(channel.issue_for_port(half, &mut table, &*operation, skips));
                continue;
            }
            if let Some(event) = channel.issue_for_event(half, &mut table, &*operation, &mut ended) {
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
    fn issue_for_event(
        &self,
        half: Half,
        table: &mut Table<S>,
        operation: &dyn InFlight<S>,
        ended: &mut Vec<Ended<S>>,
    ) -> Option<EventOf<S>> {
        let id = super::Slot::id(operation.loan().slot());
        let event = match EventOf::<S>::new() {
            Ok(event) => event,
            Err(error) => {
                let done = table.find(id).map(|entry| entry.done());
                ended.extend(table.end(id, Err(Failure::os(error, done))));
                return None;
            }
        };
        for _ in 0..MAX_IN_A_ROW {
            match self.attempt(half, table, id, operation.loan(), Some(&event), false) {
                Attempt::Pending => return Some(event),
                Attempt::Over(outcome) => {
                    ended.extend(table.end(id, outcome));
                    return None;
                }
                Attempt::Empty => {
                    table.send_to_the_back(id, true);
                    return None;
                }
                Attempt::Later => {
                    table.wait_for_memory(id);
                    return None;
                }
                Attempt::Again => {}
            }
        }
        None
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
        let asked = self.table(operation.request().half).is_cancelled(id);
        let ended = self.observe(id, None).ended?;
        Some(if asked { ended } else { ended.because_of(error) })
    }
}
