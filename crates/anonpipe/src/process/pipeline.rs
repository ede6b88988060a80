//! Several commands, each of which reads what the one before it writes.

use std::fmt;
use std::io;
use std::mem;
use std::process::ExitStatus;
use std::task::{Poll, Waker};

use super::call::{Call, Steps};
use super::command::{Defaults, FOR_OUTPUT, FOR_SPAWN};
use super::output::Collect;
use super::{Child, Command, Output};
use crate::driver::NativeDriver;
use crate::sys::ChildStdio;
use crate::{End, PipeOptions};

/// Several commands, each of which reads what the one before it writes, as with `|` in a shell;
/// from [`Command::pipe`].
///
/// The pipes between them belong to the children alone: nothing is relayed by this program, and the
/// end of each pipe comes with the end of the child that writes to it.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use anonpipe::process::Command;
///
/// let outputs = Command::new("printf")
///     .arg("b\\na\\nb\\n")
///     .pipe(&mut Command::new("sort"))
///     .pipe(Command::new("uniq").arg("-c"))
///     .output()
///     .wait()?;
/// let [printf, sort, uniq] = &outputs[..] else { panic!() };
/// assert!(printf.status.success() && sort.status.success());
/// let lines = String::from_utf8_lossy(&uniq.stdout);
/// assert_eq!(lines.split_whitespace().collect::<Vec<_>>(), ["1", "a", "2", "b"]);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "nothing is started until spawn, status or output is called"]
pub struct Pipeline<'a> {
    stages: Vec<&'a mut Command>,
}

impl Command {
    /// Lets `next` read what this command writes, in a [`Pipeline`]. What the two were told about
    /// the output and the input between them does not count there.
    pub fn pipe<'a>(&'a mut self, next: &'a mut Self) -> Pipeline<'a> {
        Pipeline { stages: vec![self, next] }
    }
}

impl<'a> Pipeline<'a> {
    /// Adds a command, which reads what the last one writes.
    pub fn pipe(mut self, next: &'a mut Command) -> Self {
        self.stages.push(next);
        self
    }

    /// Starts all of them, and returns the children in their order. The first one's standard input
    /// and the last one's output are what these commands were told.
    ///
    /// # Errors
    ///
    /// As for [`Command::spawn`]. If one of them cannot be started, those before it are killed.
    pub fn spawn(&mut self) -> io::Result<Vec<Child>> {
        self.spawn_with(FOR_SPAWN)
    }

    /// Starts all of them, and waits until all have ended; returns their exit statuses, in their
    /// order.
    ///
    /// If the call is dropped before it has its result, the children are killed.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Command::status`]; then the others are killed.
    pub fn status(&mut self) -> Call<'static, io::Result<Vec<ExitStatus>>> {
        let children = self.spawn_with(FOR_SPAWN).map(|mut children| {
            for child in &mut children {
                (child.stdin, child.stdout, child.stderr) = (None, None, None);
            }
            children
        });
        Call::new(StatusesOnly(All::of(children)))
    }

    /// Starts all of them, and reads what they write until all have ended; returns their outputs,
    /// in their order. The last one has the standard output.
    ///
    /// The defaults are those of [`Command::output`]. If the call is dropped before it has its
    /// result, the children are killed.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn) and [`Command::output`]; then the others are killed.
    pub fn output(&mut self) -> Call<'static, io::Result<Vec<Output>>> {
        Call::new(All::of(self.spawn_with(FOR_OUTPUT)))
    }

    fn spawn_with(&mut self, defaults: Defaults) -> io::Result<Vec<Child>> {
        let mut children = Vec::with_capacity(self.stages.len());
        let mut from = None;
        let last = self.stages.len() - 1;
        for (index, stage) in self.stages.iter_mut().enumerate() {
            let between = if index == last { (None, None) } else { pipe_between()? };
            match stage.spawn_between(mem::replace(&mut from, between.0), between.1, defaults) {
                Ok(child) => children.push(child),
                Err(error) => {
                    for child in &children {
                        // What has ended by itself needs no kill.
                        let _ = Child::kill_all(child);
                    }
                    return Err(error);
                }
            }
        }
        Ok(children)
    }
}

/// A pipe of which this program keeps nothing: what the next one reads, and what the one before it
/// writes.
fn pipe_between() -> io::Result<(Option<ChildStdio>, Option<ChildStdio>)> {
    let (reader, writer) = PipeOptions::new().server(End::blocking()).client(End::blocking()).inbound()?;
    Ok((Some(ChildStdio::Handle(reader.into())), Some(ChildStdio::Handle(writer.into()))))
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pipeline").field(&self.stages).finish()
    }
}

/// [`Pipeline::output`] under way.
struct All {
    failed: Option<io::Error>,
    stages: Vec<Stage>,
}

enum Stage {
    Running(Collect),
    Over(Box<Output>),
}

impl All {
    fn of(children: io::Result<Vec<Child>>) -> Self {
        match children {
            Ok(children) => {
                let start = |mut child: Child| {
                    child.kill_on_drop = true;
                    Stage::Running(Collect::new(child))
                };
                Self { failed: None, stages: children.into_iter().map(start).collect() }
            }
            Err(error) => Self { failed: Some(error), stages: Vec::new() },
        }
    }
}

impl Steps for All {
    type Output = io::Result<Vec<Output>>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        for stage in &mut self.stages {
            if let Stage::Running(collect) = stage
                && let Poll::Ready(result) = collect.poll(waker)
            {
                match result {
                    Ok(output) => *stage = Stage::Over(Box::new(output)),
                    Err(error) => {
                        self.stages.clear();
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        if self.stages.iter().any(|stage| matches!(stage, Stage::Running(_))) {
            return Poll::Pending;
        }
        let output = |stage| match stage {
            Stage::Over(output) => Some(*output),
            Stage::Running(_) => None,
        };
        Poll::Ready(Ok(mem::take(&mut self.stages).into_iter().filter_map(output).collect()))
    }

    /// None: the children of a call were attached to none.
    fn driver(&self) -> Option<NativeDriver> {
        None
    }
}

/// [`Pipeline::status`] under way.
struct StatusesOnly(All);

impl Steps for StatusesOnly {
    type Output = io::Result<Vec<ExitStatus>>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        self.0.poll(waker).map(|all| all.map(|outputs| outputs.iter().map(|output| output.status).collect()))
    }

    fn driver(&self) -> Option<NativeDriver> {
        None
    }
}
