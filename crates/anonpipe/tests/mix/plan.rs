//! What is to be done: every decision, made at random from a seed.

use std::time::Duration;

pub(crate) use crate::test_data::Random;

/// Whether an end may leave with writes in flight that its peer does not read before it is told
/// that its own are not read.
///
/// Not on Windows: what is in flight keeps the handle there, and with it the peer's writes.
pub(crate) const LEAVES_WITH_WRITES_IN_FLIGHT: bool = cfg!(unix);

/// Whether runtimes may end whose own threads have submitted something.
///
/// Under Wine what completes as its thread ends is lost, and so are the bytes of a read.
pub(crate) const THREADS_OF_RUNTIMES_END: bool = cfg!(unix);

/// Which way a pair goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Inbound,
    Outbound,
    Duplex,
}

/// What a pair is, and how its ends leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairPlan {
    pub(crate) shape: Shape,
    pub(crate) capacity: Option<usize>,
    pub(crate) server: EndPlan,
    pub(crate) client: EndPlan,
}

/// What becomes of an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndPlan {
    pub(crate) seed: u64,
    /// Of mode `Blocking`.
    pub(crate) plain: bool,
    /// Given to the round's driver.
    pub(crate) attached: bool,
    /// Leaves when it has read so much, without having read all.
    pub(crate) leaves_after: Option<usize>,
    /// How much it writes; if the peer leaves before the end, as much as the peer lets it.
    pub(crate) amount: Option<usize>,
    /// A duplex end: half-closes when it has written all.
    pub(crate) half_closes: bool,
    /// A duplex end: leaves as soon as it has written and read all; the other one sees that.
    pub(crate) leaves_first: bool,
}

pub(crate) fn one_in(random: &mut Random, count: usize) -> bool {
    random.below(count) == 0
}

pub(crate) fn one_of<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len())]
}

pub(crate) fn microseconds(random: &mut Random, choices: &[u64]) -> Duration {
    Duration::from_micros(one_of(random, choices))
}

impl EndPlan {
    fn random(random: &mut Random) -> Self {
        Self {
            seed: random.next(),
            plain: one_in(random, 5),
            attached: one_in(random, 4),
            leaves_after: None,
            amount: Some(20_000 + random.below(200_000)),
            half_closes: one_in(random, 2),
            leaves_first: false,
        }
    }
}

impl PairPlan {
    pub(crate) fn random(random: &mut Random) -> Self {
        let shape = one_of(random, &[Shape::Inbound, Shape::Outbound, Shape::Duplex, Shape::Duplex]);
        let capacity = one_of(random, &[None, None, Some(1), Some(4096), Some(300_000)]);
        let (mut server, mut client) = (EndPlan::random(random), EndPlan::random(random));
        if shape == Shape::Duplex && server.plain && client.plain {
            // Two ends that do one thing at a time would wait for each other.
            client.plain = false;
        }
        let (first, other) = if one_in(random, 2) { (&mut server, &mut client) } else { (&mut client, &mut server) };
        first.leaves_first = true;
        if one_in(random, 4) {
            match shape {
                Shape::Inbound => Self::leave(shape, random, &mut server, &mut client),
                Shape::Outbound => Self::leave(shape, random, &mut client, &mut server),
                Shape::Duplex => Self::leave(shape, random, first, other),
            }
        }
        Self { shape, capacity, server, client }
    }

    /// Has one end leave before it has read all.
    fn leave(shape: Shape, random: &mut Random, leaves: &mut EndPlan, other: &mut EndPlan) {
        if shape == Shape::Duplex && other.plain && !LEAVES_WITH_WRITES_IN_FLIGHT {
            return;
        }
        leaves.leaves_after = Some(random.below(150_000));
        other.amount = None;
    }
}

/// Who polls an actor, or whose thread it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Venue {
    /// A thread of its own, which it may block.
    Thread,
    TokioCurrentThread,
    TokioMultiThread,
    /// A runtime that all actors share, and that is shut down now and then.
    TokioShared,
    /// An executor of its own.
    Smol,
    /// The executor that all of the process share.
    SmolShared,
    LocalPool,
    FuturesBlockOn,
    Driver,
}

const VENUES: &[Venue] = &[
    Venue::Thread,
    Venue::Thread,
    Venue::Thread,
    Venue::TokioCurrentThread,
    Venue::TokioMultiThread,
    Venue::TokioShared,
    Venue::TokioShared,
    Venue::Smol,
    Venue::SmolShared,
    Venue::LocalPool,
    Venue::FuturesBlockOn,
    Venue::Driver,
];

/// What an actor is sent out for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand {
    pub(crate) venue: Venue,
    /// When its executor ends, in the middle of what it does then.
    pub(crate) interrupted: Option<Duration>,
    /// How many steps it takes at most.
    pub(crate) steps: usize,
}

impl Errand {
    pub(crate) fn random(random: &mut Random) -> Self {
        let venue = one_of(random, VENUES);
        let interrupted = one_in(random, 3).then(|| microseconds(random, &[0, 50, 300, 1000, 3000]));
        let venue = match venue {
            Venue::TokioMultiThread if !THREADS_OF_RUNTIMES_END => Venue::TokioShared,
            venue => venue,
        };
        Self { venue, interrupted, steps: 1 + random.below(25) }
    }
}

/// How often, if at all, an end's thread cancels behind its actors' backs.
pub(crate) fn cancels(random: &mut Random) -> usize {
    if one_in(random, 6) { 1 + random.below(5) } else { 0 }
}

/// How often guests act while an end is with its actors.
pub(crate) fn acts(random: &mut Random) -> usize {
    if one_in(random, 3) { 1 + random.below(20) } else { 0 }
}

/// How long an end's thread waits between two of these.
pub(crate) fn pause(random: &mut Random) -> Duration {
    microseconds(random, &[20, 100, 500, 2000])
}

/// What an end's thread does with an end between two phases.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Move {
    Nothing,
    /// Into a handle, and back.
    Convert,
    /// A clone takes its place.
    Clone,
    /// Duplex ends: two halves, and back.
    SplitAndJoin,
    /// Everything that only asks.
    Look,
}

impl Move {
    pub(crate) fn random(random: &mut Random) -> Self {
        one_of(random, &[Self::Nothing, Self::Convert, Self::Convert, Self::Clone, Self::SplitAndJoin, Self::Look])
    }
}
