//! One of a child's outputs while it is collected.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::process::ChildStdout;
use crate::{Error, Op};

/// The buffer is small until a child fills it.
const FIRST_BUFFER: usize = 4 << 10;
const LARGEST_BUFFER: usize = 64 << 10;

/// The most that is taken from a pipe after its time was up: what may have been in it.
const LAST_BYTES: usize = 1 << 20;

pub(super) struct Stream {
    end: ChildStdout,
    state: State,
    /// How many bytes are kept.
    limit: usize,
    kept: Vec<u8>,
    left_out: u64,
}

enum State {
    Reading(Op<Vec<u8>>),
    /// The read was cancelled, because the time was up.
    Stopping(Op<Vec<u8>>),
    AtEnd,
    HeldOpen,
}

/// What a poll has found.
pub(super) enum Found {
    Bytes,
    /// The last of it; there is nothing more to poll for.
    End,
}

impl Stream {
    pub(super) fn new(end: ChildStdout, limit: Option<usize>) -> Self {
        let read = end.submit_read(vec![0; FIRST_BUFFER]);
        let limit = limit.unwrap_or(usize::MAX);
        Self { end, state: State::Reading(read), limit, kept: Vec::new(), left_out: 0 }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::AtEnd | State::HeldOpen)
    }

    pub(super) fn has_left_out(&self) -> bool {
        self.left_out > 0
    }

    /// Gives it up: what is in the pipe is still taken, but nothing is waited for. `false`: it was
    /// given up before, or is over.
    pub(super) fn stop(&mut self) -> bool {
        let State::Reading(read) = &self.state else { return false };
        read.cancel();
        if let State::Reading(read) = std::mem::replace(&mut self.state, State::AtEnd) {
            self.state = State::Stopping(read);
        }
        true
    }

    pub(super) fn poll(&mut self, waker: &Waker) -> Poll<io::Result<Found>> {
        let (State::Reading(read) | State::Stopping(read)) = &mut self.state else { return Poll::Pending };
        let (result, buffer) = ready!(Pin::new(read).poll(&mut Context::from_waker(waker)));
        let is_stopping = matches!(self.state, State::Stopping(_));
        Poll::Ready(match result {
            Ok(0) => {
                self.state = State::AtEnd;
                Ok(Found::End)
            }
            Ok(count) => {
                self.keep(&buffer[..count]);
                if is_stopping { self.take_the_last() } else { self.read_on(buffer, count) }
            }
            Err(error) if is_stopping && Error::of(&error).is_some_and(Error::is_cancelled) => self.take_the_last(),
            Err(error) => Err(error),
        })
    }

    fn read_on(&mut self, mut buffer: Vec<u8>, count: usize) -> io::Result<Found> {
        if count == buffer.len() && count < LARGEST_BUFFER {
            buffer = vec![0; count * 4];
        }
        self.state = State::Reading(self.end.submit_read(buffer));
        Ok(Found::Bytes)
    }

    /// Takes what is in the pipe, and finds out whether it is held open.
    fn take_the_last(&mut self) -> io::Result<Found> {
        let mut buffer = vec![0; LARGEST_BUFFER];
        let mut taken = 0;
        self.state = State::HeldOpen;
        while taken < LAST_BYTES {
            match self.end.read_timeout(&mut buffer, Duration::ZERO) {
                Ok(0) => {
                    self.state = State::AtEnd;
                    break;
                }
                Ok(count) => {
                    self.keep(&buffer[..count]);
                    taken += count;
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Found::End)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit - self.kept.len();
        let (kept, left_out) = bytes.split_at(bytes.len().min(room));
        self.kept.extend_from_slice(kept);
        self.left_out += left_out.len() as u64;
    }

    /// What was kept, how many bytes were not, and our end, if it is held open.
    pub(super) fn into_parts(self) -> (Vec<u8>, u64, Option<ChildStdout>) {
        let held = matches!(self.state, State::HeldOpen);
        (self.kept, self.left_out, held.then_some(self.end))
    }
}
