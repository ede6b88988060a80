//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};

/// Drive a command over overlapped anonymous pipes.
#[derive(Debug, Parser)]
#[command(name = "anonpipe", version, arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Run a command with its standard streams on overlapped anonymous pipes
    ///
    /// The command's standard input, output and error are pipes. The command's ends are blocking
    /// ones, as programs expect them. Our ends are overlapped (non-blocking on Unix), and none of
    /// them has a thread that waits for it. Input and output are passed on as they come, byte for
    /// byte.
    #[command(override_usage = "anonpipe run [OPTIONS] -- COMMAND [ARGS]...", after_long_help = AFTER_HELP)]
    Run(Run),
}

/// A paragraph is one line, which clap breaks; lists are broken here, for 80 columns.
const AFTER_HELP: &str = "\
DURATION is a number of seconds (2, 0.5) or has units (500ms, 1m30s, 2h).

Exit status: the command's own, or 128 plus the number of the signal that \
killed it; else
  2    the arguments are wrong
  124  the time was up (--timeout)
  125  anonpipe itself failed, or a copy (--stdout, --stderr) of a successful
       command is incomplete
  126  the command cannot be executed
  127  there is no such command
  141  the reader of our standard output has gone; the command is ended without
       a message

Signals on Unix: an interrupt (Ctrl-C), SIGTERM, SIGHUP and SIGQUIT are passed \
on to the command's process group. If the group is stopped, it goes on \
(SIGCONT) so that it takes notice. SIGUSR1 and SIGUSR2 are passed on to the \
command alone. SIGTSTP (Ctrl-Z) stops the group, then anonpipe, and SIGCONT \
(fg) lets both go on. A signal that was ignored when anonpipe started (nohup) \
stays ignored. After the command's exit, a terminating signal stops the wait \
for more output (--linger); anonpipe spends at most one second delivering \
what it has, and the status is 128 plus the signal's number.

The command's process group is in the background of the terminal. So a \
program that reads the terminal itself (/dev/tty), for a password say, stops.

Signals on Windows: Ctrl-C and Ctrl-Break reach the command through the \
console that it shares with us.

Standard input is read ahead, whether the command reads it or not. Use \
</dev/null in the background, where a read of the terminal would stop us, and \
in a loop that reads the same input. A closed standard error is closed for \
the command, too, unless there is a copy of it.

Examples:
  anonpipe run -- sort < README.md
  anonpipe run --timeout 30s --kill-after 5s -- make test
  anonpipe run --stdout out.log --stderr err.log --quiet -- ./build.sh
  anonpipe run --json -- python3 -c 'print(\"hello\")'
  anonpipe run --duplex -- cat < README.md";

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// End the command after this time, and everything it started
    ///
    /// It gets SIGTERM, and SIGKILL after --kill-after; the exit status is 124. The time covers the
    /// whole run, --linger included, and is kept even if our standard output is not read. 0 means
    /// no limit.
    ///
    /// What the command started is its process group on Unix (a process that made a new group or
    /// session escapes) and its job object on Windows, which has nothing like SIGTERM: there the
    /// job is terminated at once.
    ///
    /// Then anonpipe spends at most one second delivering what was written by that time, and gives
    /// up sooner if it is not read. The rest is lost, and the last line of --json may be cut. A
    /// process that survives even SIGKILL is left alone after one second.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long the command may take to end after SIGTERM, before it gets SIGKILL
    ///
    /// 0 kills at once. This has no effect on Windows; see --timeout.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub(crate) kill_after: Duration,

    /// How long to go on reading after the command's exit, while something that it started holds
    /// its output open
    ///
    /// The time counts from the exit. What was written before it is up is always delivered, and the
    /// processes that the command started live on.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub(crate) linger: Duration,

    /// Write a copy of the command's standard output to this file
    ///
    /// The file is emptied when the command has been started. A FIFO that has no reader is refused;
    /// a slow reader holds up the run.
    #[arg(long, value_name = "FILE")]
    pub(crate) stdout: Option<PathBuf>,

    /// Write a copy of the command's standard error to this file
    ///
    /// As for --stdout. It may be the same file, which then gets both.
    #[arg(long, value_name = "FILE")]
    pub(crate) stderr: Option<PathBuf>,

    /// Print events instead of the raw streams, one JSON object a line
    ///
    /// First {"event":"start","pid":N,"command":[...]}, then any number of
    /// {"event":"data","stream":"stdout" or "stderr","length":N,"base64":"..."}, at last
    /// {"event":"exit","code":N or null,"signal":N or null,"timed_out":BOOL,"status":N}, whose
    /// status is our own exit status. If the command could not be started, there are no events. In
    /// the command's arguments, what is not Unicode becomes U+FFFD.
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,

    /// Do not pass the command's output through
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Put the command's standard input and output on one duplex pipe
    ///
    /// On Unix the pipe is a socket. Its sending side is shut down when our standard input ends.
    /// The command cannot open it again by a name such as /dev/stdin or /dev/stdout (ENXIO).
    ///
    /// On Windows such a pipe cannot be closed in one direction, so the command sees no end of file
    /// on its standard input and has to end by itself. It is also a synchronous handle, which does
    /// one thing at a time: a command that reads and writes from two threads waits on itself.
    #[arg(long)]
    pub(crate) duplex: bool,

    /// The command, a path or a name to look for in PATH, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// A number of seconds, as timeout(1) has it, or with units.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.ends_with(|last: char| last.is_ascii_digit() || last == '.') {
        let seconds: Option<f64> = text.parse().ok();
        if let Some(duration) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            return Ok(duration);
        }
    } else if let Ok(duration) = humantime::parse_duration(text) {
        return Ok(duration);
    }
    Err("expected a number of seconds (2, 0.5) or a duration with units (500ms, 1m30s)".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_units() {
        for (text, milliseconds) in
            [("2", 2000), ("0.5", 500), (".25", 250), ("0", 0), ("500ms", 500), ("1m30s", 90_000), ("2h", 7_200_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "abc", "-1", "1 parsec", "inf", "nan", "1e999", "s", "5 5"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_declaration_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
