//! The pipes, and the command on their other ends.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use anonpipe::{Blocking, End, Overlapped, PipeOptions};

use crate::args::Run;
use crate::feed::Inlet;
use crate::pump::Outlet;
use crate::status::{self, Fatal};
use crate::sys::{self, Child};

/// A command under way, and our ends of its pipes.
pub(crate) struct Spawned {
    pub(crate) child: Child,
    pub(crate) stdin: Inlet,
    pub(crate) stdout: Outlet,
    pub(crate) stderr: Outlet,
}

/// Our ends of standard input and output, and the command's.
struct Streams {
    stdin: Inlet,
    stdout: Outlet,
    childs_stdin: Stdio,
    childs_stdout: Stdio,
}

pub(crate) fn spawn(run: &Run) -> Result<Spawned, Fatal> {
    let fatal = |error: io::Error| Fatal::new("cannot make the pipes", &error);
    let streams = if run.duplex { on_one_pipe() } else { on_two_pipes() }.map_err(fatal)?;
    let (stderr, childs_stderr) = options().inbound().map_err(fatal)?;
    let program = Path::new(&run.command[0]);
    let mut command = Command::new(program);
    command.args(&run.command[1..]);
    command.stdin(streams.childs_stdin).stdout(streams.childs_stdout).stderr(childs_stderr);
    // Our copies of the command's ends go with `command`, so that its exit closes them.
    let child = Child::spawn(&mut command).map_err(|error| not_started(program, &error))?;
    Ok(Spawned { child, stdin: streams.stdin, stdout: streams.stdout, stderr: Outlet::Pipe(stderr) })
}

fn options() -> PipeOptions<Overlapped, Blocking> {
    PipeOptions::new().client(End::blocking())
}

fn on_two_pipes() -> io::Result<Streams> {
    let (stdin, childs_stdin) = options().outbound()?;
    let (stdout, childs_stdout) = options().inbound()?;
    Ok(Streams {
        stdin: Inlet::Pipe(stdin),
        stdout: Outlet::Pipe(stdout),
        childs_stdin: childs_stdin.into(),
        childs_stdout: childs_stdout.into(),
    })
}

fn on_one_pipe() -> io::Result<Streams> {
    let (ours, childs) = options().duplex()?;
    let ours = Rc::new(ours);
    let childs_stdin = childs.try_clone()?;
    Ok(Streams {
        stdin: Inlet::Duplex(Rc::clone(&ours)),
        stdout: Outlet::Duplex(ours),
        childs_stdin: childs_stdin.into(),
        childs_stdout: childs.into(),
    })
}

fn not_started(program: &Path, error: &io::Error) -> Fatal {
    let status = sys::spawn_status(program, error);
    let name = program.display();
    let message = match status {
        status::NOT_FOUND => format!("cannot run '{name}': there is no such command"),
        status::NOT_EXECUTABLE if program.is_dir() => format!("cannot run '{name}': it is a directory"),
        status::NOT_EXECUTABLE if error.kind() == io::ErrorKind::NotFound => {
            format!("cannot run '{name}': it is there, but its interpreter is not")
        }
        _ => format!("cannot run '{name}': {error}"),
    };
    Fatal { status, message }
}
