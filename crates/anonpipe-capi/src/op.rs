//! Operations in flight, on buffers of the caller's.

use std::ffi::{c_int, c_void};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use pipes::{AnyOp, ForeignBuffer, Op, wait_any};

use crate::end::{Name, anonpipe_end, given};
use crate::fork;
use crate::io::{ANONPIPE_INFINITE, check_buffer, duration, report};
use crate::result::{ANONPIPE_E_INTERNAL, ANONPIPE_E_PENDING, ANONPIPE_E_UNSUPPORTED, Failed, guard};

/// An operation that was submitted.
#[derive(Debug)]
pub struct anonpipe_op {
    /// Shared by the threads that wait and cancel; exclusive, once it is complete, for the one that
    /// takes its result.
    state: RwLock<State>,
    /// Its end's.
    name: Name,
    /// Of the process that submitted it. In a fork of that, locks may be held for ever by threads
    /// that are not there.
    generation: u32,
}

#[derive(Debug)]
enum State {
    InFlight(Op<ForeignBuffer>),
    Done(Result<usize, Failed>),
    /// For the moment in which one becomes the other; longer only if that panicked.
    Between,
}

impl anonpipe_op {
    fn new(op: Op<ForeignBuffer>, name: Name) -> Self {
        Self { state: RwLock::new(State::InFlight(op)), name, generation: fork::generation() }
    }

    /// Whether it came along with a fork: nothing here will complete it.
    fn is_the_parents(&self) -> bool {
        self.generation != fork::generation()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_complete(&self) -> bool {
        if self.is_the_parents() {
            // Waiting for it ends at once.
            return true;
        }
        match &*self.state() {
            State::InFlight(op) => op.is_complete(),
            State::Done(_) | State::Between => true,
        }
    }

    fn cancel(&self) {
        if self.is_the_parents() {
            return;
        }
        if let State::InFlight(op) = &*self.state() {
            op.cancel();
        }
    }

    /// Waits; `None` if the time was up first. Any number of threads may wait, and all get the
    /// result.
    fn wait(&self, timeout: Option<Duration>) -> Option<Result<usize, Failed>> {
        if self.is_the_parents() {
            return Some(self.inherited_result());
        }
        if let State::InFlight(op) = &*self.state() {
            // With the lock shared: cancelling must be possible meanwhile.
            wait_any(&[op as &dyn AnyOp], timeout)?;
        }
        Some(self.result())
    }

    /// The result of the parent's operation, if the parent had taken it before the fork.
    fn inherited_result(&self) -> Result<usize, Failed> {
        match self.state.try_read().as_deref() {
            Ok(State::Done(result)) => result.clone(),
            _ => Err(Failed::new(
                ANONPIPE_E_UNSUPPORTED,
                "the operation belongs to the process that this one was forked from",
            )),
        }
    }

    /// The result of an operation that is complete.
    fn result(&self) -> Result<usize, Failed> {
        if let State::Done(result) = &*self.state() {
            return result.clone();
        }
        // A thread that shares the lock is about to let go of it, because the operation is
        // complete.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = match std::mem::replace(&mut *state, State::Between) {
            State::InFlight(op) => op.wait().0.map_err(|error| self.name.failed(error)),
            State::Done(result) => result,
            State::Between => Err(Failed::new(ANONPIPE_E_INTERNAL, "the result was lost by an earlier mistake")),
        };
        *state = State::Done(result.clone());
        result
    }
}

/// Waits for the first of several, and says which is complete: the lowest index, if there are
/// several.
fn wait_for_any(ops: &[Option<&anonpipe_op>], timeout: Option<Duration>) -> Option<usize> {
    let (parents, mut distinct): (Vec<&anonpipe_op>, Vec<_>) =
        ops.iter().copied().flatten().partition(|op| op.is_the_parents());
    // Each lock once, even if an operation is listed twice: a thread that takes the result in
    // between would wait for the first time we have it, and we for that thread. In one order, so
    // that no two of us wait for each other.
    distinct.sort_unstable_by_key(|op| std::ptr::from_ref(*op).addr());
    distinct.dedup_by_key(|op| std::ptr::from_ref(*op).addr());
    {
        let states: Vec<_> = distinct.iter().map(|op| op.state()).collect();
        let in_flight: Vec<&dyn AnyOp> = states
            .iter()
            .filter_map(|state| match &**state {
                State::InFlight(op) => Some(op as &dyn AnyOp),
                State::Done(_) | State::Between => None,
            })
            .collect();
        if parents.is_empty() && in_flight.len() == states.len() {
            wait_any(&in_flight, timeout)?;
        }
    }
    ops.iter().position(|op| op.is_some_and(anonpipe_op::is_complete))
}

fn still_in_flight() -> Failed {
    Failed::new(ANONPIPE_E_PENDING, "the time to wait was up, and the operation is still in flight")
}

/// Starts to read up to length bytes into a buffer, and returns at once.
///
/// Any number of operations may be in flight on an end. They are served in the order in which they
/// came, and go on whether or not a thread waits. The buffer stays yours, but the operation uses it
/// until it is complete. Until then keep the buffer, and neither read nor change it. Release each
/// operation with anonpipe_op_release.
///
/// Returns 0, and the operation in op. If the read itself fails, anonpipe_wait says so. In these
/// two cases nothing is submitted: ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION:
/// the end only writes.
///
/// Requires: the end is open; the buffer has room for length bytes until the operation is complete;
/// the output can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_submit_read(
    end: *mut anonpipe_end,
    buffer: *mut c_void,
    length: usize,
    op: *mut *mut anonpipe_op,
) -> c_int {
    // SAFETY: what the caller promises is what this asks for.
    guard(|| unsafe { submit(end, buffer, length, op, anonpipe_end::submit_read) })
}

/// Starts to write all of length bytes, and returns at once. Otherwise as anonpipe_submit_read:
/// keep the buffer, unchanged, until the operation is complete.
///
/// On Windows a write of more than 1 MiB goes in pieces. The driver issues the next piece when the
/// one before is complete, and what is behind such a write waits.
///
/// Returns 0, and the operation in op. If the write itself fails, anonpipe_wait says so. In these
/// two cases nothing is submitted: ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION:
/// the end only reads.
///
/// Requires: the end is open; the buffer has length bytes until the operation is complete; the
/// output can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_submit_write(
    end: *mut anonpipe_end,
    buffer: *const c_void,
    length: usize,
    op: *mut *mut anonpipe_op,
) -> c_int {
    // SAFETY: what the caller promises is what this asks for; a write only reads the buffer.
    guard(|| unsafe { submit(end, buffer.cast_mut(), length, op, anonpipe_end::submit_write) })
}

type Submit = fn(&anonpipe_end, ForeignBuffer) -> Result<Op<ForeignBuffer>, Failed>;

/// # Safety
///
/// As for the two functions above, which differ in `start`.
unsafe fn submit(
    end: *mut anonpipe_end,
    buffer: *mut c_void,
    length: usize,
    op: *mut *mut anonpipe_op,
    start: Submit,
) -> Result<(), Failed> {
    if op.is_null() {
        return Err(Failed::invalid("a null pointer"));
    }
    check_buffer(buffer, length)?;
    fork::count()?;
    // SAFETY: null or open, says the caller.
    let end = unsafe { given(end) }?;
    // SAFETY: it stays until the operation is complete, says the caller, and has no other use until
    // then.
    let buffer = unsafe { ForeignBuffer::new(buffer.cast(), length) };
    let submitted = anonpipe_op::new(start(end, buffer)?, end.way()?.name());
    // SAFETY: not null, and the caller's to be written.
    unsafe { op.write(Box::into_raw(Box::new(submitted))) };
    Ok(())
}

/// Blocks until an operation is complete. May be called again, and by several threads at once: all
/// get the same result.
///
/// Returns 0, and in transferred how many bytes; for a read 0 bytes are the end of file.
/// ANONPIPE_E_CANCELLED: after anonpipe_cancel and its like, or after the end of a read was closed.
/// Then a read has consumed nothing, and for a write transferred says how many bytes had gone, or
/// ANONPIPE_UNKNOWN (Windows does not tell, except between two pieces of a large write). A cancel
/// that came too late changes nothing.
/// ANONPIPE_E_BROKEN_PIPE: the reader of a write is gone. ANONPIPE_E_INVALID_ARGUMENT: null. Else
/// the system's code.
///
/// Requires: the operation is not released; transferred is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_wait(op: *mut anonpipe_op, transferred: *mut usize) -> c_int {
    // SAFETY: what the caller promises is what this asks for.
    unsafe { anonpipe_wait_timeout(op, ANONPIPE_INFINITE, transferred) }
}

/// As anonpipe_wait, but at most for the time in milliseconds. 0 asks without waiting.
///
/// Returns ANONPIPE_E_PENDING when the time is up. The operation goes on, and transferred is not
/// written. Otherwise as anonpipe_wait.
///
/// Requires: the operation is not released; transferred is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_wait_timeout(
    op: *mut anonpipe_op,
    timeout_ms: u32,
    transferred: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: null or not released, says the caller.
        let result = unsafe { given(op) }?.wait(duration(timeout_ms)).ok_or_else(still_in_flight)?;
        // SAFETY: null or writable, says the caller.
        unsafe { report(transferred, result) }
    })
}

/// Blocks until the first of several operations is complete, but at most for the time in
/// milliseconds. Says which one it is; if several are, the lowest index. Null entries are skipped,
/// so set the operations that are finished to null.
///
/// The result stays: ask for it with anonpipe_wait, which then returns at once. An operation that
/// was complete before counts, too.
///
/// Returns 0. ANONPIPE_E_PENDING: the time was up. ANONPIPE_E_INVALID_ARGUMENT: null, or there is
/// no operation to wait for. On failure the index is not written.
///
/// Requires: there are count operations, none of them released before this returns; the output can
/// be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_wait_any(
    ops: *const *mut anonpipe_op,
    count: usize,
    timeout_ms: u32,
    index: *mut usize,
) -> c_int {
    guard(|| {
        if ops.is_null() || index.is_null() || count > isize::MAX as usize / size_of::<*mut anonpipe_op>() {
            return Err(Failed::invalid("a null pointer, or an impossible count"));
        }
        // SAFETY: not null, and that many, says the caller.
        let pointers = unsafe { std::slice::from_raw_parts(ops, count) };
        // SAFETY: each is null or not released, says the caller.
        let ops: Vec<_> = pointers.iter().map(|op| unsafe { op.as_ref() }).collect();
        if ops.iter().all(Option::is_none) {
            return Err(Failed::invalid("no operation to wait for"));
        }
        let first = wait_for_any(&ops, duration(timeout_ms)).ok_or_else(still_in_flight)?;
        // SAFETY: not null, and the caller's to be written.
        unsafe { index.write(first) };
        Ok(())
    })
}

/// Asks for an operation to end, and returns at once. anonpipe_wait then says what happened:
/// usually ANONPIPE_E_CANCELLED, or the real result if that was quicker. Does nothing to an
/// operation that is complete.
///
/// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
///
/// Requires: the operation is not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_cancel(op: *mut anonpipe_op) -> c_int {
    guard(|| {
        // SAFETY: null or not released, says the caller.
        unsafe { given(op) }?.cancel();
        Ok(())
    })
}

/// Frees an operation. Its buffer is yours alone again. Null does nothing.
///
/// An operation that is still in flight is cancelled first. Then this call WAITS until the system
/// is done with the buffer: for as long as the system needs to cancel, which does not depend on the
/// peer. If a read was quicker than the cancel, the bytes that it took are lost. A write may have
/// gone in part, and the rest does not go any more, even if its end was closed before. Where that
/// matters, call anonpipe_wait first (after anonpipe_cancel, if need be).
///
/// In a process made by fork(), an operation that came along is let go of at once. It goes on in
/// the parent.
///
/// Requires: the operation is not released yet, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_op_release(op: *mut anonpipe_op) {
    guard(|| {
        if !op.is_null() {
            // SAFETY: made by `submit`, and not used any more, says the caller.
            let op = unsafe { Box::from_raw(op) };
            if !op.is_the_parents() {
                op.cancel();
                op.wait(None);
            }
        }
        Ok(())
    });
}
