//! Frames with a length before them, flooding both directions of a duplex pair at once.

use std::io;

use anonpipe::{Duplex, Overlapped};
use bytes::{Bytes, BytesMut};
use futures::future::join;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec};

use crate::Backend;
use crate::executor::Executor;
use crate::frames::{FLOOD, Total, ends, receive, send};
use crate::limit::Limit;

/// Who a side is, and how it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub(crate) executor: Executor,
    pub(crate) ours: u64,
    pub(crate) theirs: u64,
}

/// What a side sent and what it received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchanged {
    pub(crate) sent: Total,
    pub(crate) received: Total,
}

/// tokio's traits.
pub(crate) fn framed(
    end: Duplex<Overlapped>,
) -> Framed<impl tokio::io::AsyncRead + tokio::io::AsyncWrite, LengthDelimitedCodec> {
    Framed::new(end, LengthDelimitedCodec::new())
}

/// Those of futures, made into tokio's.
pub(crate) fn framed_by_compat(
    end: Duplex<Overlapped>,
) -> Framed<impl tokio::io::AsyncRead + tokio::io::AsyncWrite, LengthDelimitedCodec> {
    Framed::new(tokio_util::compat::FuturesAsyncReadCompatExt::compat(end), LengthDelimitedCodec::new())
}

/// Sends and receives at the same time, each in a task of its own, until both are through and the
/// direction is closed, where there is such a thing; the end itself comes back open.
pub(crate) async fn exchange<F>(side: Side, framed: F) -> (F, Exchanged)
where
    F: Stream<Item = io::Result<BytesMut>> + Sink<Bytes, Error = io::Error> + Unpin + Send + 'static,
{
    let Side { executor, ours, theirs } = side;
    let (mut sink, mut stream) = framed.split();
    let sending = executor.spawn(async move {
        let sent = send(&mut sink, ours, FLOOD).await;
        sink.close().await.expect("it closes, as far as it can");
        (sink, sent)
    });
    let receiving = executor.spawn(async move {
        let received = receive(&mut stream, theirs).await;
        if cfg!(unix) {
            ends(&mut stream).await;
        }
        (stream, received)
    });
    // Together, so that the panic of either is seen at once.
    let ((sink, sent), (stream, received)) = join(sending, receiving).await;
    (sink.reunite(stream).expect("the two halves"), Exchanged { sent, received })
}

/// Two sides of one pair, in this process.
async fn exchange_inside<F>(executor: Executor, limit: &Limit, ours: F, theirs: F)
where
    F: Stream<Item = io::Result<BytesMut>> + Sink<Bytes, Error = io::Error> + Unpin + Send + 'static,
{
    limit.doing("exchanging frames");
    let ours = executor.spawn(exchange(Side { executor, ours: 1, theirs: 2 }, ours));
    let theirs = executor.spawn(exchange(Side { executor, ours: 2, theirs: 1 }, theirs));
    let ((ours, at_ours), (mut theirs, at_theirs)) = join(ours, theirs).await;
    assert_eq!(at_ours.sent, at_theirs.received);
    assert_eq!(at_theirs.sent, at_ours.received);
    limit.doing("waiting for the end of file");
    drop(ours);
    ends(&mut theirs).await;
}

pub(crate) fn frames_on_both_ends(limit: &Limit, backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let executor = Executor::Tokio;
    executor.block_on(exchange_inside(executor, limit, framed(ours), framed(theirs)));
}

pub(crate) fn frames_through_the_compat_layer_on_smol(limit: &Limit, backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let executor = Executor::Smol;
    executor.block_on(exchange_inside(executor, limit, framed_by_compat(ours), framed_by_compat(theirs)));
}

/// Each half of an end in a task that shares nothing with the other's.
pub(crate) fn frames_on_split_ends(limit: &Limit, backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let executor = Executor::Tokio;
    let both = |end: Duplex<Overlapped>, outgoing, incoming| {
        let (reader, writer) = end.split();
        let sending = executor.spawn(async move {
            let mut sink = FramedWrite::new(writer, LengthDelimitedCodec::new());
            let sent = send(&mut sink, outgoing, FLOOD).await;
            (sink, sent)
        });
        let receiving = executor.spawn(async move {
            let mut stream = FramedRead::new(reader, LengthDelimitedCodec::new());
            let received = receive(&mut stream, incoming).await;
            (stream, received)
        });
        join(sending, receiving)
    };
    executor.block_on(async {
        limit.doing("exchanging frames");
        let (ours, theirs) = (both(ours, 1, 2), both(theirs, 2, 1));
        let (ours, theirs) = join(ours, theirs).await;
        let ((sink, sent), (stream, received)) = ours;
        let ((_their_sink, they_sent), (mut their_stream, they_received)) = theirs;
        assert_eq!((sent, received), (they_received, they_sent));
        limit.doing("waiting for the end of file");
        drop((sink, stream));
        ends(&mut their_stream).await;
    });
}
