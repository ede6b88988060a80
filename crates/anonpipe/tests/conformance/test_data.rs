//! Bytes that tell where they belong, and numbers that look random and are not.

use std::sync::LazyLock;

/// A prime, so that no chunk size falls into step with it.
const PERIOD: usize = 1_048_573;

static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random::new(1);
    (0..PERIOD).map(|_| random.next() as u8).collect()
});

/// The `count` bytes of the stream that begin at `position`.
pub(crate) fn bytes(position: usize, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let start = (position + bytes.len()) % PERIOD;
        let end = PERIOD.min(start + count - bytes.len());
        bytes.extend_from_slice(&BLOCK[start..end]);
    }
    bytes
}

/// Checks that `found` is what the stream has from `position` on.
#[track_caller]
pub(crate) fn check(position: usize, found: &[u8]) {
    let mut checked = 0;
    while checked < found.len() {
        let start = (position + checked) % PERIOD;
        let count = (PERIOD - start).min(found.len() - checked);
        let (found, expected) = (&found[checked..checked + count], &BLOCK[start..start + count]);
        if found != expected {
            let place = found.iter().zip(expected).position(|(found, expected)| found != expected).unwrap_or(0);
            panic!(
                "byte {} of the stream is {:#04x} instead of {:#04x}",
                position + checked + place,
                found[place],
                expected[place]
            );
        }
        checked += count;
    }
}

/// A small generator (xorshift64*), the same numbers in every run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 24
    }

    /// From 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    /// A chunk size: usually small, sometimes large.
    pub(crate) fn chunk(&mut self) -> usize {
        1 + match self.below(8) {
            0 => self.below(300_000),
            1 => self.below(20),
            _ => self.below(40_000),
        }
    }
}
