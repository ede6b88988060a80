//! Messages of JSON behind a header with their length, as language servers speak: once as a codec
//! of tokio-util's, once by hand over what futures makes of a reader.

use std::future::Future;
use std::io::{self, ErrorKind};

use bytes::{Buf, BytesMut};
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite};

/// Where messages come from.
pub(crate) trait Receive: Send + 'static {
    /// The next message; none at the end of file.
    fn receive(&mut self) -> impl Future<Output = io::Result<Option<Value>>> + Send;
}

/// Where messages go.
pub(crate) trait Transmit: Send + 'static {
    /// Sends a message so far that the peer can read it.
    fn transmit(&mut self, message: Value) -> impl Future<Output = io::Result<()>> + Send;
    /// Lets the peer read the end of file.
    fn close(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// The length in a header, without the empty line.
fn length_in(header: &str) -> io::Result<usize> {
    let lengths = header.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    let length = lengths.next().and_then(|(_, value)| value.trim().parse().ok());
    length.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("a header without a length: {header:?}")))
}

fn header_of(body: &[u8]) -> String {
    format!("Content-Length: {}\r\n\r\n", body.len())
}

/// The codec.
pub(crate) struct ContentLength;

impl Decoder for ContentLength {
    type Item = Value;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Value>> {
        const EMPTY_LINE: &[u8] = b"\r\n\r\n";
        let Some(header) = bytes.windows(EMPTY_LINE.len()).position(|window| window == EMPTY_LINE) else {
            return Ok(None);
        };
        let body = header + EMPTY_LINE.len();
        let text =
            std::str::from_utf8(&bytes[..header]).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let end = body + length_in(text)?;
        if bytes.len() < end {
            bytes.reserve(end - bytes.len());
            return Ok(None);
        }
        let message = serde_json::from_slice(&bytes[body..end])?;
        bytes.advance(end);
        Ok(Some(message))
    }
}

impl Encoder<Value> for ContentLength {
    type Error = io::Error;

    fn encode(&mut self, message: Value, bytes: &mut BytesMut) -> io::Result<()> {
        let body = serde_json::to_vec(&message)?;
        bytes.extend_from_slice(header_of(&body).as_bytes());
        bytes.extend_from_slice(&body);
        Ok(())
    }
}

impl<R: tokio::io::AsyncRead + Unpin + Send + 'static> Receive for FramedRead<R, ContentLength> {
    async fn receive(&mut self) -> io::Result<Option<Value>> {
        self.next().await.transpose()
    }
}

impl<W: tokio::io::AsyncWrite + Unpin + Send + 'static> Transmit for FramedWrite<W, ContentLength> {
    async fn transmit(&mut self, message: Value) -> io::Result<()> {
        SinkExt::send(self, message).await
    }

    async fn close(&mut self) -> io::Result<()> {
        SinkExt::<Value>::close(self).await
    }
}

/// By hand.
pub(crate) struct ByHand<E>(pub(crate) E);

impl<R: futures::AsyncRead + Unpin + Send + 'static> Receive for ByHand<futures::io::BufReader<R>> {
    async fn receive(&mut self) -> io::Result<Option<Value>> {
        let mut header = String::new();
        while !header.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut header).await? == 0 {
                return if header.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
        let mut body = vec![0; length_in(&header)?];
        self.0.read_exact(&mut body).await?;
        Ok(Some(serde_json::from_slice(&body)?))
    }
}

impl<W: futures::AsyncWrite + Unpin + Send + 'static> Transmit for ByHand<W> {
    async fn transmit(&mut self, message: Value) -> io::Result<()> {
        let body = serde_json::to_vec(&message)?;
        self.0.write_all(header_of(&body).as_bytes()).await?;
        self.0.write_all(&body).await?;
        self.0.flush().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.close().await
    }
}
