//! What this model asks of a runtime's reactor (feature `tokio`).

use std::io;
use std::task::{Poll, Waker};

use crate::contract::Half;

/// The registration of a descriptor in the reactor of the current runtime. The tasks of a channel
/// share it; the first of them that waits makes it.
pub(crate) trait Reactor: Default + Send + Sync {
    type Descriptor;
    type Watch: Watch;

    /// Whether there is a current runtime.
    fn is_at_hand() -> bool;

    /// Whether a task waits in a reactor.
    fn is_in_use(&self) -> bool;

    /// A share in the registration in the current runtime. If there is none, makes it for a task in
    /// one half; `wakers` are those of the reading and the writing half. `None`: there is no
    /// runtime, or it does not take the descriptor, for example because it shuts down.
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

/// A task's share in a registration. Dropping the last share takes the descriptor out of the
/// reactor.
pub(crate) trait Watch: Send {
    fn is_of_this_runtime(&self) -> bool;

    /// Calls `attempt` if, as far as the reactor knows, the descriptor may be ready for `half`. If
    /// `is_in_vain` is true of the result, the reactor forgets that. If the descriptor is not
    /// ready, the waker of that half is called when it is.
    fn poll_ready<R>(
        &self,
        half: Half,
        attempt: impl FnOnce() -> R,
        is_in_vain: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>>;
}
