//! Tasks that are always ready let the others run.

use std::task::{Context, Poll};

/// Calls `poll` if the task's budget allows it.
///
/// tokio gives each task a budget, so that one whose peer is always faster does not keep the runtime from its timers and from the
/// other tasks; elsewhere there is no such thing.
pub(crate) fn within_budget<T>(context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    // A task whose poll a loop of ours runs in, if there is one, does not return before the loop has ended: it gets no new budget.
    #[cfg(feature = "tokio")]
    if crate::driver::is_on_own_loop() {
        return poll(context);
    }
    #[cfg(feature = "tokio")]
    let budget = std::task::ready!(tokio::task::coop::poll_proceed(context));
    let polled = poll(context);
    #[cfg(feature = "tokio")]
    if polled.is_ready() {
        budget.made_progress();
    }
    polled
}
