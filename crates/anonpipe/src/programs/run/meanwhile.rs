//! Calls of two threads that overlap: a step of the program, and in the middle of it the next one.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Handle, Pending, Run, Step, World};
use crate::contract::Half;
use crate::op::Operation;
use crate::sim::{chance, meanwhile};

/// What comes back of the other thread's step.
pub(super) struct Other<W: World> {
    side: usize,
    /// The half, and the number, of the operation that it submits.
    submits: Option<(Half, usize)>,
    done: Rc<RefCell<Done<W>>>,
}

/// The handle, unless it is dropped, and the operation that was submitted.
struct Done<W: World> {
    handle: Option<Handle<W>>,
    operation: Option<Operation<Vec<u8>, W::System>>,
}

impl<W: World> Run<W> {
    /// Has another thread take the `next` step in the middle of this one, where that can be.
    ///
    /// The other thread has the only handle of its end. So the two steps meet in the kernel alone,
    /// and neither waits for a lock that the other has.
    pub(super) fn begin_meanwhile(&mut self, step: Step, next: Step) -> Option<Other<W>> {
        let turn = self.world.turn_later().filter(|_| is_a_call(step))?;
        let (on, half) = match next {
            Step::DropHandle { on } | Step::CancelAll { on } => (on, None),
            Step::SubmitRead { on, .. } => (on, Some(Half::Read)),
            Step::SubmitWrite { on, .. } => (on, Some(Half::Write)),
            _ => return None,
        };
        let index = half.map_or_else(|| Self::any(self.handles.len(), on), |half| self.handle(half, on))?;
        let side = self.handles[index].side;
        let is_only = self.handles.iter().filter(|handle| handle.side == side).count() == 1;
        if !is_only || !chance::one_in(2) {
            return None;
        }
        let done = Rc::new(RefCell::new(Done { handle: None, operation: None }));
        let result = Rc::clone(&done);
        let mut submits = None;
        let act: Box<dyn FnOnce()> = match next {
            Step::SubmitRead { units, .. } => {
                let (number, length) = self.promises[side].read_begins(units);
                submits = Some((Half::Read, number));
                let handle = self.handles.remove(index);
                Box::new(move || {
                    let operation = Some(handle.end.submit_read(vec![0xFF; length]));
                    *result.borrow_mut() = Done { handle: Some(handle), operation };
                })
            }
            Step::SubmitWrite { units, .. } => {
                let (number, bytes) = self.promises[1 - side].write_begins(units)?;
                submits = Some((Half::Write, number));
                let handle = self.handles.remove(index);
                Box::new(move || {
                    let operation = Some(handle.end.submit_write(bytes));
                    *result.borrow_mut() = Done { handle: Some(handle), operation };
                })
            }
            Step::CancelAll { .. } => {
                self.are_cancelled(index);
                let handle = self.handles.remove(index);
                Box::new(move || {
                    handle.end.cancel_all();
                    result.borrow_mut().handle = Some(handle);
                })
            }
            _ => {
                let handle = self.handles.remove(index);
                let end = self.goes(handle);
                Box::new(move || drop(end))
            }
        };
        meanwhile::begin(act, turn);
        Some(Other { side, submits, done })
    }

    /// The step is over, and so is the other thread's.
    pub(super) fn end_meanwhile(&mut self, other: Other<W>) {
        meanwhile::end();
        let Other { side, submits, done } = other;
        let Done { handle, operation } = done.replace(Done { handle: None, operation: None });
        self.handles.extend(handle);
        if let (Some(operation), Some((half, number))) = (operation, submits) {
            self.note(|| format!("  {half:?} {number} of end {side}"));
            self.pending.push(Pending { operation, half, side, number, bell: None });
        }
    }
}

/// Whether a step is a call on one of the handles.
fn is_a_call(step: Step) -> bool {
    match step {
        Step::SubmitRead { .. }
        | Step::SubmitWrite { .. }
        | Step::PollRead { .. }
        | Step::PollWrite { .. }
        | Step::PollFlush { .. }
        | Step::PollClose { .. }
        | Step::Read { .. }
        | Step::Write { .. }
        | Step::CancelAll { .. }
        | Step::DropHandle { .. }
        | Step::ShutDown { .. }
        | Step::Convert { .. }
        | Step::Attach { .. } => true,
        // These may be about operations of the other thread's end.
        Step::Poll { .. }
        | Step::Wait { .. }
        | Step::Cancel { .. }
        | Step::DropOperation { .. }
        | Step::Detach { .. } => false,
        Step::Clone { .. }
        | Step::Split { .. }
        | Step::Join { .. }
        | Step::Fork { .. }
        | Step::EndThread
        | Step::Turn => false,
    }
}
