//! The two sides of a conversation, each with something to read from and something to write to:
//! ours, and the peers'.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anonpipe::{Driver, End, Overlapped, PipeOptions, Reader, Writer};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::runtime::Runtime;

/// What one side has: it reads from the first, and writes to the second.
pub type Side<R, W> = (R, W);

/// Our ends.
pub type Ours = Side<Reader<Overlapped>, Writer<Overlapped>>;

/// Both sides on our ends: one duplex pipe on Windows, two one-way pipes elsewhere, as the peers
/// have it there.
///
/// # Errors
///
/// What the system said.
pub fn ours() -> io::Result<(Ours, Ours)> {
    ours_attached(None)
}

/// Both sides on our ends, attached to a driver each.
///
/// # Errors
///
/// What the system said.
pub fn ours_on(near: &Driver, far: &Driver) -> io::Result<(Ours, Ours)> {
    ours_attached(Some((near, far)))
}

fn ours_attached(drivers: Option<(&Driver, &Driver)>) -> io::Result<(Ours, Ours)> {
    if cfg!(windows) {
        let (near, far) = anonpipe::duplex()?;
        if let Some(drivers) = drivers {
            near.attach(drivers.0)?;
            far.attach(drivers.1)?;
        }
        return Ok((near.split(), far.split()));
    }
    let ((near_reader, far_writer), (far_reader, near_writer)) = (anonpipe::pipe()?, anonpipe::pipe()?);
    if let Some(drivers) = drivers {
        near_reader.attach(drivers.0)?;
        near_writer.attach(drivers.0)?;
        far_reader.attach(drivers.1)?;
        far_writer.attach(drivers.1)?;
    }
    Ok(((near_reader, near_writer), (far_reader, far_writer)))
}

/// Both sides on pipes of the standard library.
///
/// # Errors
///
/// What the system said.
pub fn std() -> io::Result<(Side<io::PipeReader, io::PipeWriter>, Side<io::PipeReader, io::PipeWriter>)> {
    let ((near_reader, far_writer), (far_reader, near_writer)) = (io::pipe()?, io::pipe()?);
    Ok(((near_reader, near_writer), (far_reader, far_writer)))
}

/// A child that sends everything back, started by tokio.
///
/// # Errors
///
/// What the system said.
pub fn tokios_child(runtime: &Runtime) -> io::Result<(tokio::process::Child, Side<ChildStdout, ChildStdin>)> {
    let _guard = runtime.enter();
    let mut child = tokio::process::Command::new(echo()?).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let piped = child.stdout.take().zip(child.stdin.take());
    Ok((child, piped.ok_or_else(|| io::Error::other("a piped stream is not there"))?))
}

/// Where the child is that sends everything back: next to this program.
///
/// # Errors
///
/// When this program does not know where it is.
pub fn echo() -> io::Result<PathBuf> {
    let name = format!("bench-echo{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A child that sends everything back, and our ends to talk to it: a pipe for its input and one for
/// its output.
///
/// # Errors
///
/// What the system said.
pub fn our_child() -> io::Result<(Child, Ours)> {
    let (reader, childs_output) = PipeOptions::new().client(End::blocking()).inbound()?;
    let (writer, childs_input) = PipeOptions::new().client(End::blocking()).outbound()?;
    let child = Command::new(echo()?).stdin(childs_input).stdout(childs_output).spawn()?;
    Ok((child, (reader, writer)))
}

#[cfg(unix)]
pub use unix::*;

#[cfg(unix)]
mod unix {
    use std::io;

    use async_io::Async;
    use tokio::net::unix::pipe;
    use tokio::runtime::Runtime;

    use super::Side;

    /// One side on tokio's pipes.
    pub type Tokios = Side<pipe::Receiver, pipe::Sender>;

    /// Both sides on tokio's pipes, each in its runtime.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn tokios(near: &Runtime, far: &Runtime) -> io::Result<(Tokios, Tokios)> {
        let side = |runtime: &Runtime, (reader, writer): Side<io::PipeReader, io::PipeWriter>| {
            let _guard = runtime.enter();
            let reader = pipe::Receiver::from_owned_fd(reader.into())?;
            io::Result::Ok((reader, pipe::Sender::from_owned_fd(writer.into())?))
        };
        let (near_pipes, far_pipes) = super::std()?;
        Ok((side(near, near_pipes)?, side(far, far_pipes)?))
    }

    /// One side on std's pipes, driven by async-io.
    pub type AsyncIos = Side<Async<io::PipeReader>, Async<io::PipeWriter>>;

    /// Both sides on async-io.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn async_ios() -> io::Result<(AsyncIos, AsyncIos)> {
        let side = |(reader, writer)| io::Result::Ok((Async::new(reader)?, Async::new(writer)?));
        let (near, far) = super::std()?;
        Ok((side(near)?, side(far)?))
    }
}

#[cfg(windows)]
pub use windows::*;

#[cfg(windows)]
mod windows {
    use std::fs::OpenOptions;
    use std::io;
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::{ReadHalf, WriteHalf, split};
    use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
    use tokio::runtime::Runtime;

    use super::{Ours, Side, echo};
    use anonpipe::{End, PipeOptions};

    /// One side on tokio's named pipe.
    pub type Tokios<S> = Side<ReadHalf<S>, WriteHalf<S>>;

    fn server() -> io::Result<(NamedPipeServer, String)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(r"\\.\pipe\anonpipe-benches-{}-{number}", std::process::id());
        Ok((ServerOptions::new().first_pipe_instance(true).create(&name)?, name))
    }

    /// A pair of tokio's named pipes, connected, each in its runtime.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn named(near: &Runtime, far: &Runtime) -> io::Result<(NamedPipeServer, NamedPipeClient)> {
        let (server, name) = near.block_on(async { server() })?;
        let client = far.block_on(async { ClientOptions::new().open(&name) })?;
        near.block_on(server.connect())?;
        Ok((server, client))
    }

    /// Both sides on tokio's named pipe, each in its runtime.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn tokios(near: &Runtime, far: &Runtime) -> io::Result<(Tokios<NamedPipeServer>, Tokios<NamedPipeClient>)> {
        let (server, client) = named(near, far)?;
        Ok((split(server), split(client)))
    }

    /// A child that sends everything back, on a blocking client of tokio's named pipe.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn child_on_named_pipe(runtime: &Runtime) -> io::Result<(Child, Tokios<NamedPipeServer>)> {
        let (server, name) = runtime.block_on(async { server() })?;
        let client = OpenOptions::new().read(true).write(true).open(&name)?;
        runtime.block_on(server.connect())?;
        let child = Command::new(echo()?).stdin(client.try_clone()?).stdout(client).spawn()?;
        Ok((child, split(server)))
    }

    /// The same with one of our duplex pairs.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn child_on_duplex() -> io::Result<(Child, Ours)> {
        let (ours, theirs) = PipeOptions::new().client(End::blocking()).duplex()?;
        let child = Command::new(echo()?).stdin(theirs.try_clone()?).stdout(theirs).spawn()?;
        Ok((child, ours.split()))
    }
}
