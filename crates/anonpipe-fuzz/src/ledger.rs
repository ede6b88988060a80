//! What went into one direction of a pipe, and what came out.

use std::collections::BTreeSet;
use std::fmt;

/// How many bytes of a write the system has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    Exactly(usize),
    AtMost(usize),
}

impl Sent {
    fn most(self) -> usize {
        let (Self::Exactly(count) | Self::AtMost(count)) = self;
        count
    }

    fn may_end_at(self, offset: usize) -> bool {
        matches!(self, Self::AtMost(_)) || offset == self.most()
    }
}

/// What a read took out.
#[derive(Clone)]
enum Taken {
    Bytes(Vec<u8>),
    /// At most so many bytes, and the caller was not told which.
    Untold(usize),
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Exactly({})", bytes.len()),
            Self::Untold(most) => write!(f, "AtMost({most})"),
        }
    }
}

/// The place of a read or write in the order of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(usize);

/// The reads and writes of one direction, in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    written: Vec<Sent>,
    taken: Vec<Taken>,
}

impl Ledger {
    /// A write of `length` bytes: its place, and the bytes to write.
    pub(crate) fn write(&mut self, length: usize) -> (Entry, Vec<u8>) {
        let number = self.written.len();
        self.written.push(Sent::AtMost(length));
        (Entry(number), (0..length).map(|offset| byte(number, offset)).collect())
    }

    /// Whether these are the bytes of a write.
    pub(crate) fn is(&self, entry: Entry, bytes: &[u8]) -> bool {
        bytes.iter().enumerate().all(|(offset, found)| byte(entry.0, offset) == *found)
    }

    pub(crate) fn sent(&mut self, entry: Entry, sent: Sent) {
        assert!(sent.most() <= self.written[entry.0].most(), "a write sent more bytes than it had: {sent:?}");
        self.written[entry.0] = sent;
    }

    /// A read into a buffer of `length` bytes.
    pub(crate) fn read(&mut self, length: usize) -> Entry {
        self.taken.push(Taken::Untold(length));
        Entry(self.taken.len() - 1)
    }

    pub(crate) fn took(&mut self, entry: Entry, bytes: &[u8]) {
        self.taken[entry.0] = Taken::Bytes(bytes.to_vec());
    }

    /// Panics unless what came out is what went in: the same bytes in the same order, from the
    /// first on. `whole`: up to the last.
    pub(crate) fn check(&self, whole: bool) {
        let mut places = self.and_later([(0, 0)].into());
        let mut count = 0;
        for taken in &self.taken {
            match taken {
                Taken::Bytes(bytes) => {
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        let (next, run) = self.after_some(&places, rest);
                        places = self.and_later(next);
                        assert!(!places.is_empty(), "byte {count} came out, and is not the next one: {self:?}");
                        count += run;
                        rest = &rest[run..];
                    }
                }
                Taken::Untold(most) => {
                    let mut reached = places.clone();
                    for _ in 0..*most {
                        let next = reached.iter().filter_map(|place| self.after(*place, None)).collect();
                        reached = self.and_later(next).into_iter().filter(|place| !places.contains(place)).collect();
                        if reached.is_empty() {
                            break;
                        }
                        places.extend(&reached);
                    }
                }
            }
        }
        let end = (self.written.len(), 0);
        assert!(!whole || places.contains(&end), "after {count} bytes the rest did not come out: {self:?}");
    }

    /// The places after the next bytes, and how many bytes these are: one; or the rest of a write,
    /// if it is certain which write that is and how much of it went.
    fn after_some(&self, places: &BTreeSet<Place>, found: &[u8]) -> (BTreeSet<Place>, usize) {
        if let (1, Some(&(number, offset))) = (places.len(), places.first())
            && let Some(Sent::Exactly(most)) = self.written.get(number)
            && offset < *most
        {
            let run = found.len().min(most - offset);
            let fits = (offset..).zip(&found[..run]).all(|(offset, found)| byte(number, offset) == *found);
            return (fits.then_some((number, offset + run)).into_iter().collect(), run);
        }
        (places.iter().filter_map(|place| self.after(*place, Some(found[0]))).collect(), 1)
    }

    /// The place after the next byte, if there can be one there, and if it is `found`.
    fn after(&self, (number, offset): Place, found: Option<u8>) -> Option<Place> {
        let fits = self.written.get(number).is_some_and(|sent| offset < sent.most())
            && found.is_none_or(|found| found == byte(number, offset));
        fits.then_some((number, offset + 1))
    }

    /// Adds the places where the next write begins, after a write that may end there.
    fn and_later(&self, mut places: BTreeSet<Place>) -> BTreeSet<Place> {
        let mut left: Vec<_> = places.iter().copied().collect();
        while let Some((number, offset)) = left.pop() {
            let ends = self.written.get(number).is_some_and(|sent| sent.may_end_at(offset));
            if ends && places.insert((number + 1, 0)) {
                left.push((number + 1, 0));
            }
        }
        places
    }
}

/// The number of a write, and an offset in it.
type Place = (usize, usize);

/// A byte of a write. Different writes have different bytes at most offsets.
fn byte(number: usize, offset: usize) -> u8 {
    let mut word = ((number as u64) << 32 | (offset as u64 / 8)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word ^= word >> 29;
    word.wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[offset % 8]
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Sent, byte};

    /// Two writes of 4 bytes, of which so many went, and what was read.
    fn holds(sent: [Sent; 2], taken: &[Option<(usize, usize)>], whole: bool) -> bool {
        let mut ledger = Ledger::default();
        for sent in sent {
            let (entry, _) = ledger.write(4);
            ledger.sent(entry, sent);
        }
        for bytes in taken {
            let entry = ledger.read(2);
            if let Some((number, offset)) = *bytes {
                ledger.took(entry, &[byte(number, offset), byte(number, offset + 1)]);
            }
        }
        std::panic::catch_unwind(|| ledger.check(whole)).is_ok()
    }

    #[test]
    fn a_ledger_tells_what_can_have_come_out() {
        use Sent::{AtMost, Exactly};
        let all = [Some((0, 0)), Some((0, 2)), Some((1, 0)), Some((1, 2))];
        assert!(holds([Exactly(4), Exactly(4)], &all, true));
        assert!(holds([Exactly(4), Exactly(4)], &all[..3], false));
        assert!(!holds([Exactly(4), Exactly(4)], &all[..3], true), "the rest is missing");
        assert!(!holds([Exactly(4), Exactly(4)], &all[1..], false), "the beginning is missing");
        assert!(!holds([Exactly(4), Exactly(4)], &[all[0], all[2]], false), "the middle is missing");
        assert!(!holds([Exactly(2), Exactly(4)], &all, false), "more came out than went in");
        assert!(!holds([Exactly(4), Exactly(4)], &[all[0], all[0]], false), "twice");
        assert!(holds([AtMost(4), Exactly(4)], &[all[0], all[2], all[3]], true), "the first was cut short");
        assert!(holds([AtMost(4), Exactly(4)], &all, true));
        assert!(holds([Exactly(4), Exactly(4)], &[None, all[1], all[2], all[3]], true), "an untold read took two");
        assert!(holds([Exactly(4), Exactly(4)], &[None, all[0]], false), "an untold read took nothing");
        assert!(!holds([Exactly(4), Exactly(4)], &[None, all[2]], false), "an untold read took too much");
    }
}
