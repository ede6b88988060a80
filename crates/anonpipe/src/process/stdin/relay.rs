//! A thread that reads what can only be read by blocking: a synchronous pipe, a console, a file.
//!
//! It reads while a caller waits, and passes on what came through a pipe of ours, on which the
//! callers wait. So a cancelled read loses nothing, and a program that does not read leaves the
//! bytes to others who have the same handle.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

use crate::contract::{Action, Failure};
use crate::end::EndImpl as _;
use crate::sync::{Clock as _, Condvar, Mutex, MutexGuard, SystemClock, lock};
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
    pub(super) fn new(source: Source) -> io::Result<(Reader<Overlapped>, Arc<Self>)> {
        let (reader, writer) = pipe()?;
        let idle = Some(Idle { source, writer, reader: reader.try_clone()? });
        let state = Mutex::new(State { idle, ..State::default() });
        Ok((reader, Arc::new(Self { state, asked: Condvar::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes sure that the thread runs, for a read that may have to wait.
    ///
    /// # Errors
    ///
    /// The thread was refused, or has met an error.
    pub(super) fn ask(self: &Arc<Self>) -> Result<Asking<'_>, Failure> {
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
        Ok(Asking { relay: self, state })
    }

    fn run(&self) {
        let Some(mut idle) = self.state().idle.take() else { return };
        let mut chunk = Vec::new();
        loop {
            let mut state = self.state();
            while !idle.reader.end.0.awaits_bytes() {
                state.wanted = 0;
                state = SystemClock::wait(&self.state, state, &self.asked, None);
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
                    while_reads_end(&idle.reader, count, || written = idle.writer.write_all(&chunk[..count]));
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
        let asking = self.ask().map_err(|failure| named(failure, reader))?;
        let mut op = asking.for_bytes(length, || reader.submit_read(vec![0; length]));
        let (outcome, bytes) = match timeout.map(|timeout| op.wait_timeout(timeout)) {
            None => op.wait(),
            Some(Some(done)) => done,
            Some(None) => {
                op.cancel();
                let (outcome, bytes) = op.wait();
                let timed_out = |error: io::Error| {
                    if Error::of(&error).is_some_and(Error::is_cancelled) {
                        named(Failure::TimedOut { transferred: Some(0) }, reader)
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

/// A question to the thread, under the lock: it does not look for reads meanwhile.
pub(super) struct Asking<'a> {
    relay: &'a Relay,
    state: MutexGuard<'a, State>,
}

impl Asking<'_> {
    /// A read of that many bytes may have to wait, once `submit` is done.
    pub(super) fn for_bytes<T>(mut self, length: usize, submit: impl FnOnce() -> T) -> T {
        let submitted = submit();
        self.state.wanted = self.state.wanted.max(length.min(LONGEST));
        self.relay.asked.notify_one();
        submitted
    }
}

/// Waits until the reads that get the next `count` bytes are over, once `transfer` has put these
/// bytes into the pipe. Gives up after a moment: a new read may look like one of them.
fn while_reads_end(reader: &Reader<Overlapped>, count: usize, transfer: impl FnOnce()) {
    let reads = reader.end.0.reads_within(count);
    transfer();
    for pause in [0, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] {
        if !reader.end.0.reads_within(count).iter().any(|id| reads.contains(id)) {
            return;
        }
        SystemClock::pause(Duration::from_micros(pause));
    }
}

pub(super) fn named(failure: Failure, reader: &Reader<Overlapped>) -> io::Error {
    failure.into_io(Action::Read, reader.end.origin().name)
}
