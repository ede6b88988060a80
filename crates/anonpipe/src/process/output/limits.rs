//! What is to hold for a child while its output is collected.

use std::time::Duration;

use crate::process::Command;

/// What happens when a child writes more than its [limit](Command::output_limit).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLimit {
    /// What is beyond the limit is read, and left out.
    #[default]
    LeaveOut,
    /// The child is ended, with what it has started.
    End,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(in crate::process) struct Limits {
    pub(super) linger: Duration,
    pub(super) linger_while_data_comes: bool,
    pub(super) output: Option<usize>,
    pub(super) on_limit: OnLimit,
    pub(super) timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(2),
            linger_while_data_comes: false,
            output: None,
            on_limit: OnLimit::LeaveOut,
            timeout: None,
            idle_timeout: None,
        }
    }
}

impl Limits {
    /// Whether a child may have to be ended with all that it has started.
    pub(in crate::process) fn need_a_group(&self) -> bool {
        self.timeout.is_some()
            || self.idle_timeout.is_some()
            || (self.output.is_some() && self.on_limit == OnLimit::End)
    }
}

/// How long, and how much. These hold for [`output`](Command::output), [`status`](Command::status)
/// and [`Child::wait_with_output`](crate::process::Child::wait_with_output).
impl Command {
    /// Ends the child, with what it has started, if it has not ended by itself after that time.
    ///
    /// The time begins with the spawn. The error is of kind
    /// [`TimedOut`](std::io::ErrorKind::TimedOut), and [`Unfinished`](crate::process::Unfinished)
    /// has the output so far. The child gets a [group of its own](Self::own_group).
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// Ends the child, with what it has started, if none of its pipes that are read has brought
    /// anything for that time.
    ///
    /// The error is as for [`timeout`](Self::timeout), with
    /// [`Ended::Idle`](crate::process::Ended::Idle) in the output. The child gets a
    /// [group of its own](Self::own_group).
    pub fn idle_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.limits.idle_timeout = Some(timeout);
        self
    }

    /// Collects at most so many bytes of each of the two outputs. Default: without a limit.
    ///
    /// The rest is read and left out; [`Output::truncated`](crate::process::Output::truncated) says
    /// how much. [`on_limit`](Self::on_limit) can have the child ended instead.
    pub fn output_limit(&mut self, bytes: usize) -> &mut Self {
        self.limits.output = Some(bytes);
        self
    }

    /// What happens at the [limit](Self::output_limit). Default: [`OnLimit::LeaveOut`].
    ///
    /// With [`OnLimit::End`] the child gets a [group of its own](Self::own_group).
    pub fn on_limit(&mut self, what: OnLimit) -> &mut Self {
        self.limits.on_limit = what;
        self
    }

    /// How long to read on after the child has ended, if what it has started holds its outputs
    /// open. Default: two seconds.
    ///
    /// What is in the pipes when the child has ended is collected in any case. Then comes this
    /// time, unless the pipes end before. What is still open then is in
    /// [`Output::held_open`](crate::process::Output::held_open).
    pub fn linger(&mut self, time: Duration) -> &mut Self {
        self.limits.linger = time;
        self
    }

    /// Whether the [time](Self::linger) begins anew whenever something comes. Default: no.
    pub fn linger_while_data_comes(&mut self, restart: bool) -> &mut Self {
        self.limits.linger_while_data_comes = restart;
        self
    }
}
