//! What a program knows of its pipes, whichever library it calls.

use std::os::fd::OwnedFd;

use crate::ledger::Ledger;

/// No input writes more bytes.
pub(crate) const MOST_BYTES: usize = 1 << 18;

/// One direction of a pipe.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) ledger: Ledger,
    /// The sides that write to it and read from it.
    pub(crate) writer: usize,
    pub(crate) reader: usize,
}

impl Line {
    pub(crate) fn new(writer: usize, reader: usize) -> Self {
        Self { ledger: Ledger::default(), writer, reader }
    }
}

/// A descriptor that no end of the library has.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) descriptor: OwnedFd,
    pub(crate) side: usize,
}
