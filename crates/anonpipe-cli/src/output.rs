//! To our own standard output and error, and into the copies: the main thread's side.
//!
//! Writing there may block for as long as the reader likes, so one helper thread does it, for both.
//! The main thread hands it chunks and gets the buffers back, and has only so many of them: that
//! bounds the memory, and makes the command wait.

mod helper;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::bell::Bell;
use crate::status;
use crate::sys::Gate;

/// One of the command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub(crate) const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What the command wrote: the first `length` bytes of `buffer`.
pub(crate) struct Chunk {
    pub(crate) stream: Stream,
    pub(crate) buffer: Vec<u8>,
    pub(crate) length: usize,
}

/// What comes out on our own streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Raw,
    Json,
    Nothing,
}

/// Where everything goes.
pub(crate) struct Plan {
    pub(crate) format: Format,
    /// The copies, in the order of [`Stream::ALL`].
    pub(crate) copies: [Option<File>; 2],
}

/// What the helper is given.
enum Item {
    Chunk(Chunk),
    /// A line for our standard output.
    Event(Vec<u8>),
    /// A line of our own for our standard error.
    Message(Vec<u8>),
}

/// What has happened since the last [`Output::report`].
#[derive(Default)]
pub(crate) struct Report {
    /// Buffers that are free again.
    pub(crate) returned: Vec<(Stream, Vec<u8>)>,
    /// Our standard output has no reader any more.
    pub(crate) closed: bool,
    /// Our standard error has no reader any more, and there is no copy of it.
    pub(crate) stderr_closed: bool,
    /// Why our standard output cannot be written.
    pub(crate) failed: Option<io::Error>,
    /// Copies that had to be given up.
    pub(crate) lost_copies: Vec<(Stream, io::Error)>,
    /// Whether anything was written.
    pub(crate) progress: bool,
}

#[derive(Default)]
struct State {
    inbox: VecDeque<Item>,
    /// Items that are not yet completely written.
    unfinished: usize,
    /// The helper waits at the gate, and must be called away from there to see the inbox.
    at_gate: bool,
    report: Report,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    gate: Gate,
    bell: Arc<Bell>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The helper, as the other threads see it.
#[derive(Clone)]
pub(crate) struct Output {
    shared: Arc<Shared>,
}

impl Output {
    pub(crate) fn start(plan: Plan, bell: &Arc<Bell>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            arrived: Condvar::new(),
            gate: Gate::new()?,
            bell: Arc::clone(bell),
        });
        let helper = helper::Helper::new(plan, Arc::clone(&shared));
        thread::Builder::new().name("output".into()).spawn(move || helper.run())?;
        Ok(Self { shared })
    }

    /// Hands over a chunk. Returns at once; the buffer comes back with a [`report`](Self::report).
    pub(crate) fn send(&self, chunk: Chunk) {
        self.put(Item::Chunk(chunk));
    }

    /// Hands over a line of `--json`. Returns at once.
    pub(crate) fn send_event(&self, line: Vec<u8>) {
        self.put(Item::Event(line));
    }

    /// Says what is wrong on standard error. Returns at once.
    pub(crate) fn say(&self, message: &str) {
        self.put(Item::Message(status::line(message).into_bytes()));
    }

    fn put(&self, item: Item) {
        let mut state = self.shared.state();
        state.inbox.push_back(item);
        state.unfinished += 1;
        let at_gate = std::mem::take(&mut state.at_gate);
        drop(state);
        if at_gate {
            self.shared.gate.call();
        } else {
            self.shared.arrived.notify_one();
        }
    }

    pub(crate) fn report(&self) -> Report {
        std::mem::take(&mut self.shared.state().report)
    }

    /// Whether everything is written or given up, and reported: an error may have come with the
    /// last of it.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.shared.state();
        state.unfinished == 0 && !state.report.progress
    }
}
