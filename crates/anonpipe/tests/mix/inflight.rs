//! The operations that an actor has in flight, and the ways to wait for them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use anonpipe::{AnyOp, Op, wait_any};

use crate::steps::Collect;
use crate::tally::Tally;

/// The operations of one direction, in the order in which they were submitted.
#[derive(Debug, Default)]
pub(crate) struct InFlight(VecDeque<Pending>);

/// An operation, and the number by which its stream knows it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) op: Op<Vec<u8>>,
    pub(crate) number: usize,
    /// It was cancelled, or may have been.
    pub(crate) cancelled: bool,
}

/// An operation that is complete.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) result: io::Result<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) number: usize,
    pub(crate) cancelled: bool,
}

impl InFlight {
    pub(crate) fn push(&mut self, op: Op<Vec<u8>>, number: usize) {
        self.0.push_back(Pending { op, number, cancelled: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the outcomes are all there.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.iter().all(|pending| pending.op.is_complete())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&mut self, place: usize) -> Option<Pending> {
        self.0.remove(place)
    }

    pub(crate) fn cancel(&mut self, place: usize) {
        if let Some(pending) = self.0.get_mut(place) {
            pending.op.cancel();
            pending.cancelled = true;
        }
    }

    pub(crate) fn cancel_each(&mut self) {
        for place in 0..self.len() {
            self.cancel(place);
        }
    }

    /// All were cancelled in some other way, or may have been.
    pub(crate) fn note_cancel(&mut self) {
        for pending in &mut self.0 {
            pending.cancelled = true;
        }
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = &dyn AnyOp> {
        self.0.iter().map(|pending| &pending.op as &dyn AnyOp)
    }

    fn done(&mut self, (result, bytes): (io::Result<usize>, Vec<u8>)) -> Done {
        let pending = self.0.pop_front().expect("its outcome was taken");
        Done { result, bytes, number: pending.number, cancelled: pending.cancelled }
    }

    /// Polls the first.
    pub(crate) fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<Done> {
        let Some(first) = self.0.front_mut() else { return Poll::Pending };
        Pin::new(&mut first.op).poll(context).map(|outcome| self.done(outcome))
    }

    /// The first, when it is complete; `None` if there is none.
    pub(crate) async fn first(&mut self) -> Option<Done> {
        if self.is_empty() { None } else { Some(poll_fn(|context| self.poll_first(context)).await) }
    }

    fn wait_for_first(&mut self, timeout: Duration) -> Option<Done> {
        let outcome = self.0.front_mut()?.op.wait_timeout(timeout)?;
        Some(self.done(outcome))
    }

    /// The first, if it is complete.
    pub(crate) fn first_complete(&mut self) -> Option<Done> {
        if self.0.front()?.op.is_complete() {
            return Some(self.wait_for_first(Duration::ZERO).expect("it is complete"));
        }
        None
    }

    /// The first, after a wait that blocks.
    pub(crate) fn wait(&mut self) -> Option<Done> {
        let Pending { op, number, cancelled } = self.0.pop_front()?;
        let (result, bytes) = op.wait();
        Some(Done { result, bytes, number, cancelled })
    }

    /// The first, in one of the ways to wait for it.
    pub(crate) async fn collect(&mut self, how: Collect) -> Option<Done> {
        match how {
            Collect::Await => self.first().await,
            Collect::Glance(polls) => glance(polls, self.first()).await?,
            Collect::Wait => self.wait(),
            Collect::WaitTimeout(time) => self.wait_for_first(time),
            Collect::WaitAny(time) => {
                let ops: Vec<_> = self.ops().collect();
                if let Some(first) = wait_any(&ops, Some(time)) {
                    assert!(self.0[first].op.is_complete(), "wait_any names one that is not complete");
                }
                self.first_complete()
            }
        }
    }
}

/// Polls a future a few times, and lets others run in between.
pub(crate) async fn glance<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        polled += 1;
        if polled >= polls {
            Tally::Abandoned.one();
            return Poll::Ready(None);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
