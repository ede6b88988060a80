//! Waits for a child's end, and for what it writes until then.

use std::io;
use std::mem;
use std::process::ExitStatus;
use std::task::{Poll, Waker, ready};
use std::time::Instant;

use super::stream::{Found, Stream};
use super::{Ended, HeldOpen, OnLimit, Output, Truncated, Unfinished};
use crate::channel::System as _;
use crate::driver::{Native, NativeDriver};
use crate::process::call::Steps;
use crate::process::timer::Timer;
use crate::process::{Child, Exit};

/// [`Child::wait_with_output`] and its like under way.
pub(in crate::process) struct Collect(State);

enum State {
    /// There is no child.
    Failed(io::Error),
    Running(Box<Running>),
    Over,
}

struct Running {
    streams: [Option<Stream>; 2],
    exit: Exit,
    status: Option<ExitStatus>,
    ended: Ended,
    timeout: Option<Timer>,
    idle: Option<Timer>,
    /// From the exit on, if there is still something to read.
    linger: Option<Timer>,
    /// After everything that is about it, so that it is dropped last.
    child: Child,
}

const SPENT: &str = "the result of this call was already taken";

impl Collect {
    /// From a spawn that may have failed.
    pub(in crate::process) fn of_spawned(child: io::Result<Child>) -> Self {
        match child.and_then(Running::new) {
            Ok(running) => Self(State::Running(Box::new(running))),
            Err(error) => Self(State::Failed(error)),
        }
    }

    pub(in crate::process) fn new(child: Child) -> Self {
        Self::of_spawned(Ok(child))
    }
}

impl Steps for Collect {
    type Output = io::Result<Output>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::Running(running) => ready!(running.poll(waker)),
            State::Failed(_) | State::Over => Ok(()),
        };
        Poll::Ready(match mem::replace(&mut self.0, State::Over) {
            State::Running(running) => result.and_then(|()| running.into_output()),
            State::Failed(error) => Err(error),
            State::Over => panic!("{SPENT}"),
        })
    }

    fn driver(&self) -> Option<NativeDriver> {
        match &self.0 {
            State::Running(running) => running.child.life().attached(),
            _ => None,
        }
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        if let State::Running(running) = &mut self.0
            && running.waits_for_its_end_alone()
        {
            // Without a thread that would tell of the end.
            running.child.life().wait(deadline)?.ok();
        }
        let driver = self.driver();
        crate::process::call::block_until(driver, deadline, |waker| self.poll(waker))
    }
}

impl Running {
    fn new(mut child: Child) -> io::Result<Self> {
        child.stdin = None;
        let limits = &child.limits;
        let attached = child.life().attached();
        let from_start = |time: std::time::Duration| child.started.checked_add(time);
        let timeout = Timer::at(limits.timeout.and_then(from_start), attached.as_ref())?;
        let idle = Timer::at(limits.idle_timeout.and_then(Native::deadline_in), attached.as_ref())?;
        let most = limits.output;
        let streams = [child.stdout.take(), child.stderr.take()].map(|end| end.map(|end| Stream::new(end, most)));
        let exit = child.exit();
        Ok(Self { streams, exit, status: None, ended: Ended::Exited, timeout, idle, linger: None, child })
    }

    fn waits_for_its_end_alone(&self) -> bool {
        self.timeout.is_none() && self.idle.is_none() && self.streams.iter().all(Option::is_none)
    }

    fn poll(&mut self, waker: &Waker) -> Poll<io::Result<()>> {
        loop {
            self.look_at_the_time(waker)?;
            let has_read = self.read(waker)?;
            if self.status.is_none()
                && let Poll::Ready(status) = self.exit.poll_by(waker)
            {
                self.status = Some(status?);
                self.timeout = None;
                self.idle = None;
                // What was written before the end may have come after the streams were looked at.
                continue;
            }
            if self.status.is_some() && self.streams.iter().flatten().all(Stream::is_over) {
                return Poll::Ready(Ok(()));
            }
            if !has_read && !self.has_lingered(waker)? {
                return Poll::Pending;
            }
        }
    }

    /// Ends the child if it has taken too long.
    fn look_at_the_time(&mut self, waker: &Waker) -> io::Result<()> {
        if self.timeout.as_mut().is_some_and(|timer| timer.is_due(waker)) {
            self.end(Ended::TimedOut)?;
        }
        if self.idle.as_mut().is_some_and(|timer| timer.is_due(waker)) {
            self.end(Ended::Idle)?;
        }
        Ok(())
    }

    fn end(&mut self, why: Ended) -> io::Result<()> {
        if self.status.is_none() && self.ended == Ended::Exited {
            self.ended = why;
            self.timeout = None;
            self.idle = None;
            self.child.kill_all()?;
        }
        Ok(())
    }

    /// Reads what there is; says whether there was anything.
    fn read(&mut self, waker: &Waker) -> io::Result<bool> {
        let mut has_read = false;
        for stream in self.streams.iter_mut().flatten() {
            if let Poll::Ready(found) = stream.poll(waker) {
                has_read = true;
                if let Found::End = found? {
                    continue;
                }
                let limits = &self.child.limits;
                if let (Some(idle), Some(time)) = (&mut self.idle, limits.idle_timeout) {
                    idle.put_off(time);
                }
                if let Some(linger) = self.linger.as_mut().filter(|_| limits.linger_while_data_comes) {
                    linger.put_off(limits.linger);
                }
            }
        }
        let is_too_much = self.streams.iter().flatten().any(Stream::has_left_out);
        if is_too_much && self.child.limits.on_limit == OnLimit::End {
            self.end(Ended::Limit)?;
        }
        Ok(has_read)
    }

    /// After the child's end: gives up the streams once their time is up. Says whether it was up
    /// just now.
    fn has_lingered(&mut self, waker: &Waker) -> io::Result<bool> {
        if self.status.is_none() {
            return Ok(false);
        }
        if self.linger.is_none() {
            let time = Native::deadline_in(self.child.limits.linger);
            self.linger = Timer::at(time, self.child.life().attached().as_ref())?;
        }
        let is_due = self.linger.as_mut().is_some_and(|timer| timer.is_due(waker));
        let mut has_stopped_any = false;
        if is_due {
            // Each of them once; they end by what they find then.
            for stream in self.streams.iter_mut().flatten() {
                has_stopped_any |= stream.stop();
            }
        }
        Ok(has_stopped_any)
    }

    fn into_output(mut self) -> io::Result<Output> {
        self.child.is_now_over();
        let [stdout, stderr] = self.streams.map(|stream| stream.map(Stream::into_parts).unwrap_or_default());
        let held = HeldOpen { stdout: stdout.2, stderr: stderr.2 };
        let output = Output {
            status: self.status.expect("it has ended"),
            stdout: stdout.0,
            stderr: stderr.0,
            truncated: Truncated { stdout: stdout.1, stderr: stderr.1 },
            held_open: (held.stdout.is_some() || held.stderr.is_some()).then_some(held),
            ended: self.ended,
        };
        match self.ended {
            Ended::TimedOut | Ended::Idle => Err(Unfinished::into_io(output)),
            Ended::Exited | Ended::Limit => Ok(output),
        }
    }
}

/// [`Command::status`](crate::process::Command::status) under way.
pub(in crate::process) struct StatusOnly(pub(in crate::process) Collect);

impl Steps for StatusOnly {
    type Output = io::Result<ExitStatus>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        self.0.poll(waker).map(|output| output.map(|output| output.status))
    }

    fn driver(&self) -> Option<NativeDriver> {
        self.0.driver()
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        self.0.wait(deadline).map(|output| output.map(|output| output.status))
    }
}
