//! An operation of any system, with the name of its end.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::buffer::sealed::Token;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::channel::{InFlight, Record, Submitted, System};
use crate::contract::{EndName, Failure, Half, Outcome, nothing_to_do};

/// The caller's handle to an operation. Its errors name the end.
pub(crate) struct Operation<B: Send + 'static, S: System> {
    submitted: Submitted<B, S>,
    end: EndName,
}

impl<B: Send + 'static, S: System> Operation<B, S> {
    pub(super) fn new(submitted: Submitted<B, S>, end: EndName) -> Self {
        Self { submitted, end }
    }

    pub(crate) fn submitted(&self) -> &Submitted<B, S> {
        &self.submitted
    }

    fn named(&self, half: Half, (outcome, buffer): (Outcome, B)) -> (io::Result<usize>, B) {
        (outcome.map_err(|failure| failure.into_io(half.action(), self.end)), buffer)
    }

    /// Blocks until the operation is complete, or `deadline` has come.
    ///
    /// # Panics
    ///
    /// If the outcome was already taken.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Option<(io::Result<usize>, B)> {
        let half = self.submitted.record().request().half;
        let output = self.submitted.wait(deadline)?;
        Some(self.named(half, output))
    }

    /// # Panics
    ///
    /// If the outcome was already taken.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(io::Result<usize>, B)> {
        let half = self.submitted.record().request().half;
        self.submitted.poll(context).map(|output| self.named(half, output))
    }

    pub(crate) fn detach(self) {
        self.submitted.detach();
    }
}

impl<B: WriteBuffer, S: System> Operation<B, S> {
    /// Starts a read on `channel`, whose end has the name `end`.
    pub(crate) fn read(channel: &Arc<S::Channel>, end: EndName, buffer: B) -> Self
    where
        B: ReadBuffer,
    {
        Self::submit(channel, end, Half::Read, buffer, |record| record.lent().lend_to_read())
    }

    /// Starts a write on `channel`, whose end has the name `end`.
    pub(crate) fn write(channel: &Arc<S::Channel>, end: EndName, buffer: B) -> Self {
        Self::submit(channel, end, Half::Write, buffer, |record| record.lent().lend_to_write())
    }

    fn submit(
        channel: &Arc<S::Channel>,
        end: EndName,
        half: Half,
        buffer: B,
        lend: impl FnOnce(&Record<B, S>),
    ) -> Self {
        if let Some(why) = buffer.unfit(Token(())) {
            return Self::refused(end, half, buffer, Failure::refused(io::ErrorKind::InvalidInput, why));
        }
        let length = buffer.bytes(Token(())).len();
        let record = Record::new(half, buffer, length);
        lend(&record);
        let submitted = match nothing_to_do(length) {
            Some(outcome) => Submitted::decided(record, outcome),
            None => Submitted::to(channel, record),
        };
        Self::new(submitted, end)
    }

    /// An operation that was refused, and so is complete from the start.
    pub(crate) fn refused(end: EndName, half: Half, mut buffer: B, failure: Failure) -> Self {
        buffer.submitted(Token(()));
        Self::new(Submitted::decided(Record::new(half, buffer, 0), Err(failure)), end)
    }
}

impl<B: Send + 'static, S: System> fmt::Debug for Operation<B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Op");
        if self.submitted.is_taken() {
            return debug.field("state", &"taken").finish_non_exhaustive();
        }
        let record = self.submitted.record();
        let state = if !record.is_of_this_process() {
            "left in the parent"
        } else if record.outcome().is_complete() {
            "complete"
        } else {
            "pending"
        };
        let request = record.request();
        debug.field("half", &request.half).field("length", &request.length).field("state", &state);
        debug.finish_non_exhaustive()
    }
}
