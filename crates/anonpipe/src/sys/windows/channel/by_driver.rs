//! Operations that go through events: the process's driver thread issues them.
//!
//! What a thread has issued is cancelled when it ends, unless the handle is bound to a port
//! (*documented*, CancelIoEx): the submitting thread may end at any time, and so may those of the
//! thread pool. The driver's thread does not. A submitted operation waits in the queue, where it
//! can be cancelled, until that thread comes; threads that block in a call of their own keep their
//! place among those that wait.

use std::io;
use std::mem;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::event::Event;
use super::super::foreign::Wait;
use super::super::transfer::clamp;
use super::Channel;
use super::completion::Ended;
use super::issue::Issued;
use super::queue::{Entry, Queue};
use crate::error::Failure;
use crate::op::{Flow, InFlight};

impl Channel {
    /// Queues an operation for the driver's thread.
    pub(super) fn submit_to_driver(self: &Arc<Self>, operation: Arc<dyn InFlight>) {
        let flow = operation.header().flow;
        let mut queue = self.queue(flow);
        queue.push(Entry::operation(operation, Arc::clone(self)), true);
        if self.is_on_drivers_thread() {
            // A waker's: it may wait for what it submits, though it had better not.
            drop(queue);
            return Self::issue_waiting(Arc::clone(self), flow);
        }
        self.pass_on(flow, queue);
    }

    /// Sees to it that what waits is issued.
    pub(super) fn pass_on(self: &Arc<Self>, flow: Flow, mut queue: MutexGuard<'_, Queue>) {
        let Some(next) = queue.next_waiting() else { return };
        if next.header().is_none() {
            self.line(flow).ring();
        } else if !mem::replace(&mut queue.told, true) {
            drop(queue);
            if let Err(error) = self.tell_driver(flow) {
                self.give_up(flow, &error);
            }
        }
    }

    fn tell_driver(self: &Arc<Self>, flow: Flow) -> io::Result<()> {
        // What waits came by a route that has set it.
        self.issuer.get().map_or(Ok(()), |driver| driver.system().hand_over(self, flow))
    }

    fn is_on_drivers_thread(&self) -> bool {
        self.issuer.get().is_some_and(|driver| driver.system().is_turned_by_this_thread())
    }

    /// The driver cannot be told; no memory, at worst. What waits for it ends with that.
    fn give_up(&self, flow: Flow, error: &io::Error) {
        let mut ended = Vec::new();
        let mut queue = self.queue(flow);
        queue.told = false;
        let waiting: Vec<_> = queue.waiting().filter(|entry| entry.header().is_some()).map(Entry::overlapped).collect();
        for overlapped in waiting {
            let error = io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default());
            ended.extend(queue.end(overlapped, Err(error.into())));
        }
        drop(queue);
        self.line(flow).ring();
        ended.into_iter().for_each(Ended::tell);
    }

    /// Issues what waits, on the driver's thread.
    pub(in super::super) fn issue_waiting(channel: Arc<Self>, flow: Flow) {
        let mut ended = Vec::new();
        let mut queue = channel.queue(flow);
        queue.told = false;
        // Each of them once: what meets an empty message goes on when the others of this driver had
        // their turn.
        let count = queue.waiting().len();
        for _ in 0..count {
            let Some(header) = queue.next_waiting().and_then(Entry::header) else { break };
            let overlapped = header.slot.overlapped();
            let event;
            (queue, event) = channel.issue_next(flow, queue, overlapped, &mut ended);
            if let Some(event) = event {
                drop(queue);
                ended.extend(channel.await_event(overlapped, event));
                queue = channel.queue(flow);
            }
        }
        channel.pass_on(flow, queue);
        drop(channel);
        ended.into_iter().for_each(Ended::tell);
    }

    /// Issues the next operation that waits. If it is pending, its event comes back, to be waited
    /// for.
    fn issue_next<'a>(
        &self,
        flow: Flow,
        mut queue: MutexGuard<'a, Queue>,
        overlapped: *mut OVERLAPPED,
        ended: &mut Vec<Ended>,
    ) -> (MutexGuard<'a, Queue>, Option<Event>) {
        let Some(entry) = queue.find(overlapped) else { return (queue, None) };
        let Some(header) = entry.header() else { return (queue, None) };
        let (data, length) = (header.data(), clamp(header.length()));
        let event = match entry.is_cancelled() {
            true => Err(Failure::Cancelled { transferred: Some(0) }),
            false => Event::new().map_err(Failure::from),
        };
        let event = match event {
            Ok(event) => event,
            Err(failure) => {
                ended.extend(queue.end(overlapped, Err(failure)));
                return (queue, None);
            }
        };
        // SAFETY: buffer and OVERLAPPED belong to the operation, of which the queue owns a share
        // until the completion was observed. The buffer is not looked at before that. What waits is
        // not with the kernel. The event lives until then, too: the caller has it waited for, or
        // waits itself.
        match unsafe { self.issue(flow, overlapped, event.without_packet(), data, length, false) } {
            Issued::Pending => {
                queue.set_issued(overlapped);
                return (queue, Some(event));
            }
            Issued::Done(outcome) => ended.extend(queue.end(overlapped, outcome)),
            Issued::Empty => queue.send_to_the_back(overlapped, true),
        }
        (queue, None)
    }

    /// Has the thread pool wait for a pending operation's event. Returns the operation if that
    /// cannot be, and it is over.
    fn await_event(self: &Arc<Self>, overlapped: *mut OVERLAPPED, event: Event) -> Option<Ended> {
        let wait = Arc::new(Wait::new(Arc::clone(self), overlapped, event));
        let Err((_, event)) = wait.register() else { return None };
        // No memory, at worst. The operation must end before its event does.
        self.cancel_raw(overlapped);
        let _ = event.wait(None);
        self.observe(overlapped, None)
    }

    /// Has a thread that blocks in a call of its own wait until what came before is issued. That is
    /// not for long: it is the driver that does it. Whether it was cancelled meanwhile, or its time
    /// is up, is for the caller to see.
    pub(super) fn await_turn<'a>(
        self: &'a Arc<Self>,
        flow: Flow,
        mut queue: MutexGuard<'a, Queue>,
        overlapped: *mut OVERLAPPED,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, Queue> {
        if !queue.is_next(overlapped) && self.is_on_drivers_thread() {
            drop(queue);
            Self::issue_waiting(Arc::clone(self), flow);
            queue = self.queue(flow);
        }
        while !queue.is_next(overlapped) && !queue.find(overlapped).is_some_and(|entry| entry.is_cancelled()) {
            queue = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                left => self.line(flow).wait(queue, left),
            };
        }
        queue
    }
}
