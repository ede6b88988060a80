//! Tasks, poll by poll.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::executors::{AnyRead, AnyWrite, Family};
use crate::harness::soon;

impl Family {
    pub(crate) fn poll_read(
        self,
        reader: &mut impl AnyRead,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tokio => {
                let mut buffer = tokio::io::ReadBuf::new(buffer);
                let polled = tokio::io::AsyncRead::poll_read(Pin::new(reader), context, &mut buffer);
                polled.map_ok(|()| buffer.filled().len())
            }
            Self::Futures => futures::io::AsyncRead::poll_read(Pin::new(reader), context, buffer),
        }
    }

    pub(crate) fn poll_write(
        self,
        writer: &mut impl AnyWrite,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tokio => tokio::io::AsyncWrite::poll_write(Pin::new(writer), context, bytes),
            Self::Futures => futures::io::AsyncWrite::poll_write(Pin::new(writer), context, bytes),
        }
    }

    pub(crate) fn poll_flush(self, writer: &mut impl AnyWrite, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tokio => tokio::io::AsyncWrite::poll_flush(Pin::new(writer), context),
            Self::Futures => futures::io::AsyncWrite::poll_flush(Pin::new(writer), context),
        }
    }

    pub(crate) fn poll_close(self, writer: &mut impl AnyWrite, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tokio => tokio::io::AsyncWrite::poll_shutdown(Pin::new(writer), context),
            Self::Futures => futures::io::AsyncWrite::poll_close(Pin::new(writer), context),
        }
    }
}

/// A task's waker that remembers whether it was called.
#[derive(Default)]
pub(crate) struct WokenFlag(AtomicBool);

impl Wake for WokenFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl WokenFlag {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Polls until the task has to wait.
    #[track_caller]
    pub(crate) fn pend<T>(self: &Arc<Self>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) {
        let waker = Waker::from(Arc::clone(self));
        for _ in 0..1000 {
            self.0.store(false, Ordering::Release);
            assert!(poll(&mut Context::from_waker(&waker)).is_pending(), "ready, which it must not be");
            if !self.0.load(Ordering::Acquire) {
                return;
            }
        }
        panic!("a task that wakes itself for ever");
    }

    /// Waits for the call of the waker, which must come soon, and polls again; until it is ready.
    #[track_caller]
    pub(crate) fn ready<T>(self: &Arc<Self>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let waker = Waker::from(Arc::clone(self));
        loop {
            soon("the waker is called", || self.0.swap(false, Ordering::AcqRel));
            if let Poll::Ready(output) = poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
    }
}

/// What it is ready with at the first poll.
#[track_caller]
pub(crate) fn at_once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> T {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits, which it must not"),
    }
}

#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls until it waits for the system: a task may ask to be polled again at once a few times
/// before.
pub(crate) fn poll_until_pending<T>(mut future: Pin<&mut impl Future<Output = T>>, count: &Arc<Count>) -> Poll<T> {
    let waker = Waker::from(Arc::clone(count));
    for _ in 0..10 {
        let before = count.get();
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        if poll.is_ready() || count.get() == before {
            return poll;
        }
    }
    panic!("it wakes itself for ever");
}

/// Polls if it was woken since the last time.
pub(crate) fn poll_once_counted<T>(future: Pin<&mut impl Future<Output = T>>, count: &Arc<Count>) -> bool {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(count)))).is_ready()
}

/// Whether it was ready, and successful.
pub(crate) fn at_once_or_pending(poll: impl FnOnce(&mut Context<'_>) -> Poll<std::io::Result<usize>>) -> bool {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => {
            result.unwrap();
            true
        }
        Poll::Pending => false,
    }
}

/// More than a small pipe holds.
pub(crate) const MUCH: usize = 100_000;
