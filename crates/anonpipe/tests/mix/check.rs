//! Whether what came out can be what went in.

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is under way.
    Open,
    /// It will be written, and the one who made it may never be told.
    Accepted,
    /// As accepted, and no actor will be told.
    Detached,
    /// So many bytes of it went.
    Exactly(usize),
    /// Some of it went, perhaps all, perhaps nothing.
    Unknown,
}

/// A part of what went in.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) start: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fate: Fate,
}

impl Written {
    /// How many bytes of it may have come out.
    pub(crate) fn least_and_most(&self) -> (usize, usize) {
        match self.fate {
            Fate::Accepted | Fate::Detached => (self.bytes.len(), self.bytes.len()),
            Fate::Exactly(count) => (count, count),
            Fate::Open | Fate::Unknown => (0, self.bytes.len()),
        }
    }
}

/// Whether `found` can be what came of `written`; if not `whole`, a beginning of it. Says how far
/// it could be.
pub(crate) fn fits(found: &[u8], written: &[Written], whole: bool, furthest: &mut usize) -> bool {
    fits_from(0, found, written, whole, furthest)
}

fn fits_from(mut at: usize, found: &[u8], mut written: &[Written], whole: bool, furthest: &mut usize) -> bool {
    while let [entry, rest @ ..] = written {
        let (least, most) = entry.least_and_most();
        let pairs = found[at..].iter().zip(&entry.bytes[..most]);
        let common = pairs.take_while(|(found, written)| found == written).count();
        *furthest = (*furthest).max(at + common);
        if !whole && at + common == found.len() {
            return true;
        }
        if common < least {
            return false;
        }
        if least < most {
            // Which bytes come next tells how many there were of these: a wrong number is seen
            // within a few bytes.
            return (least..=common).rev().any(|count| fits_from(at + count, found, rest, whole, furthest));
        }
        at += most;
        written = rest;
    }
    at == found.len()
}

#[cfg(test)]
mod tests {
    use super::{Fate, Written, fits};

    fn written(parts: &[(&str, Fate)]) -> Vec<Written> {
        let part = |(bytes, fate): &(&str, Fate)| Written { start: 0, bytes: bytes.as_bytes().to_vec(), fate: *fate };
        parts.iter().map(part).collect()
    }

    #[test]
    fn the_checker_tells_what_fits() {
        let sure = written(&[("abc", Fate::Accepted), ("defg", Fate::Exactly(2)), ("hi", Fate::Detached)]);
        let unsure = written(&[("abc", Fate::Unknown), ("bcd", Fate::Unknown), ("e", Fate::Accepted)]);
        let check = |found: &str, written: &[Written], whole| fits(found.as_bytes(), written, whole, &mut 0);
        assert!(check("abcdehi", &sure, true));
        for wrong in ["", "abcde", "abcdefghi", "abcdeh", "abcdehij", "abdehi", "abccdehi", "hiabcde"] {
            assert!(!check(wrong, &sure, true), "{wrong}");
        }
        for beginning in ["", "a", "abcde", "abcdeh", "abcdehi"] {
            assert!(check(beginning, &sure, false), "{beginning}");
        }
        for wrong in ["b", "abcdf", "abcdehij"] {
            assert!(!check(wrong, &sure, false), "{wrong}");
        }
        for possible in ["e", "abce", "abe", "abcbcde", "abbe", "bcde", "abce", "ae", "abcdbe"] {
            assert_eq!(check(possible, &unsure, true), possible != "abcdbe", "{possible}");
        }
        assert!(check("ab", &unsure, false) && !check("ac", &unsure, false) && !check("ab", &unsure, true));
    }
}
