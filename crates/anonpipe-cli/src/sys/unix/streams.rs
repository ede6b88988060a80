//! Our own standard streams.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::output::Stream;

/// `PIPE_BUF`, which has no name here on illumos and Solaris: POSIX asks for 512 bytes at least.
const ROOM: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 4096 } else { 512 };

/// One of our own output streams, without the buffer that std puts before it.
pub(crate) struct Sink {
    file: File,
    /// How much is written at a time.
    limit: usize,
}

impl Sink {
    /// A duplicate of the descriptor; `None` if it cannot be had.
    pub(crate) fn own(stream: Stream) -> Option<Self> {
        let fd: OwnedFd = match stream {
            Stream::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Stream::Stderr => io::stderr().as_fd().try_clone_to_owned(),
        }
        .ok()?;
        let file = File::from(fd);
        // A pipe that polls as writable takes `PIPE_BUF` bytes without waiting (*documented*,
        // POSIX, poll and PIPE_BUF). A file takes anything.
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Some(Self { file, limit: if is_file { usize::MAX } else { ROOM } })
    }

    /// Writes some of `bytes`; after the [`Gate`] let it through, without waiting for a reader.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(&bytes[..bytes.len().min(self.limit)])
    }
}

/// Where the helper waits until one of the streams takes more. Another process that writes to the
/// same pipe may be quicker, and then the helper waits in the write.
pub(crate) struct Gate {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Gate {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer })
    }

    /// Calls the helper away. Once for each wait, so that the pipe never fills.
    pub(crate) fn call(&self) {
        let _ = (&self.writer).write_all(&[0]);
    }

    /// Says which of the streams takes more; none, after a call.
    pub(crate) fn wait(&self, sinks: [Option<&Sink>; 2]) -> [bool; 2] {
        let mut fds = vec![PollFd::new(&self.reader, PollFlags::IN)];
        fds.extend(sinks.iter().flatten().map(|sink| PollFd::new(&sink.file, PollFlags::OUT)));
        while let Err(Errno::INTR) = poll(&mut fds, None) {}
        if !fds[0].revents().is_empty() {
            let _ = (&self.reader).read(&mut [0; 16]);
        }
        // What there is to say about a stream, the write says.
        let mut ready = fds[1..].iter().map(|fd| !fd.revents().is_empty());
        sinks.map(|sink| sink.is_some() && ready.next().unwrap_or(false))
    }
}

/// Opens the file of a copy, without waiting: the clock does not run yet. What is no file may make
/// the helper wait later.
pub(crate) fn open_copy(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(|error| {
        let is_fifo = path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
        if is_fifo && error.raw_os_error() == Some(libc::ENXIO) {
            return io::Error::new(error.kind(), "no process has this FIFO open for reading");
        }
        error
    })?;
    if !file.metadata()?.is_file() {
        // A device that does not know the request has no such mode.
        let _ = rustix::io::ioctl_fionbio(&file, false);
    }
    Ok(file)
}

/// Waits until there is something to read on our own standard input.
pub(crate) fn wait_readable() -> io::Result<()> {
    let input = io::stdin();
    match poll(&mut [PollFd::new(&input, PollFlags::IN)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Nothing to do: the child's own three take the places of ours.
pub(crate) fn keep_streams_private() {}
