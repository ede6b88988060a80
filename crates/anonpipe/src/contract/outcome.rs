//! The outcome of a read or write.

use super::{Action, Failure};

/// The outcome of a read or write: how many bytes went, or why it failed.
pub(crate) type Outcome = Result<usize, Failure>;

/// One of the two halves of an end: reading or writing. A one-way end has one of them, a duplex end
/// both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Read,
    Write,
}

impl Half {
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Read => Action::Read,
            Self::Write => Action::Write,
        }
    }
}

/// The outcome of an empty read or write, however it is made: it succeeds, and the system is not
/// asked. The systems disagree about what an empty transfer means, and one that they accept can
/// look like the end of file to the peer.
pub(crate) fn nothing_to_do(bytes: usize) -> Option<Outcome> {
    (bytes == 0).then_some(Ok(0))
}
