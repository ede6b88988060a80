//! One run of a command: the loop that everything meets in.
//!
//! The main thread never blocks but on its [`Bell`]. Operations on the command's pipes, the
//! helpers, signals, the command's exit and the clock ring it; then each of them goes on as far as
//! it can.

mod timers;

use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use crate::args::Run;
use crate::bell::Bell;
use crate::copies::Copies;
use crate::event;
use crate::feed::Feeder;
use crate::output::{Format, Output, Plan, Report, Stream};
use crate::pump::Pump;
use crate::spawn::{Spawned, spawn};
use crate::status::{self, Fatal};
use crate::sys::{self, Child, Exit, Watch};
use timers::Timers;

/// Why the run ends otherwise than with the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    TimedOut,
    /// Our standard output has no reader.
    OutputClosed,
    /// Our standard output cannot be written.
    OutputFailed,
    /// A signal came when the command had ended.
    Interrupted(i32),
}

impl Cause {
    fn status(self) -> i32 {
        match self {
            Self::TimedOut => status::TIMED_OUT,
            Self::OutputClosed => status::OUTPUT_CLOSED,
            Self::OutputFailed => status::FAILED,
            Self::Interrupted(signal) => status::SIGNAL_BASE + signal,
        }
    }
}

/// A command under way.
pub(crate) struct Session {
    bell: Arc<Bell>,
    watch: Watch,
    child: Child,
    feeder: Feeder,
    pumps: [Pump; 2],
    output: Output,
    timers: Timers,
    json: bool,
    exit: Option<Exit>,
    /// Set when we ended the run.
    cause: Option<Cause>,
    lost_copy: bool,
}

impl Session {
    /// Starts the command.
    pub(crate) fn start(run: &Run) -> Result<Self, Fatal> {
        let fatal = |error: io::Error| Fatal::new("cannot start", &error);
        sys::keep_streams_private();
        let bell = Arc::new(Bell::default());
        let format = match (run.json, run.quiet) {
            (true, _) => Format::Json,
            (false, true) => Format::Nothing,
            (false, false) => Format::Raw,
        };
        let mut copies = Copies::open(run)?;
        let output = Output::start(Plan { format, copies: copies.take_files() }, &bell).map_err(fatal)?;
        let mut watch = Watch::new(&bell).map_err(fatal)?;
        let started = Instant::now();
        let Spawned { mut child, stdin, stdout, stderr } = spawn(run)?;
        let under_way = copies.empty().and_then(|()| watch.follow(&child));
        let feeder = under_way.and_then(|()| Feeder::start(stdin, &bell, &output)).map_err(|error| {
            child.kill();
            fatal(error)
        })?;
        if run.json {
            output.send_event(event::start(child.id(), &run.command));
        }
        let pumps = [Pump::new(Stream::Stdout, stdout), Pump::new(Stream::Stderr, stderr)];
        let timers = Timers::new(run, started);
        Ok(Self {
            bell,
            watch,
            child,
            feeder,
            pumps,
            output,
            timers,
            json: run.json,
            exit: None,
            cause: None,
            lost_copy: false,
        })
    }

    /// Goes on until there is nothing more to do; returns the exit status.
    pub(crate) fn run(mut self) -> Result<i32, Fatal> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Some(status) = self.step(&mut context)? {
                return Ok(status);
            }
            self.bell.wait(self.timers.next());
        }
    }

    /// Goes as far as possible without waiting; returns the exit status at the end.
    fn step(&mut self, context: &mut Context<'_>) -> Result<Option<i32>, Fatal> {
        for signal in self.watch.poll(context) {
            Watch::pass_on(signal, &mut self.child);
            if self.exit.is_some() && sys::ends_us(signal) {
                // The command is gone, so this is about us: the user does not want to wait for the
                // rest.
                self.interrupt(signal);
            }
        }
        if self.exit.is_none() {
            self.exit = self.child.try_wait().map_err(|error| Fatal::new("cannot wait for the command", &error))?;
            if self.exit.is_some() {
                self.timers.exited();
            }
        }
        let report = self.output.report();
        self.heed(report);
        for pump in &mut self.pumps {
            pump.poll(context, &self.output);
        }
        self.feeder.poll(context);
        self.heed_clock();
        if self.cause.is_some() && self.exit.is_some() && !self.timers.is_delivering() && self.group_is_gone() {
            self.deliver();
        }
        // What the clock limited or cancelled may be over at once.
        for pump in &mut self.pumps {
            pump.poll(context, &self.output);
        }
        Ok(self.finish())
    }

    fn heed(&mut self, report: Report) {
        if report.progress {
            self.timers.progressed();
        }
        for (stream, buffer) in report.returned {
            self.pumps[stream as usize].recycle(buffer);
        }
        for (stream, error) in report.lost_copies {
            self.lost_copy = true;
            self.output.say(&format!("cannot write the copy of {}: {error}", stream.name()));
        }
        if report.stderr_closed {
            self.pumps[Stream::Stderr as usize].close();
        }
        if let Some(error) = report.failed {
            self.output.say(&format!("cannot write standard output: {error}"));
            self.end(Cause::OutputFailed);
        }
        if report.closed {
            self.end(Cause::OutputClosed);
        }
    }

    fn heed_clock(&mut self) {
        let due = self.timers.due();
        if due.timeout {
            self.end(Cause::TimedOut);
        }
        if due.kill {
            self.child.kill();
        }
        if due.abandon && self.exit.is_none() {
            // It may hang in a device that does not answer. The run ends all the same.
            self.exit = Some(Exit::default());
        }
        if due.linger {
            self.pumps.iter_mut().for_each(Pump::limit);
        }
    }

    /// Ends the command and what it started, for the first cause that there is.
    fn end(&mut self, cause: Cause) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        if cause != Cause::TimedOut {
            // There is nothing to do with what it may still write; its next write tells it so.
            self.pumps.iter_mut().for_each(Pump::close);
        }
        self.child.terminate();
        self.timers.ending();
    }

    /// Ends the wait for the rest.
    fn interrupt(&mut self, signal: i32) {
        if self.cause.is_some() {
            // Its time to tidy up, too.
            self.child.kill();
        }
        self.cause.get_or_insert(Cause::Interrupted(signal));
        if !self.timers.is_delivering() {
            self.deliver();
        }
    }

    /// Goes on with what was written by now, for as long as it is taken, within limits.
    fn deliver(&mut self) {
        self.timers.delivering();
        self.pumps.iter_mut().for_each(Pump::limit);
    }

    /// The exit status, if the run is over.
    fn finish(&mut self) -> Option<i32> {
        let exit = self.exit?;
        let drained = self.pumps.iter().all(Pump::is_finished) && self.output.is_idle();
        // What is left of the group has its time first.
        let may_end = self.cause.is_none() || self.timers.is_delivering();
        if !(drained && may_end || self.timers.is_over()) {
            return None;
        }
        let status = self.status(exit);
        if std::mem::take(&mut self.json) {
            self.output.send_event(event::exit(exit, self.cause == Some(Cause::TimedOut), status));
            self.timers.last_words();
            return self.output.is_idle().then_some(status);
        }
        Some(status)
    }

    fn group_is_gone(&mut self) -> bool {
        if self.timers.has_killed() || !self.child.has_group() {
            return true;
        }
        self.timers.look_again();
        false
    }

    fn status(&self, exit: Exit) -> i32 {
        if let Some(cause) = self.cause {
            return cause.status();
        }
        let status = match exit {
            Exit { signal: Some(signal), .. } => status::SIGNAL_BASE + signal,
            Exit { code, .. } => code.unwrap_or(status::FAILED),
        };
        if status == 0 && self.lost_copy { status::FAILED } else { status }
    }
}
