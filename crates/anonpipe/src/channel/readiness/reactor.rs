//! What this model asks of a runtime's reactor (feature `tokio`).

use std::io;
use std::task::{Poll, Waker};

use crate::contract::Half;

/// The registration of a descriptor in the reactor of the runtime at hand, which the tasks of its
/// channel share. Made when the first of them waits.
pub(crate) trait Reactor: Default + Send + Sync {
    type Descriptor;
    type Watch: Watch;

    /// Whether there is a runtime at hand.
    fn is_at_hand() -> bool;

    /// Whether a task waits in a reactor.
    fn is_in_use(&self) -> bool;

    /// A share in the registration in the runtime at hand. Makes it if there is none, for a task in
    /// one half; `wakers` are the reading half's and the writing half's. `None`: there is no
    /// runtime, or it does not take the descriptor, because it shuts down, say.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without its reactor, as tokio's own types do.
    fn watch(
        &self,
        descriptor: &Self::Descriptor,
        half: Half,
        wakers: impl FnOnce() -> [Waker; 2],
    ) -> Option<Self::Watch>;
}

/// A task's share in a registration. The last one takes the descriptor out of the reactor.
pub(crate) trait Watch: Send {
    fn is_of_this_runtime(&self) -> bool;

    /// Calls `attempt` if the descriptor may be ready for `half`, as far as the reactor knows; if
    /// `is_in_vain` says so of the result, the reactor forgets that. If it is not ready, the waker
    /// of that half is called when it is.
    fn poll_ready<R>(
        &self,
        half: Half,
        attempt: impl FnOnce() -> R,
        is_in_vain: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>>;
}
