//! Bytes that pass from one pipe to another: the copying functions of tokio and futures.

use std::io;

use anonpipe::{Overlapped, Reader, Writer};
use futures::future::{join, join3};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::Backend;
use crate::executor::Executor;
use crate::floods::{Side, exchange, framed};
use crate::frames::{ends, noise, random};
use crate::limit::Limit;

/// How many bytes are copied.
const TOTAL: usize = 24 << 20;

/// Two ends talk over a third party, which has an end of each one's pair and copies both ways.
pub(crate) fn tokios_copy_bidirectional(limit: &Limit, backend: Backend) {
    let ((left, mut from_left), (mut from_right, right)) = (backend.duplex(), backend.duplex());
    let executor = Executor::Tokio;
    executor.block_on(async {
        limit.doing("exchanging frames over the third party");
        let copies =
            executor.spawn(async move { tokio::io::copy_bidirectional(&mut from_left, &mut from_right).await });
        let left = executor.spawn(exchange(Side { executor, ours: 1, theirs: 2 }, framed(left)));
        let right = executor.spawn(exchange(Side { executor, ours: 2, theirs: 1 }, framed(right)));
        let ((left, at_left), (mut right, at_right)) = join(left, right).await;
        assert_eq!((at_left.sent, at_left.received), (at_right.received, at_right.sent));
        limit.doing("waiting for the third party to be done");
        drop(left);
        if cfg!(unix) {
            ends(&mut right).await;
        }
        drop(right);
        let (rightwards, leftwards) = copies.await.expect("both directions are copied to the end");
        assert_eq!(rightwards, at_left.sent.bytes_with_lengths());
        assert_eq!(leftwards, at_right.sent.bytes_with_lengths());
    });
}

pub(crate) fn tokios_copy(limit: &Limit, backend: Backend) {
    pass_on_tokio(limit, backend, async |mut from, mut to| {
        let count = tokio::io::copy(&mut from, &mut to).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut to).await?;
        Ok(count)
    });
}

/// A reader becomes a stream of chunks, and the stream becomes a reader again.
pub(crate) fn streams_of_chunks(limit: &Limit, backend: Backend) {
    pass_on_tokio(limit, backend, async |from, mut to| {
        let mut chunks = StreamReader::new(ReaderStream::with_capacity(from, 30_000));
        let count = tokio::io::copy_buf(&mut chunks, &mut to).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut to).await?;
        Ok(count)
    });
}

fn pass_on_tokio(
    limit: &Limit,
    backend: Backend,
    copy: impl AsyncFnOnce(Reader<Overlapped>, Writer<Overlapped>) -> io::Result<u64>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let ((from, mut source), (mut destination, to)) = (backend.pipe(), backend.pipe());
    let executor = Executor::Tokio;
    executor.block_on(async {
        limit.doing("copying");
        let written = executor.spawn(async move {
            for chunk in chunks() {
                source.write_all(chunk).await.expect("it goes out");
            }
            source.shutdown().await.expect("it closes");
        });
        let read = executor.spawn(async move {
            let (mut check, mut buffer) = (Check::default(), vec![0; 100_000]);
            loop {
                let limit = check.next_size(buffer.len());
                match destination.read(&mut buffer[..limit]).await.expect("it comes in") {
                    0 => return check.ended(),
                    count => check.take(&buffer[..count]),
                }
            }
        });
        let (copied, (), ()) = join3(copy(from, to), written, read).await;
        assert_eq!(copied.expect("it is copied"), TOTAL as u64);
    });
}

pub(crate) fn futures_copy(limit: &Limit, backend: Backend) {
    use futures::{AsyncReadExt, AsyncWriteExt};

    let ((from, mut source), (mut destination, mut to)) = (backend.pipe(), backend.pipe());
    let executor = Executor::Smol;
    executor.block_on(async {
        limit.doing("copying");
        let written = executor.spawn(async move {
            for chunk in chunks() {
                source.write_all(chunk).await.expect("it goes out");
            }
            source.close().await.expect("it closes");
        });
        let read = executor.spawn(async move {
            let (mut check, mut buffer) = (Check::default(), vec![0; 100_000]);
            loop {
                let limit = check.next_size(buffer.len());
                match destination.read(&mut buffer[..limit]).await.expect("it comes in") {
                    0 => return check.ended(),
                    count => check.take(&buffer[..count]),
                }
            }
        });
        let copy = async {
            let count = futures::io::copy(from, &mut to).await?;
            to.close().await?;
            io::Result::Ok(count)
        };
        let (copied, (), ()) = join3(copy, written, read).await;
        assert_eq!(copied.expect("it is copied"), TOTAL as u64);
    });
}

/// What goes in: noise again and again, in chunks of any size.
fn chunks() -> impl Iterator<Item = &'static [u8]> {
    let (mut at, mut number) = (0, 0);
    std::iter::from_fn(move || {
        let place = at % noise().len();
        let chunk = size(3, number, 100_000).min(noise().len() - place).min(TOTAL - at);
        (at, number) = (at + chunk, number + 1);
        (chunk > 0).then(|| &noise()[place..place + chunk])
    })
}

/// A size up to `limit`, mostly far smaller.
fn size(seed: u64, number: u64, limit: usize) -> usize {
    let bits = random(seed, number);
    let limit = if bits.is_multiple_of(4) { limit } else { limit.min(5000) };
    1 + usize::try_from((bits >> 8) & 0xff_ffff).expect("24 bits") % limit
}

/// Compares what comes out.
#[derive(Debug, Default)]
struct Check {
    at: usize,
    reads: u64,
}

impl Check {
    fn next_size(&mut self, limit: usize) -> usize {
        self.reads += 1;
        size(4, self.reads, limit)
    }

    fn take(&mut self, mut found: &[u8]) {
        while !found.is_empty() {
            let place = self.at % noise().len();
            let count = found.len().min(noise().len() - place);
            assert!(found[..count] == noise()[place..place + count], "other bytes at {} or after", self.at);
            (self.at, found) = (self.at + count, &found[count..]);
        }
    }

    fn ended(&self) {
        assert_eq!(self.at, TOTAL, "the end of file");
    }
}
