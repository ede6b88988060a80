//! The executors that the rules run on.

use std::future::Future;

use futures::future::BoxFuture;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executor {
    /// tokio's, with two threads.
    Tokio,
    /// smol's, which has one thread of its own beside the caller's.
    Smol,
}

impl Executor {
    pub(crate) fn block_on<T>(self, future: impl Future<Output = T>) -> T {
        match self {
            Self::Tokio => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
            }
            Self::Smol => smol::block_on(future),
        }
    }

    /// Starts a task, whose result (or panic) comes from awaiting what is returned.
    pub(crate) fn spawn<T: Send + 'static>(
        self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        match self {
            Self::Tokio => {
                let task = tokio::spawn(future);
                Box::pin(async { task.await.expect("the task") })
            }
            Self::Smol => Box::pin(smol::spawn(future)),
        }
    }
}
