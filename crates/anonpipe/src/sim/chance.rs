//! What kernels in memory decide. They record their decisions, so that a run can be repeated.
//! Without a source of chance they do the expected thing, which is decision zero.

use std::cell::RefCell;

/// A generator of random numbers: SplitMix64, which is enough to choose steps and decisions.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        u8::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, times: u8) -> bool {
        self.below(times) == 0
    }
}

/// Where decisions come from.
pub(crate) enum Source {
    Random(Random),
    /// An earlier run; zero once its decisions are used up.
    Record(Vec<u8>),
}

struct Decisions {
    source: Source,
    made: Vec<u8>,
    faults: bool,
    /// Until the program comes to its end.
    decides: bool,
}

thread_local! {
    static DECISIONS: RefCell<Option<Decisions>> = const { RefCell::new(None) };
}

/// Has the kernels of this thread decide by `source`. With `faults` they may run out of something.
pub(crate) fn begin(source: Source, faults: bool) {
    DECISIONS.set(Some(Decisions { source, made: Vec::new(), faults, decides: true }));
}

/// Has them do the expected thing from now on.
pub(crate) fn stop() {
    DECISIONS.with_borrow_mut(|decisions| {
        if let Some(decisions) = decisions {
            decisions.decides = false;
        }
    });
}

/// The same. Returns the decisions that they have made.
pub(crate) fn end() -> Vec<u8> {
    DECISIONS.take().map(|decisions| decisions.made).unwrap_or_default()
}

/// A number below `bound`.
pub(crate) fn below(bound: u8) -> u8 {
    DECISIONS.with_borrow_mut(|decisions| {
        let Some(decisions) = decisions.as_mut().filter(|decisions| decisions.decides) else { return 0 };
        let place = decisions.made.len();
        let decision = match &mut decisions.source {
            Source::Random(random) => random.below(bound),
            Source::Record(record) => record.get(place).map_or(0, |decision| decision % bound.max(1)),
        };
        decisions.made.push(decision);
        decision
    })
}

/// True once in `times`; never if the kernel does the expected thing.
pub(crate) fn one_in(times: u8) -> bool {
    below(times) == times - 1
}

/// The same, of what goes wrong in a kernel.
pub(crate) fn fault(times: u8) -> bool {
    let faults = DECISIONS
        .with_borrow(|decisions| decisions.as_ref().is_some_and(|decisions| decisions.faults && decisions.decides));
    faults && one_in(times)
}

/// As many of `count` as the kernel likes: all, or some, but at least one.
pub(crate) fn part(count: usize) -> usize {
    if count > 1 && one_in(3) { 1 + usize::from(below(u8::try_from(count - 1).unwrap_or(u8::MAX))) } else { count }
}
