//! How long the pieces of a large write are.

/// How many pieces go, once one was refused, before the next is twice as long. While memory stays
/// short, one call in nine is in vain.
const GROWS_AFTER: u32 = 8;

/// The most bytes that the next piece of a write has: less where the system has too little memory,
/// and later more again.
pub(crate) struct PieceSize {
    now: usize,
    least: usize,
    most: usize,
    /// How many pieces have gone in a row since one was refused, or since the size has grown.
    gone: u32,
}

impl PieceSize {
    pub(crate) fn new(least: usize, most: usize) -> Self {
        Self { now: most, least, most, gone: 0 }
    }

    pub(crate) fn get(&self) -> usize {
        self.now
    }

    /// The system has no memory for a piece of `length` bytes. Returns whether a shorter one can be
    /// tried.
    pub(crate) fn halve(&mut self, length: usize) -> bool {
        if length <= self.least {
            return false;
        }
        (self.now, self.gone) = (length.div_ceil(2).max(self.least), 0);
        true
    }

    /// A piece has gone, all of it: the system may have memory again.
    pub(crate) fn grow(&mut self) {
        self.gone += 1;
        if self.gone == GROWS_AFTER {
            (self.now, self.gone) = (self.most.min(self.now * 2), 0);
        }
    }
}
