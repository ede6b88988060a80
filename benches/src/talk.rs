//! Two sides of a conversation: one sends and checks what comes back, the other sends it back. For
//! threads that block, for operations, and with the same body for each family of async traits.

/// The byte of a round trip: another one each time, so that a stale answer is seen.
fn byte_of(trip: u32) -> [u8; 1] {
    [trip.to_le_bytes()[0]]
}

/// `length` bytes that differ from place to place.
#[must_use]
pub fn pattern(length: usize) -> Vec<u8> {
    (0_u32..).map(|place| place.wrapping_mul(2_654_435_761).to_be_bytes()[0]).take(length).collect()
}

/// Compares a block that arrived: all of the first one, and the ends of the others, which costs
/// nothing.
fn check(block: &[u8], expected: &[u8], time: u32) {
    if time == 0 {
        assert!(block == expected, "other bytes came back");
    } else {
        assert_eq!((block.first(), block.last()), (expected.first(), expected.last()), "other bytes came back");
    }
}

/// For [`std::io::Read`] and [`std::io::Write`].
pub mod blocking {
    use std::io::{Read, Write};

    use super::{byte_of, check};

    /// Sends one byte and waits until it is back, `trips` times.
    ///
    /// # Panics
    ///
    /// When a pipe fails, or something else comes back.
    pub fn ping((mut reader, mut writer): (impl Read, impl Write), trips: u32) {
        for trip in 0..trips {
            let sent = byte_of(trip);
            let mut back = [!sent[0]];
            writer.write_all(&sent).unwrap();
            reader.read_exact(&mut back).unwrap();
            assert_eq!(back, sent);
        }
    }

    /// The other side of [`ping`].
    ///
    /// # Panics
    ///
    /// When a pipe fails.
    pub fn pong((mut reader, mut writer): (impl Read, impl Write), trips: u32) {
        let mut byte = [0];
        for _ in 0..trips {
            reader.read_exact(&mut byte).unwrap();
            writer.write_all(&byte).unwrap();
        }
    }

    /// Writes `block`, `times` times.
    ///
    /// # Panics
    ///
    /// When the pipe fails.
    pub fn flood(mut writer: impl Write, block: &[u8], times: u32) {
        for _ in 0..times {
            writer.write_all(block).unwrap();
        }
    }

    /// Reads what [`flood`] writes.
    ///
    /// # Panics
    ///
    /// When the pipe fails, or something else arrives.
    pub fn drain(mut reader: impl Read, block: &[u8], times: u32) {
        let mut buffer = vec![0; block.len()];
        for time in 0..times {
            reader.read_exact(&mut buffer).unwrap();
            check(&buffer, block, time);
        }
    }
}

/// For operations that are waited for.
pub mod op {
    use anonpipe::{Overlapped, Reader, Writer};

    use super::byte_of;

    fn read(reader: &Reader<Overlapped>, buffer: Vec<u8>) -> Vec<u8> {
        let (count, buffer) = reader.submit_read(buffer).wait();
        assert_eq!(count.unwrap(), 1);
        buffer
    }

    fn write(writer: &Writer<Overlapped>, buffer: Vec<u8>) -> Vec<u8> {
        let (count, buffer) = writer.submit_write(buffer).wait();
        assert_eq!(count.unwrap(), 1);
        buffer
    }

    /// Sends one byte and waits until it is back, `trips` times.
    ///
    /// # Panics
    ///
    /// When a pipe fails, or something else comes back.
    pub fn ping((reader, writer): &(Reader<Overlapped>, Writer<Overlapped>), trips: u32) {
        let mut buffer = vec![0];
        for trip in 0..trips {
            let sent = byte_of(trip);
            buffer.copy_from_slice(&sent);
            buffer = write(writer, buffer);
            buffer[0] = !sent[0];
            buffer = read(reader, buffer);
            assert_eq!(buffer, sent);
        }
    }

    /// The other side of [`ping`].
    ///
    /// # Panics
    ///
    /// When a pipe fails.
    pub fn pong((reader, writer): &(Reader<Overlapped>, Writer<Overlapped>), trips: u32) {
        (0..trips).fold(vec![0], |buffer, _| write(writer, read(reader, buffer)));
    }
}

/// The same for a family of async traits.
macro_rules! asynchronous {
    ($(#[$doc:meta])* $module:ident, $($import:tt)*) => {
        $(#[$doc])*
        pub mod $module {
            use $($import)*;

            use super::{byte_of, check};

            /// Sends one byte and waits until it is back, `trips` times.
            ///
            /// # Panics
            ///
            /// When a pipe fails, or something else comes back.
            pub async fn ping(
                (reader, writer): &mut (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
                trips: u32,
            ) {
                for trip in 0..trips {
                    let sent = byte_of(trip);
                    let mut back = [!sent[0]];
                    writer.write_all(&sent).await.unwrap();
                    reader.read_exact(&mut back).await.unwrap();
                    assert_eq!(back, sent);
                }
            }

            /// The other side of [`ping`].
            ///
            /// # Panics
            ///
            /// When a pipe fails.
            pub async fn pong(
                (reader, writer): &mut (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
                trips: u32,
            ) {
                let mut byte = [0];
                for _ in 0..trips {
                    reader.read_exact(&mut byte).await.unwrap();
                    writer.write_all(&byte).await.unwrap();
                }
            }

            /// [`ping`] and [`pong`] in one task.
            pub async fn both(
                near: &mut (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
                far: &mut (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
                trips: u32,
            ) {
                futures::join!(ping(near, trips), pong(far, trips));
            }

            /// [`flood`] and [`drain`] in one task.
            pub async fn bulk(
                writer: &mut (impl AsyncWrite + Unpin),
                reader: &mut (impl AsyncRead + Unpin),
                block: &[u8],
                times: u32,
            ) {
                futures::join!(flood(writer, block, times), drain(reader, block, times));
            }

            /// Writes `block`, `times` times, and flushes.
            ///
            /// # Panics
            ///
            /// When the pipe fails.
            pub async fn flood(writer: &mut (impl AsyncWrite + Unpin), block: &[u8], times: u32) {
                for _ in 0..times {
                    writer.write_all(block).await.unwrap();
                }
                writer.flush().await.unwrap();
            }

            /// Reads what [`flood`] writes.
            ///
            /// # Panics
            ///
            /// When the pipe fails, or something else arrives.
            pub async fn drain(reader: &mut (impl AsyncRead + Unpin), block: &[u8], times: u32) {
                let mut buffer = vec![0; block.len()];
                for time in 0..times {
                    reader.read_exact(&mut buffer).await.unwrap();
                    check(&buffer, block, time);
                }
            }
        }
    };
}

asynchronous!(
    /// For the traits of tokio.
    with_tokio,
    tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _}
);
asynchronous!(
    /// For the traits of the futures crates.
    with_futures,
    futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _}
);
