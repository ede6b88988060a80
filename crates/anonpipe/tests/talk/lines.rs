//! Readers whose lines are taken one by one.

use std::io;

use anonpipe::{Overlapped, Reader, Writer};
use futures::future::join;
use futures::{Stream, StreamExt};

use crate::Backend;
use crate::executor::Executor;
use crate::frames::random;
use crate::limit::Limit;

pub(crate) fn of_tokio(limit: &Limit, backend: Backend) {
    compare(limit, backend, Executor::Tokio, write_by_tokio, async |reader| {
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(reader));
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await? {
            all.push(line);
        }
        Ok(all)
    });
}

pub(crate) fn of_futures(limit: &Limit, backend: Backend) {
    compare(limit, backend, Executor::Smol, write_by_futures, async |reader| {
        collect(futures::AsyncBufReadExt::lines(futures::io::BufReader::new(reader))).await
    });
}

/// tokio's traits, made into those of futures.
pub(crate) fn of_futures_through_the_compat_layer_on_tokio(limit: &Limit, backend: Backend) {
    compare(limit, backend, Executor::Tokio, write_by_tokio, async |reader| {
        let reader = tokio_util::compat::TokioAsyncReadCompatExt::compat(reader);
        collect(futures::AsyncBufReadExt::lines(futures::io::BufReader::new(reader))).await
    });
}

async fn collect(mut lines: impl Stream<Item = io::Result<String>> + Unpin) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    while let Some(line) = lines.next().await {
        all.push(line?);
    }
    Ok(all)
}

async fn write_by_tokio(mut writer: Writer<Overlapped>, pieces: Vec<Vec<u8>>) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;

    for piece in pieces {
        writer.write_all(&piece).await?;
    }
    writer.shutdown().await
}

async fn write_by_futures(mut writer: Writer<Overlapped>, pieces: Vec<Vec<u8>>) -> io::Result<()> {
    use futures::AsyncWriteExt;

    for piece in pieces {
        writer.write_all(&piece).await?;
    }
    writer.close().await
}

fn compare<F: Future<Output = io::Result<()>> + Send + 'static>(
    limit: &Limit,
    backend: Backend,
    executor: Executor,
    write: impl FnOnce(Writer<Overlapped>, Vec<Vec<u8>>) -> F,
    read: impl AsyncFnOnce(Reader<Overlapped>) -> io::Result<Vec<String>>,
) {
    let (reader, writer) = backend.pipe();
    let (lines, bytes) = text();
    let found = executor.block_on(async {
        limit.doing("reading lines");
        let written = executor.spawn(write(writer, pieces(&bytes)));
        let (found, written) = join(read(reader), written).await;
        written.expect("all is written");
        found.expect("lines")
    });
    assert_eq!(found.len(), lines.len());
    for (number, (found, line)) in found.iter().zip(&lines).enumerate() {
        assert!(found == line, "line {number} is {found:.100?}, not {line:.100?}");
    }
}

/// Lines, and how they look in a file: with either end of line, some empty, one longer than a pipe
/// holds, the last unended.
fn text() -> (Vec<String>, Vec<u8>) {
    let (mut lines, mut bytes) = (Vec::new(), Vec::new());
    for number in 0..20_000 {
        let bits = random(5, number);
        let words = if number == 1234 { 40_000 } else { usize::try_from(bits % 24).expect("a small number") };
        let line = format!("{number}: ünö ").repeat(words);
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(if bits & 0x100 == 0 { b"\n" } else { b"\r\n" });
        lines.push(line);
    }
    lines.push("no end of line".to_owned());
    bytes.extend_from_slice(b"no end of line");
    (lines, bytes)
}

/// The bytes in pieces of any size, which split lines, ends of lines and characters.
fn pieces(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut pieces, mut number) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let bits = random(6, number);
        let limit = if bits.is_multiple_of(16) { 90_000 } else { 3000 };
        let length = (1 + usize::try_from((bits >> 8) & 0xff_ffff).expect("24 bits") % limit).min(bytes.len());
        let piece;
        (piece, bytes) = bytes.split_at(length);
        pieces.push(piece.to_vec());
        number += 1;
    }
    pieces
}
