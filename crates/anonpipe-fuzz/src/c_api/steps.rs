//! What an input is made of.

use arbitrary::Arbitrary;

use crate::size::{Pick, Size};

/// How long a call may wait.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Patience {
    Zero,
    Milliseconds,
    /// Without a limit, if what it waits for is there.
    Infinite,
}

/// Null in place of a pointer, now and then.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct Nulls(u8);

impl Nulls {
    pub(super) fn first(self) -> bool {
        self.0 % 8 == 7
    }

    pub(super) fn second(self) -> bool {
        self.0 / 8 % 8 == 7
    }
}

/// What `anonpipe_options` has. Most values are too large for some fields.
#[derive(Debug, Clone, Arbitrary)]
pub(super) struct Fields {
    pub(super) size: u8,
    pub(super) beyond: u8,
    pub(super) choices: u16,
    pub(super) odd: u8,
    pub(super) capacity: u8,
}

#[derive(Debug, Clone, Arbitrary)]
pub(super) enum Step {
    Pair { options: Option<Fields>, outputs: u8 },
    Open { handle: Pick, exclusive: bool, nulls: Nulls },
    OpenNoPipe { which: u8, exclusive: bool },
    Close { end: Pick },
    IntoHandle { end: Pick, nulls: Nulls },
    CloseHandle { handle: Pick },
    PlainRead { handle: Pick, length: Size },
    PlainWrite { handle: Pick, length: Size },
    Read { end: Pick, length: Size, patience: Patience, nulls: Nulls },
    Write { end: Pick, length: Size, patience: Patience, nulls: Nulls },
    CancelAll { end: Pick },
    BytesAvailable { end: Pick, nulls: Nulls },
    ShutdownWrite { end: Pick },
    SubmitRead { end: Pick, length: Size, nulls: Nulls },
    SubmitWrite { end: Pick, length: Size, nulls: Nulls },
    Wait { op: Pick, nulls: Nulls },
    WaitTimeout { op: Pick, patience: Patience, nulls: Nulls },
    WaitAny { ops: Vec<Pick>, patience: Patience, nulls: Nulls },
    Cancel { op: Pick },
    Release { op: Pick },
    StrError { code: i32, small: i8, is_small: bool, room: u8, nulls: Nulls },
    LastErrorText { room: u8, nulls: Nulls },
    Version,
}
