//! Makes tasks that are always ready let other tasks run.

use std::cell::Cell;
use std::task::{Context, Poll};

#[cfg(feature = "tokio")]
use crate::channel::DriverShare;
use crate::channel::WokenBy;
#[cfg(feature = "tokio")]
use crate::driver::NativeDriver;

/// How many polls on a thread may be ready in a row. tokio's own types have the same limit.
const MOST_IN_A_ROW: u8 = 128;

thread_local! {
    /// How many polls have been ready since the last one that was not.
    static READY_IN_A_ROW: Cell<u8> = const { Cell::new(0) };
}

/// Calls `poll`, but now and then lets other tasks run first.
pub(crate) fn fairly<T>(
    woken_by: WokenBy,
    context: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    match woken_by {
        WokenBy::Driver => letting_others_run(context, poll),
        #[cfg(feature = "tokio")]
        WokenBy::Runtime => within_the_runtimes_budget(context, poll),
    }
}

/// Calls `poll`, unless the tasks of this thread have long found everything ready. Then the task
/// has to come back once, so that the executor gets to its timers and other tasks.
pub(super) fn letting_others_run<T>(
    context: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    // While the thread's locals are being destroyed, no other task is waiting for its turn.
    let in_a_row = READY_IN_A_ROW.try_with(Cell::get).unwrap_or(0);
    if in_a_row == MOST_IN_A_ROW {
        let _ = READY_IN_A_ROW.try_with(|count| count.set(0));
        context.waker().wake_by_ref();
        return Poll::Pending;
    }
    let polled = poll(context);
    let in_a_row = if polled.is_ready() { in_a_row + 1 } else { 0 };
    let _ = READY_IN_A_ROW.try_with(|count| count.set(in_a_row));
    polled
}

/// Calls `poll` if the task's budget in its tokio runtime allows it, as tokio's own types do.
#[cfg(feature = "tokio")]
fn within_the_runtimes_budget<T>(context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    // A task that runs in a loop of ours does not return to tokio before the loop has ended, so it
    // gets no new budget.
    if NativeDriver::polls_on_this_thread() {
        return letting_others_run(context, poll);
    }
    let budget = std::task::ready!(tokio::task::coop::poll_proceed(context));
    let polled = poll(context);
    if polled.is_ready() {
        budget.made_progress();
    }
    polled
}
