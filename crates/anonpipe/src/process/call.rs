//! Calls that take time: awaited on any executor, or waited for by a thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::channel::{DriverShare as _, System as _};
use crate::driver::{Native, NativeDriver};
use crate::sync::{Clock as _, Condvar, Mutex, SystemClock, lock};

/// A call about a child that takes time: `.await` it on any executor, or [`wait`](Self::wait) for
/// it, if you like for a limited [time](Self::wait_timeout).
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use anonpipe::process::Command;
///
/// let output = Command::new("echo").arg("hello").output().wait()?;
/// assert_eq!(output.stdout, b"hello\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "nothing waits for the child until the call is awaited or waited for"]
pub struct Call<'a, T>(Box<dyn Steps<Output = T> + Send + 'a>);

/// What a [`Call`] does.
pub(super) trait Steps {
    type Output;

    /// The result, once there is one; until then, `waker` is called when there is more to do.
    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output>;

    /// The driver that the caller turns, if the child is attached to one.
    fn driver(&self) -> Option<NativeDriver>;

    /// Blocks until there is a result, or `deadline` has come.
    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        let driver = self.driver();
        block_until(driver, deadline, |waker| self.poll(waker))
    }
}

impl<'a, T> Call<'a, T> {
    pub(super) fn new(steps: impl Steps<Output = T> + Send + 'a) -> Self {
        Self(Box::new(steps))
    }

    pub(super) fn steps(&mut self) -> &mut (dyn Steps<Output = T> + Send + 'a) {
        &mut *self.0
    }

    /// Blocks until the call has its result.
    ///
    /// # Panics
    ///
    /// If [`wait_timeout`](Self::wait_timeout) or a poll has already handed out the result.
    pub fn wait(mut self) -> T {
        self.0.wait(None).expect("without a deadline there is a result")
    }

    /// Blocks until the call has its result, for at most `timeout`.
    ///
    /// `None` means that the time was up. The call goes on; wait for it again.
    ///
    /// # Panics
    ///
    /// If an earlier call or a poll has already handed out the result.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<T> {
        self.0.wait(Native::deadline_in(timeout))
    }
}

impl<T> Future for Call<'_, T> {
    type Output = T;

    /// # Panics
    ///
    /// If the result was already handed out.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.0.poll(context.waker())
    }
}

impl<T> fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// Calls `poll` until it is ready, and waits in between: by turning the driver, if the caller has
/// to.
pub(super) fn block_until<T>(
    driver: Option<NativeDriver>,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    if let Some(driver) = driver {
        return driver.run_until(poll, deadline);
    }
    let thread = Arc::new(WaitingThread::default());
    let waker = Waker::from(Arc::clone(&thread));
    loop {
        if let Poll::Ready(result) = poll(&waker) {
            return Some(result);
        }
        if !thread.wait(deadline) {
            return None;
        }
    }
}

/// A thread that waits for a call.
#[derive(Default)]
struct WaitingThread {
    is_woken: Mutex<bool>,
    wakes: Condvar,
}

impl WaitingThread {
    /// Waits until it is woken. `false`: `deadline` has come.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut is_woken = lock(&self.is_woken);
        while !std::mem::take(&mut *is_woken) {
            if deadline.is_some_and(|deadline| deadline <= Native::now()) {
                return false;
            }
            is_woken = SystemClock::wait(&self.is_woken, is_woken, &self.wakes, deadline);
        }
        true
    }
}

impl Wake for WaitingThread {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *lock(&self.is_woken) = true;
        self.wakes.notify_one();
    }
}
