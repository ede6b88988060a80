//! The helper thread that writes.
//!
//! Each of our own streams is a lane, so that a standard output that is not read does not hold up
//! standard error. At the [`Gate`](crate::sys::Gate) the helper waits until one of them takes more,
//! on the systems that can tell.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, PoisonError};

use super::{Chunk, Format, Item, Plan, Shared, Stream};
use crate::event;
use crate::sys::{self, Sink};

/// Bytes on their way out.
struct Job {
    /// Where they came from, if the buffer goes back there.
    chunk: Option<Chunk>,
    /// What is written instead of the chunk.
    line: Option<Vec<u8>>,
    written: usize,
}

impl Job {
    fn rest(&self) -> &[u8] {
        match (&self.line, &self.chunk) {
            (Some(line), _) => &line[self.written..],
            (None, Some(chunk)) => &chunk.buffer[self.written..chunk.length],
            (None, None) => &[],
        }
    }
}

/// One of our own streams, and what waits for it.
struct Lane {
    stream: Stream,
    /// `None` when there is no such stream, or no longer.
    sink: Option<Sink>,
    jobs: VecDeque<Job>,
}

pub(super) struct Helper {
    shared: Arc<Shared>,
    plan: Plan,
    lanes: [Lane; 2],
}

impl Helper {
    pub(super) fn new(plan: Plan, shared: Arc<Shared>) -> Self {
        let lanes = Stream::ALL.map(|stream| Lane { stream, sink: Sink::own(stream), jobs: VecDeque::new() });
        Self { shared, plan, lanes }
    }

    /// Works for as long as the process lives.
    pub(super) fn run(mut self) {
        loop {
            self.collect();
            let waiting = self.lanes.each_ref().map(|lane| lane.sink.as_ref().filter(|_| !lane.jobs.is_empty()));
            let ready = self.shared.gate.wait(waiting);
            self.shared.state().at_gate = false;
            for (index, ready) in ready.into_iter().enumerate() {
                if ready {
                    self.advance(index);
                }
            }
        }
    }

    /// Takes in what has arrived; sleeps if there is nothing to do.
    fn collect(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        loop {
            let items = std::mem::take(&mut state.inbox);
            if items.is_empty() {
                if self.lanes.iter().any(|lane| !lane.jobs.is_empty()) {
                    state.at_gate = true;
                    return;
                }
                state = shared.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            for item in items {
                self.admit(item);
            }
            state = shared.state();
        }
    }

    /// Writes the copy, and puts the rest of the work into its lane.
    fn admit(&mut self, item: Item) {
        let (stream, job) = match item {
            Item::Event(line) => (Stream::Stdout, Job { chunk: None, line: Some(line), written: 0 }),
            Item::Message(line) => (Stream::Stderr, Job { chunk: None, line: Some(line), written: 0 }),
            Item::Chunk(chunk) => {
                self.copy(&chunk);
                let json = self.plan.format == Format::Json;
                let line = json.then(|| event::data(chunk.stream, &chunk.buffer[..chunk.length]));
                let stream = if json { Stream::Stdout } else { chunk.stream };
                (stream, Job { chunk: Some(chunk), line, written: 0 })
            }
        };
        let lane = &mut self.lanes[stream as usize];
        if lane.sink.is_none() || job.chunk.is_some() && self.plan.format == Format::Nothing {
            self.finish(job);
        } else {
            lane.jobs.push_back(job);
        }
    }

    fn copy(&mut self, chunk: &Chunk) {
        let copy = &mut self.plan.copies[chunk.stream as usize];
        let Some(file) = copy else { return };
        if let Err(error) = file.write_all(&chunk.buffer[..chunk.length]) {
            *copy = None;
            self.shared.state().report.lost_copies.push((chunk.stream, error));
        }
    }

    /// Writes as much of a lane's first job as its sink takes now.
    fn advance(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let (Some(sink), Some(job)) = (&mut lane.sink, lane.jobs.front_mut()) else { return };
        match sink.write(job.rest()) {
            Ok(count) => {
                job.written += count;
                if job.rest().is_empty() {
                    if let Some(job) = lane.jobs.pop_front() {
                        self.finish(job);
                    }
                } else {
                    self.shared.state().report.progress = true;
                    self.shared.bell.ring();
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => self.give_up(index, error),
        }
    }

    /// A stream that cannot be written any more swallows the rest. A closed standard output ends
    /// the run; a closed standard error is closed for the command, too.
    fn give_up(&mut self, index: usize, error: io::Error) {
        let lane = &mut self.lanes[index];
        lane.sink = None;
        let mut state = self.shared.state();
        let report = &mut state.report;
        match (lane.stream, sys::is_closed_pipe(&error)) {
            (Stream::Stdout, true) => report.closed = true,
            (Stream::Stdout, false) => report.failed = Some(error),
            (Stream::Stderr, true) => {
                // With `--json` it is not where the command's goes.
                report.stderr_closed = self.plan.format == Format::Raw && self.plan.copies[1].is_none();
            }
            // There is no one left to tell.
            (Stream::Stderr, false) => {}
        }
        drop(state);
        for job in std::mem::take(&mut self.lanes[index].jobs) {
            self.finish(job);
        }
    }

    fn finish(&self, job: Job) {
        let mut state = self.shared.state();
        state.unfinished -= 1;
        state.report.progress = true;
        if let Some(chunk) = job.chunk {
            state.report.returned.push((chunk.stream, chunk.buffer));
        }
        drop(state);
        self.shared.bell.ring();
    }
}
