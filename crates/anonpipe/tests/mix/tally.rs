//! Counts what happened: a mix in which nothing is ever cancelled proves little.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! tallies {
    ($($name:ident: $text:literal),+ $(,)?) => {
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Tally { $($name),+ }

        static COUNTS: [AtomicU64; [$(Tally::$name),+].len()] = [$({ let _ = Tally::$name; AtomicU64::new(0) }),+];
        const TEXTS: &[&str] = &[$($text),+];
    };
}

tallies! {
    Bytes: "bytes",
    Reads: "reads",
    ReadsCancelled: "reads cancelled",
    Writes: "writes",
    WritesCancelled: "writes cancelled",
    TimesUp: "times up",
    Abandoned: "polled in vain",
    Phases: "phases",
    Interrupted: "interrupted",
    Shutdowns: "runtimes shut down",
    Converted: "converted",
    Refused: "conversions refused",
    EndsOfFile: "ends of file",
    BrokenPipes: "broken pipes",
}

impl Tally {
    pub(crate) fn one(self) {
        self.add(1);
    }

    pub(crate) fn add(self, count: usize) {
        COUNTS[self as usize].fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// All of them.
pub(crate) fn text() -> String {
    let count = |(count, text): (&AtomicU64, &&str)| format!("{} {text}", count.load(Ordering::Relaxed));
    COUNTS.iter().zip(TEXTS).map(count).collect::<Vec<_>>().join(", ")
}
