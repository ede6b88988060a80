//! The executors that the async traits must work on, and the two families of traits.

use std::future::Future;
use std::io;

use anonpipe::Driver;

/// What polls the futures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executor {
    TokioCurrentThread,
    TokioMultiThread,
    Smol,
    Futures,
    Pollster,
    /// The caller's thread, which turns a driver of its own for ends that are attached to it.
    Driver,
}

impl Executor {
    pub(crate) const ALL: [Self; 6] =
        [Self::TokioCurrentThread, Self::TokioMultiThread, Self::Smol, Self::Futures, Self::Pollster, Self::Driver];

    pub(crate) fn run<T>(self, future: impl Future<Output = T>) -> T {
        match self {
            Self::TokioCurrentThread => current_thread().block_on(future),
            Self::TokioMultiThread => multi_thread().block_on(future),
            Self::Smol => smol::block_on(future),
            Self::Futures => futures::executor::block_on(future),
            Self::Pollster => pollster::block_on(future),
            Self::Driver => Driver::new().expect("a driver").block_on(future),
        }
    }

    /// Runs two futures next to each other, as two tasks where the executor has tasks.
    pub(crate) fn run_both<A: Send + 'static, B: Send + 'static>(
        self,
        one: impl Future<Output = A> + Send + 'static,
        other: impl Future<Output = B> + Send + 'static,
    ) -> (A, B) {
        self.run(async move {
            match self {
                Self::TokioCurrentThread | Self::TokioMultiThread => {
                    let (one, other) = (tokio::spawn(one), tokio::spawn(other));
                    (one.await.expect("a task"), other.await.expect("a task"))
                }
                Self::Smol => {
                    let (one, other) = (smol::spawn(one), smol::spawn(other));
                    (one.await, other.await)
                }
                Self::Futures | Self::Pollster | Self::Driver => futures::join!(one, other),
            }
        })
    }
}

pub(crate) fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn multi_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The two families of async traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Tokio,
    Futures,
}

pub(crate) trait AnyRead: tokio::io::AsyncRead + futures::io::AsyncRead + Unpin {}
impl<T: tokio::io::AsyncRead + futures::io::AsyncRead + Unpin> AnyRead for T {}
pub(crate) trait AnyWrite: tokio::io::AsyncWrite + futures::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncWrite + futures::io::AsyncWrite + Unpin> AnyWrite for T {}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::Tokio, Self::Futures];

    pub(crate) async fn read(self, reader: &mut impl AnyRead, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tokio => tokio::io::AsyncReadExt::read(reader, buffer).await,
            Self::Futures => futures::AsyncReadExt::read(reader, buffer).await,
        }
    }

    pub(crate) async fn write(self, writer: &mut impl AnyWrite, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tokio => tokio::io::AsyncWriteExt::write(writer, bytes).await,
            Self::Futures => futures::AsyncWriteExt::write(writer, bytes).await,
        }
    }

    pub(crate) async fn write_all(self, writer: &mut impl AnyWrite, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tokio => tokio::io::AsyncWriteExt::write_all(writer, bytes).await,
            Self::Futures => futures::AsyncWriteExt::write_all(writer, bytes).await,
        }
    }

    pub(crate) async fn flush(self, writer: &mut impl AnyWrite) -> io::Result<()> {
        match self {
            Self::Tokio => tokio::io::AsyncWriteExt::flush(writer).await,
            Self::Futures => futures::AsyncWriteExt::flush(writer).await,
        }
    }

    pub(crate) async fn close(self, writer: &mut impl AnyWrite) -> io::Result<()> {
        match self {
            Self::Tokio => tokio::io::AsyncWriteExt::shutdown(writer).await,
            Self::Futures => futures::AsyncWriteExt::close(writer).await,
        }
    }
}
