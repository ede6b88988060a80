//! How much an input reads and writes.

use arbitrary::{Arbitrary, Result, Unstructured};

/// The length of a buffer: often small, sometimes more than the smallest pipe holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) usize);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let byte = usize::from(u8::arbitrary(input)?);
        Ok(Self(match byte {
            0..=63 => byte,
            64..=127 => (byte - 63) * 16,
            128..=191 => 4096 + byte - 160,
            _ => (byte - 191) * 300,
        }))
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (1, Some(1))
    }
}

/// Which of several, or none of them.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Pick(u8);

impl Pick {
    /// Which of `count`.
    pub(crate) fn of(self, count: usize) -> Option<usize> {
        usize::from(self.0).checked_rem(count)
    }

    /// As [`of`](Self::of), but now and then none even if there are some.
    pub(crate) fn of_or_none(self, count: usize) -> Option<usize> {
        if self.0 % 16 == 15 { None } else { self.of(count) }
    }
}
