//! What a child has written, collected until its end.

mod collect;
mod limits;
mod stream;

use std::error::Error;
use std::fmt;
use std::io;
use std::process::{self, ExitStatus};

use super::{ChildStderr, ChildStdout};

pub(super) use collect::{Collect, StatusOnly};
pub(super) use limits::Limits;
pub use limits::OnLimit;

/// How a child ended, and what it has written until then.
///
/// As [`std::process::Output`], which it [becomes](Self::into_std).
#[derive(Debug)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it has written to its standard output, if that was piped.
    pub stdout: Vec<u8>,
    /// What it has written to its standard error, if that was piped.
    pub stderr: Vec<u8>,
    /// What is missing because of [`output_limit`](super::Command::output_limit).
    pub truncated: Truncated,
    /// Our ends of its pipes, if other programs have them open still; see
    /// [`linger`](super::Command::linger).
    pub held_open: Option<HeldOpen>,
    /// Why it ended.
    pub ended: Ended,
}

/// How many bytes were read and left out, because they were more than the
/// [limit](super::Command::output_limit).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truncated {
    /// Of the standard output.
    pub stdout: u64,
    /// Of the standard error.
    pub stderr: u64,
}

/// Our ends of pipes that other programs have open after the child has ended: programs that it has
/// started.
///
/// What they write can be read here. Dropping an end has such a program fail, or be ended by
/// `SIGPIPE`, when it writes next.
#[derive(Debug)]
#[non_exhaustive]
pub struct HeldOpen {
    /// That of the standard output, if it is held open.
    pub stdout: Option<ChildStdout>,
    /// That of the standard error, if it is held open.
    pub stderr: Option<ChildStderr>,
}

/// Why a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// It ended by itself, or was ended from elsewhere.
    Exited,
    /// Its [time](super::Command::timeout) was up.
    TimedOut,
    /// It was silent for [too long](super::Command::idle_timeout).
    Idle,
    /// It wrote more than its [limit](super::Command::output_limit), and was to end then.
    Limit,
}

impl Truncated {
    /// Whether anything is missing.
    #[must_use]
    pub fn any(&self) -> bool {
        self.stdout > 0 || self.stderr > 0
    }
}

impl Output {
    /// The parts that std's type has.
    #[must_use]
    pub fn into_std(self) -> process::Output {
        process::Output { status: self.status, stdout: self.stdout, stderr: self.stderr }
    }
}

impl From<Output> for process::Output {
    fn from(output: Output) -> Self {
        output.into_std()
    }
}

/// The error of a child whose time was up; it has what the child has written until then.
///
/// It is inside the [`io::Error`], of kind [`TimedOut`](io::ErrorKind::TimedOut).
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use std::time::Duration;
///
/// use anonpipe::process::{Command, Unfinished};
///
/// let result = Command::new("sh")
///     .args(["-c", "echo so far; sleep 60"])
///     .timeout(Duration::from_millis(500))
///     .output()
///     .wait();
/// let output = Unfinished::into_output(result.unwrap_err())?;
/// assert_eq!(output.stdout, b"so far\n");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Unfinished(Output);

impl Unfinished {
    /// The error of this kind inside `error`, if there is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    /// What the child has written, and how it was ended.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.0
    }

    /// The output inside `error`, if there is one.
    ///
    /// # Errors
    ///
    /// Any other error comes back.
    pub fn into_output(error: io::Error) -> io::Result<Output> {
        error.downcast::<Self>().map(|unfinished| unfinished.0)
    }

    fn into_io(output: Output) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, Self(output))
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.ended {
            Ended::Idle => "the child was silent for too long, and was ended",
            _ => "the time was up, and the child was ended",
        })
    }
}

impl Error for Unfinished {}
