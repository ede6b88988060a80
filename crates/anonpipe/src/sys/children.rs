//! What both systems have in common that start children and watch them.

use std::time::Duration;

use super::OwnedPipe;

/// What one of a child's three standard handles is to be.
#[derive(Debug)]
pub(crate) enum ChildStdio {
    /// The same as this process's own.
    Inherit,
    Null,
    Handle(OwnedPipe),
}

/// What a spawn does besides what the program, its arguments and its environment say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SpawnOptions {
    /// The child gets a process group (Unix) or a job (Windows) of its own.
    pub(crate) own_group: bool,
    /// The system ends the child when this process has ended.
    pub(crate) die_with_parent: bool,
}

/// Who tells of a child's exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// The poller, with the key; or a thread of the system's pool.
    Told,
    /// Nothing does: the caller has to ask now and then.
    Asking,
}

/// How soon a child is asked again whether it has ended, where the system does not tell: at first,
/// and, after twice as long each time, at last.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(1);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(40);
