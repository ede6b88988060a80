//! Frames that two sides send each other, each knowing what must come.
//!
//! The seed tells how long the n-th frame is and what is in it, so the receiver notices what is
//! lost, doubled, cut or out of order. How many there are, the last frame tells, with a checksum.

use std::fmt::Debug;
use std::io;
use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Sink, SinkExt, Stream, StreamExt};

/// The longest frame: more than a pipe holds by default, and more than an end takes in one write.
const LONGEST: usize = 400_000;

/// What the last frame begins with.
const LAST: &[u8] = b"there is no more; frames, bytes, checksum:";

/// How many bytes go in each direction in a flood.
pub(crate) const FLOOD: u64 = 24 << 20;

/// What a side has sent or received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    checksum: u64,
}

impl Total {
    fn add(&mut self, frame: &[u8]) {
        self.frames += 1;
        self.bytes += frame.len() as u64;
        for word in frame.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.checksum =
                (self.checksum.rotate_left(5) ^ u64::from_le_bytes(padded)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn last_frame(self) -> Bytes {
        let mut frame = BytesMut::from(LAST);
        frame.put_u64(self.frames);
        frame.put_u64(self.bytes);
        frame.put_u64(self.checksum);
        frame.freeze()
    }

    /// How many bytes that is with a length of four bytes before every frame, the last one
    /// included.
    pub(crate) fn bytes_with_lengths(self) -> u64 {
        self.bytes + 4 * self.frames + 4 + self.last_frame().len() as u64
    }
}

/// Bytes in which no two places look alike.
pub(crate) fn noise() -> &'static Bytes {
    static NOISE: OnceLock<Bytes> = OnceLock::new();
    NOISE.get_or_init(|| (0..200_000).flat_map(|number| random(0, number).to_le_bytes()).collect())
}

/// The `number`-th random number that `seed` gives.
pub(crate) fn random(seed: u64, number: u64) -> u64 {
    let mut bits = (seed << 40).wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The `number`-th frame: one in 16 is empty, and one in 16 is longer than a pipe may hold.
fn frame(seed: u64, number: u64) -> Bytes {
    let bits = random(seed, number);
    let limit = match bits % 16 {
        0 => 1,
        1..=7 => 64,
        8..=13 => 9000,
        14 => 70_000,
        _ => LONGEST,
    };
    let (length, start) = (below(bits >> 4, limit), below(bits >> 32, noise().len() - LONGEST));
    noise().slice(start..start + length)
}

fn below(bits: u64, limit: usize) -> usize {
    usize::try_from(bits & 0x0fff_ffff).expect("28 bits") % limit
}

/// Sends frames of `bytes` bytes together, and the last frame.
pub(crate) async fn send<S>(sink: &mut S, seed: u64, bytes: u64) -> Total
where
    S: Sink<Bytes, Error = io::Error> + Unpin,
{
    let mut total = Total::default();
    while total.bytes < bytes {
        let frame = frame(seed, total.frames);
        total.add(&frame);
        sink.feed(frame).await.unwrap_or_else(|error| panic!("sending frame {}: {error}", total.frames));
        if total.frames.is_multiple_of(37) {
            sink.flush().await.expect("the frames go out");
        }
    }
    sink.feed(total.last_frame()).await.expect("the last frame is taken");
    sink.flush().await.expect("the last frame goes out");
    total
}

/// Receives what [`send`] sends elsewhere with the same seed, and compares it.
pub(crate) async fn receive<S, F>(stream: &mut S, seed: u64) -> Total
where
    S: Stream<Item = io::Result<F>> + Unpin,
    F: AsRef<[u8]>,
{
    let mut total = Total::default();
    loop {
        let number = total.frames;
        let found = match stream.next().await {
            Some(Ok(found)) => found,
            Some(Err(error)) => panic!("receiving frame {number}: {error}"),
            None => panic!("the end came before frame {number}"),
        };
        let found = found.as_ref();
        if found.starts_with(LAST) {
            assert_eq!(found, total.last_frame(), "the sender has other totals");
            return total;
        }
        let expected = frame(seed, number);
        assert_eq!(found.len(), expected.len(), "the length of frame {number}");
        assert!(found == expected, "frame {number}, of {} bytes, has other bytes", found.len());
        total.add(found);
    }
}

/// The stream has no more frames.
pub(crate) async fn ends<S, F: Debug>(stream: &mut S)
where
    S: Stream<Item = io::Result<F>> + Unpin,
{
    if let Some(more) = stream.next().await {
        panic!("not the end of file: {more:?}");
    }
}
