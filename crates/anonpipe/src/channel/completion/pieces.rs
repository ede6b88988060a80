//! Writes in pieces.
//!
//! The kernel copies a write into memory of its own, of which it may have too little. So a large
//! write is issued piece by piece: the next piece when the one before is complete. If a piece is
//! refused for want of memory, it is halved; after some that went, the next is longer again.
//!
//! Until the last piece is issued, everything behind the write waits in the table. So writes never
//! mix.

#[cfg(all(test, not(loom)))]
mod tests;

use std::io;

use super::issue::Attempt;
use super::table::Table;
use super::{Channel, Issuer, SlotId, System};
use crate::buffer::{self, Loan};
use crate::channel::Request;
use crate::contract::{Failure, Half, Outcome, PieceSize};

/// How far a write in pieces has got.
pub(super) struct Pieces {
    size: PieceSize,
    /// How many bytes the present piece has.
    length: usize,
    /// Whether there are pieces behind the present one.
    more: bool,
    /// How many bytes are in the pieces before the present one.
    done: usize,
}

impl Pieces {
    /// Makes what is left of a write go in pieces.
    fn cut<T: buffer::Slot>(loan: &Loan<T>, size: PieceSize, done: usize) -> Self {
        let part = loan.narrow(size.get());
        Self { size, length: part.length, more: part.more, done }
    }

    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The present piece is over. Returns the outcome of the whole write, unless the next piece has
    /// to be issued.
    pub(super) fn settle<T: buffer::Slot>(
        &mut self,
        loan: &Loan<T>,
        outcome: Outcome,
        is_cancelled: bool,
    ) -> Option<Outcome> {
        let count = match outcome {
            Ok(count) => count,
            Err(failure) => return Some(Err(failure.in_part_behind(self.done))),
        };
        self.done += count;
        if !self.more || count < self.length {
            return Some(Ok(self.done));
        }
        if is_cancelled {
            return Some(Err(Failure::Cancelled { transferred: Some(self.done) }));
        }
        self.size.grow();
        let part = loan.advance(count, self.size.get());
        (self.length, self.more) = (part.length, part.more);
        None
    }
}

impl<S: System> Channel<S> {
    /// Prepares an operation of any length: a long write goes in pieces, a long read asks for less.
    ///
    /// A write that must go at once is refused if the system cannot take it, rather than cut short.
    pub(super) fn fit(&self, request: Request, loan: &Loan<S::Slot>) -> Result<Option<Pieces>, Failure> {
        let Request { half, length } = request;
        match half {
            Half::Read => {
                if length > S::Issuer::MAX_READ {
                    loan.narrow(S::Issuer::MAX_READ);
                }
                Ok(None)
            }
            Half::Write if length <= S::Issuer::MAX_PIECE => Ok(None),
            Half::Write if self.issuer.takes_pieces() => Ok(Some(Pieces::cut(loan, Self::piece_size(), 0))),
            Half::Write => {
                let most = S::Issuer::MAX_TRANSFER;
                if length <= most {
                    return Ok(None);
                }
                let why = format!("the message has {length} bytes, and the system takes at most {most} at once");
                Err(Failure::refused(io::ErrorKind::InvalidInput, why))
            }
        }
    }

    fn piece_size() -> PieceSize {
        PieceSize::new(S::Issuer::MIN_PIECE, S::Issuer::MAX_PIECE)
    }

    /// The kernel has no memory for a write: halves the piece, or else lets the write wait until
    /// the kernel is done with one of those before it.
    ///
    /// The same bytes are issued again. That is right if none has gone, which is sure while another
    /// write is pending: then no read of the peer waits. Otherwise a read that waited may have got
    /// its part before there was no memory for the rest (*assumed*; ReactOS's `NpWriteDataQueue`
    /// does so, and its caller asks for memory afterwards). Nothing tells, so that part would come
    /// twice.
    #[cold]
    pub(super) fn without_resources(
        &self,
        table: &mut Table<S>,
        id: SlotId,
        loan: &Loan<S::Slot>,
        failure: Failure,
    ) -> Attempt {
        let is_alone = !table.has_issued();
        let Some(entry) = table.find(id) else { return Attempt::Over(Err(failure)) };
        let done = entry.done();
        if !self.issuer.takes_pieces() {
            return Attempt::Over(Err(failure.in_part_behind(done)));
        }
        let mut size = Self::piece_size();
        if size.halve(loan.address(Half::Write).1) {
            entry.set_pieces(Some(Pieces::cut(loan, size, done)));
            return Attempt::Again;
        }
        if is_alone { Attempt::Over(Err(failure.in_part_behind(done))) } else { Attempt::Later }
    }
}
