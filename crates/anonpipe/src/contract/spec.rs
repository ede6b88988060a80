//! What to create.

use super::{Direction, IoMode};

/// The capacity in bytes of a pair for which the caller asks for none, where the system has no
/// default of its own: 64 KiB.
#[cfg_attr(not(windows), allow(dead_code, reason = "elsewhere the system has a default of its own"))]
pub(crate) const DEFAULT_CAPACITY: u32 = 0x1_0000;

/// The largest capacity, in bytes, that the system's own type for it can hold.
pub(crate) const MAX_CAPACITY: usize = if cfg!(windows) { u32::MAX as usize } else { i32::MAX as usize };

/// A pair to create, with its modes as values.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) direction: Direction,
    pub(crate) server: EndSpec,
    pub(crate) client: EndSpec,
    /// In bytes; from 1 to [`MAX_CAPACITY`].
    pub(crate) capacity: Option<u32>,
}

/// One end of a pair to create.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndSpec {
    pub(crate) mode: IoMode,
    pub(crate) inheritable: bool,
}
