//! The children, and how each library starts them.

use std::io::{self, Read, Write};
use std::process::{self, Command, Stdio};

use anonpipe::{End, Overlapped, PipeOptions, Reader};
use tokio::io::AsyncRead;

/// Who makes the pipes, and reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Library {
    /// Blocking ends for the child, which `std::process::Command` starts; overlapped ends for us,
    /// read as tokio's `AsyncRead`.
    Anonpipe,
    /// `tokio::process`, and its ends.
    Tokio,
}

/// Our end of what a child says.
pub(crate) type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// A running child, and our ends of its three streams.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) stdin: Box<dyn Send>,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
}

/// A running child.
pub(crate) enum Child {
    Std(process::Child),
    Tokio(Box<tokio::process::Child>),
}

impl Library {
    pub(crate) const ALL: [Self; 2] = [Self::Anonpipe, Self::Tokio];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anonpipe => "anonpipe",
            Self::Tokio => "tokio",
        }
    }

    /// Starts a child.
    pub(crate) fn start(self, command: Command) -> io::Result<Started> {
        match self {
            Self::Anonpipe => over_anonpipe(command, |reader| Box::new(reader)),
            Self::Tokio => over_tokio(command),
        }
    }
}

/// Starts a child, again if Wine lost it before its program ran: observed with Wine 8.0 under load,
/// `ERROR_INTERNAL_ERROR` in five of 11,700 starts by `std::process` and its own pipes.
pub(crate) fn persistently(start: impl Fn() -> io::Result<Started>) -> io::Result<Started> {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    for _ in 0..2 {
        match start() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR) => {}
            done => return done,
        }
    }
    start()
}

/// Starts a child over anonpipe's ends, of which those that read become what `stream` makes of
/// them.
pub(crate) fn over_anonpipe(mut command: Command, stream: fn(Reader<Overlapped>) -> Stream) -> io::Result<Started> {
    let (stdin, childs_stdin) = PipeOptions::new().client(End::blocking()).outbound()?;
    let (stdout, childs_stdout) = PipeOptions::new().client(End::blocking()).inbound()?;
    let (stderr, childs_stderr) = PipeOptions::new().client(End::blocking()).inbound()?;
    let child = command.stdin(childs_stdin).stdout(childs_stdout).stderr(childs_stderr).spawn()?;
    // With the command go its copies of the child's ends, which would hide the end of file.
    drop(command);
    Ok(Started { child: Child::Std(child), stdin: Box::new(stdin), stdout: stream(stdout), stderr: stream(stderr) })
}

fn over_tokio(command: Command) -> io::Result<Started> {
    let mut command = tokio::process::Command::from(command);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("a stream that was asked for is missing"));
    };
    Ok(Started {
        child: Child::Tokio(Box::new(child)),
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
    })
}

impl Child {
    /// Whether it has ended, without waiting for that.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(match self {
            Self::Std(child) => child.try_wait()?,
            Self::Tokio(child) => child.try_wait()?,
        }
        .is_some())
    }

    /// Ends it, without waiting for that.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        match self {
            Self::Std(child) => child.kill(),
            Self::Tokio(child) => child.start_kill(),
        }
    }
}

/// What a child says on its standard output and on its standard error, all at its end.
pub(crate) fn last_words(number: u32) -> [String; 2] {
    [format!("the last words of child {number}\n"), format!("and what child {number} had to complain about\n")]
}

/// Is a child: quiet until its standard input ends, which it does at the latest when the parent's
/// process is gone.
pub(crate) fn be(number: u32) -> io::Result<()> {
    let mut buffer = [0; 16];
    while io::stdin().read(&mut buffer)? != 0 {}
    let [output, complaint] = last_words(number);
    io::stdout().write_all(output.as_bytes())?;
    io::stderr().write_all(complaint.as_bytes())
}
