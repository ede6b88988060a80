//! A thread that reads what can only be read by blocking: a synchronous pipe, a console, a file.
//!
//! It reads while a caller waits, and passes on what came through a pipe of ours, on which the
//! callers wait. So a cancelled read loses nothing, and a program that does not read leaves the
//! bytes to others who have the same handle.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::contract::{Action, Failure};
use crate::end::EndImpl as _;
use crate::{Blocking, Error, Overlapped, Reader, pipe};

/// As much as is read at once.
const LONGEST: usize = 64 << 10;

/// What is read.
pub(super) enum Source {
    /// A pipe whose handle is synchronous. It may be one for messages, of which std knows nothing.
    Pipe(Reader<Blocking>),
    /// A console, a file, or nothing. std translates what a console says.
    Std,
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(reader) => reader.read(buffer),
            Self::Std => {
                let mut stdin = io::stdin().lock();
                let bytes = stdin.fill_buf()?;
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                stdin.consume(count);
                Ok(count)
            }
        }
    }
}

/// A duplicate of the handle; `None` if the program has none, or one that was closed.
pub(super) fn duplicate_of_stdin() -> Option<OwnedHandle> {
    let stdin = io::stdin();
    if stdin.as_raw_handle().is_null() { None } else { stdin.as_handle().try_clone_to_owned().ok() }
}

pub(super) struct Relay {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Default)]
struct State {
    /// The source, until the thread has taken it.
    idle: Option<Idle>,
    /// The thread runs, or did until the source ended.
    started: bool,
    /// How many bytes the longest of the waiting reads asked for. 0: none has come.
    wanted: usize,
    /// Why the source gave no more; told once.
    failure: Option<Failure>,
}

/// What the thread needs.
struct Idle {
    source: Source,
    writer: crate::Writer<Overlapped>,
    reader: Reader<Overlapped>,
}

impl Relay {
    pub(super) fn start(source: Source) -> io::Result<(Reader<Overlapped>, Arc<Self>)> {
        let (reader, writer) = pipe()?;
        let idle = Some(Idle { source, writer, reader: reader.try_clone()? });
        let state = Mutex::new(State { idle, ..State::default() });
        Ok((reader, Arc::new(Self { state, asked: Condvar::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read of that many bytes may have to wait, once `submit` is done.
    ///
    /// # Errors
    ///
    /// The thread was refused, or has met an error; then `submit` was not called.
    pub(super) fn ask_for<T>(self: &Arc<Self>, length: usize, submit: impl FnOnce() -> T) -> Result<T, Failure> {
        let mut state = self.state();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if !state.started {
            let relay = Arc::clone(self);
            let thread = std::thread::Builder::new().name("anonpipe-stdin".into());
            thread.spawn(move || relay.run()).map_err(|error| Failure::os(error, Some(0)))?;
            state.started = true;
        }
        let submitted = submit();
        state.wanted = state.wanted.max(length.min(LONGEST));
        self.asked.notify_one();
        Ok(submitted)
    }

    fn run(&self) {
        let Some(mut idle) = self.state().idle.take() else { return };
        let mut chunk = Vec::new();
        loop {
            let mut state = self.state();
            while !idle.reader.end.0.awaits_bytes() {
                state.wanted = 0;
                state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            chunk.resize(state.wanted.max(1), 0);
            drop(state);
            let error = match idle.source.read(&mut chunk) {
                // The writer goes, so the reads see the end of file.
                Ok(0) => return,
                Ok(count) => {
                    let mut written = Ok(());
                    // What these bytes complete does not count as waiting. There is room for them:
                    // the pipe is empty, or no caller would wait.
                    idle.reader.end.0.while_bytes_come(count, || written = idle.writer.write_all(&chunk[..count]));
                    written.err()
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                // Before the writer goes, so that a read that ends with it finds the reason.
                self.state().failure = Some(Failure::os(error, Some(0)));
                return;
            }
        }
    }

    /// Reads, blocking the caller for at most `timeout`. The read is an operation, which the thread
    /// can see.
    pub(super) fn read(
        self: &Arc<Self>,
        reader: &Reader<Overlapped>,
        buffer: &mut [u8],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = buffer.len().min(LONGEST);
        let submitted = self.ask_for(length, || reader.submit_read(vec![0; length]));
        let mut op = submitted.map_err(|failure| named(failure, reader))?;
        let (outcome, bytes) = match timeout.map(|timeout| op.wait_timeout(timeout)) {
            None => op.wait(),
            Some(Some(done)) => done,
            Some(None) => {
                op.cancel();
                let (outcome, bytes) = op.wait();
                let timed_out = |error: io::Error| {
                    if Error::of(&error).is_some_and(Error::is_cancelled) {
                        Failure::TimedOut { transferred: Some(0) }.into_io(Action::Read, reader.end.origin().name)
                    } else {
                        error
                    }
                };
                (outcome.map_err(timed_out), bytes)
            }
        };
        match outcome? {
            0 => self.end(reader),
            count => {
                buffer[..count].copy_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    /// The end of file, or why there is no more; the reason is told once.
    pub(super) fn end(&self, reader: &Reader<Overlapped>) -> io::Result<usize> {
        let failure = self.state().failure.take();
        failure.map_or(Ok(0), |failure| Err(named(failure, reader)))
    }
}

pub(super) fn named(failure: Failure, reader: &Reader<Overlapped>) -> io::Error {
    failure.into_io(Action::Read, reader.end.origin().name)
}
