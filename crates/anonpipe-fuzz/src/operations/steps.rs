//! What an input is made of.

use std::time::Duration;

use arbitrary::Arbitrary;

use crate::size::{Pick, Size};

/// How long a call may wait.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Patience {
    Zero,
    Milliseconds,
}

impl Patience {
    pub(super) fn duration(self) -> Duration {
        match self {
            Self::Zero => Duration::ZERO,
            Self::Milliseconds => Duration::from_millis(1),
        }
    }
}

/// What owns the memory of an operation.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Memory {
    Vector,
    Boxed,
    Bytes,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Way {
    Inbound,
    Outbound,
    Duplex,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Capacity {
    Default,
    Smallest,
    Page,
    Odd,
    Zero,
    TooMuch,
}

/// As what a handle is adopted, and how.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum As {
    Reader,
    Writer,
    Duplex,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum How {
    Adopt,
    AdoptExclusive,
    TryOverlapped,
    TryBlocking,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct Making {
    pub(super) way: Way,
    pub(super) server_blocks: bool,
    pub(super) client_blocks: bool,
    pub(super) server_inheritable: bool,
    pub(super) client_inheritable: bool,
    pub(super) capacity: Capacity,
    /// Attach the overlapped ends to this driver, if there is one.
    pub(super) driver: Option<Pick>,
}

#[derive(Debug, Clone, Arbitrary)]
pub(super) enum Step {
    Make(Making),
    SubmitRead { end: Pick, length: Size, memory: Memory },
    SubmitWrite { end: Pick, length: Size, memory: Memory },
    ReadTimeout { end: Pick, length: Size, patience: Patience },
    WriteTimeout { end: Pick, length: Size, patience: Patience },
    Read { end: Pick, length: Size, vectored: bool },
    Write { end: Pick, length: Size, vectored: bool },
    Flush { end: Pick },
    PollRead { end: Pick, length: Size, tokio: bool },
    PollWrite { end: Pick, length: Size, tokio: bool },
    PollFlush { end: Pick, tokio: bool },
    PollClose { end: Pick, tokio: bool },
    Wait { op: Pick },
    WaitTimeout { op: Pick, patience: Patience },
    PollOp { op: Pick },
    WaitAny { ops: Vec<Pick>, patience: Patience },
    Cancel { op: Pick },
    DropOp { op: Pick },
    Detach { op: Pick },
    CancelAll { end: Pick },
    TryClone { end: Pick },
    DropEnd { end: Pick },
    Split { end: Pick },
    Unsplit { reader: Pick, writer: Pick },
    ShutdownWrite { end: Pick },
    BytesAvailable { end: Pick },
    Describe { end: Pick },
    IntoHandle { end: Pick },
    IntoStdio { end: Pick },
    Adopt { handle: Pick, kind: As, how: How },
    AdoptNoPipe { which: u8, kind: As, how: How },
    CloseHandle { handle: Pick },
    PlainRead { handle: Pick, length: Size },
    PlainWrite { handle: Pick, length: Size },
    NewDriver,
    DropDriver { driver: Pick },
    Attach { end: Pick, driver: Pick },
    Turn { driver: Pick, patience: Patience },
    NotifyAndTurn { driver: Pick },
    BlockOn { driver: Pick, op: Pick },
}
