//! What is asked of a system that starts a child.

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
