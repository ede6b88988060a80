//! Waiting for the first of several operations.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use super::Op;
use crate::channel::{OutcomeCell, System};
use crate::driver::Native;

/// What [`wait_any`] waits for: an operation on a buffer of any type, or the
/// [end](crate::process::Exit) of a child. Sealed.
pub trait AnyOp: sealed::AnyOp {}

impl<B: Send + 'static> AnyOp for Op<B> {}

pub(crate) mod sealed {
    use std::task::{Poll, Waker};
    use std::time::Instant;

    use crate::channel::DriverShare;

    pub trait AnyOp {
        fn add_waker(&self, waker: &Waker) -> bool;
        fn remove_waker(&self, waker: &Waker);
        fn is_complete(&self) -> bool;
        /// If the caller has to turn a driver for this operation, turns it until `poll` is ready,
        /// or until `deadline`. `None`: there is no such driver.
        fn turn_until(&self, poll: &dyn Fn(&Waker) -> Poll<()>, deadline: Option<Instant>) -> Option<()>;
    }

    impl<B: Send + 'static> AnyOp for super::Op<B> {
        fn add_waker(&self, waker: &Waker) -> bool {
            self.0.submitted().add_waker(waker)
        }

        fn remove_waker(&self, waker: &Waker) {
            self.0.submitted().remove_waker(waker);
        }

        fn is_complete(&self) -> bool {
            self.0.submitted().is_complete()
        }

        fn turn_until(&self, poll: &dyn Fn(&Waker) -> Poll<()>, deadline: Option<Instant>) -> Option<()> {
            let driver = self.0.submitted().attached()?;
            let _ = driver.run_until(poll, deadline);
            Some(())
        }
    }
}

/// Blocks until one of several operations is complete, and returns its index: the lowest, if
/// several are.
///
/// `None` means that `timeout` was up, or that `ops` is empty. Nothing is cancelled, and no outcome
/// is taken: call [`Op::wait`] on the complete operation, which returns at once. Operations whose
/// outcome was already taken, and in a forked process those of its parent, count as complete: leave
/// them out. If some of the operations are on ends that are attached to a
/// [`Driver`](crate::Driver), the driver of the first of them is turned meanwhile, at least once.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let (quiet, _keep) = anonpipe::pipe()?;
/// let (reader, writer) = anonpipe::pipe()?;
/// let never = quiet.submit_read(vec![0; 8]);
/// let soon = reader.submit_read(vec![0; 8].into_boxed_slice());
/// writer.submit_write("now").wait().0?;
/// let first = anonpipe::wait_any(&[&never, &soon], Some(Duration::from_secs(5)));
/// assert_eq!(first, Some(1));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait_any(ops: &[&dyn AnyOp], timeout: Option<Duration>) -> Option<usize> {
    let deadline = timeout.and_then(Native::deadline_in);
    let first_end = Arc::new(OutcomeCell::new());
    let waker = Waker::from(Arc::new(EndWait(Arc::clone(&first_end))));
    let mut first = ops.iter().position(|op| op.add_waker(&waker));
    if first.is_none() && !ops.is_empty() {
        let poll = |waker: &Waker| first_end.poll(waker).map(drop);
        if ops.iter().find_map(|op| op.turn_until(&poll, deadline)).is_none() {
            let _ = first_end.wait::<<Native as System>::Clock>(deadline);
        }
        first = ops.iter().position(|op| op.is_complete());
    }
    for op in ops {
        op.remove_waker(&waker);
    }
    first
}

/// Ends a [`wait_any`], once, however many operations complete.
struct EndWait(Arc<OutcomeCell>);

impl Wake for EndWait {
    fn wake(self: Arc<Self>) {
        self.0.end_wait();
    }
}
