//! The writing end of a one-way pipe, or the writing half of a duplex one.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::time::Duration;

use crate::end::{EndImpl, slice};
use crate::{Driver, Info, Mode, Op, Overlapped, WriteBuffer};

/// An end that writes.
///
/// [`std::io::Write`], by value and by shared reference, blocks the caller in both modes. Inside an
/// async function, submit an operation and await it instead. Once the peer's reading side is
/// closed, a write fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) and raises no signal. All
/// writes, however they are made, go out in the order in which they came. When a write returns, the
/// system has its bytes, so `flush` returns at once, unless the async traits accepted writes:
/// called by value, it waits for those.
///
/// An empty write does not reach the system: it is `Ok(0)`, whether or not the peer is there, and
/// the peer sees nothing of it. Only after a half-close, or a close by the async traits, does it
/// fail as any other write.
///
/// # Cancellation and drop
///
/// Dropping an end never blocks. Writes in flight finish if they were [detached](Op::detach) or
/// their [`Op`] is still held; the peer sees the end of file after them.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// let (reader, mut writer) = anonpipe::pipe()?;
/// drop(reader);
/// let error = writer.write(b"too late").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
///
/// - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
/// - [Anonymous Pipe Operations]
///
/// [Anonymous Pipe Operations]:
/// https://learn.microsoft.com/en-us/windows/win32/ipc/anonymous-pipe-operations
pub struct Writer<M: Mode> {
    pub(crate) end: M::End,
}

impl<M: Mode> Writer<M> {
    pub(crate) fn new(end: M::End) -> Self {
        Self { end }
    }

    /// Makes another handle to the same end. The end stays open until its last handle is dropped.
    ///
    /// Overlapped: the clones share one queue. Blocking: the handle is duplicated, and the
    /// duplicate is private.
    ///
    /// # Errors
    ///
    /// Blocking ends only: the system's error, such as too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.end.try_clone().map(Self::new)
    }

    /// What this end is, and what the system made of the options.
    ///
    /// Does not block, with one exception: a blocking end on Windows, while another thread or
    /// process is blocked in a write to the same end.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn info(&self) -> io::Result<Info> {
        self.end.info()
    }
}

impl Writer<Overlapped> {
    /// Has `driver` complete the operations and wake the tasks of this end; see
    /// [`Reader::attach`](crate::Reader::attach).
    ///
    /// # Errors
    ///
    /// See [`Reader::attach`](crate::Reader::attach).
    pub fn attach(&self, driver: &Driver) -> io::Result<()> {
        self.end.0.attach(driver.make_ref())
    }

    /// Starts to write the whole of `buffer`, and returns at once.
    ///
    /// Any number of writes may be in flight; they go out first in, first out, and never
    /// interleave. A write completes with the buffer's length when the system has taken all of it.
    /// A failure comes back with the buffer through the [`Op`].
    ///
    /// # Platform notes
    ///
    /// Bytes beyond the pipe's capacity can be read at once on Windows, and the write completes
    /// when the excess has been read. On Unix the driver passes them on as the pipe drains.
    ///
    /// Windows copies what is written, and may have too little memory for a large write. So there a
    /// write of more than 1 MiB goes in pieces: the driver issues the next piece when the one
    /// before is complete, and the writes behind it wait until the last piece is issued. A piece
    /// for which Windows has no memory (error 1450) is halved, down to 4 KiB, and after eight that
    /// went the next is longer again. If it has no memory for that either, the write waits for
    /// writes of this end that are in flight, and fails if there are none. The pieces show in four
    /// ways:
    ///
    /// - If the peer waits in a read, Windows may give it the beginning of a piece and then have no
    ///   memory for the rest (*assumed*, after ReactOS). Nothing tells of that part, which comes
    ///   again with the next piece.
    /// - A write by another process, by a handle that was adopted twice, or by another thread on an
    ///   end in blocking mode may come between two of them.
    /// - A cancelled write says how much had gone if the cancel came between two pieces, and does
    ///   not know it within one.
    /// - A call that blocks behind such a write on an [attached](Self::attach) end waits for the
    ///   driver, and turns it meanwhile.
    ///
    /// On a pipe for messages, which can be adopted, every write is one message and goes at once;
    /// one beyond 4 GiB is refused there.
    ///
    /// # References
    ///
    /// - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
    /// - [`WriteFile`]
    ///
    /// [`WriteFile`]:
    /// https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-writefile
    pub fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        Op(self.end.0.submit_write(buffer))
    }

    /// Writes `buffer`, blocking the caller for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time is up.
    /// [`Error::transferred`](crate::Error::transferred) says how much had gone, where the system
    /// tells. Otherwise as [`Write::write`].
    ///
    /// # Platform notes
    ///
    /// On Windows a write of more than 1 MiB goes in pieces; see
    /// [`submit_write`](Self::submit_write). The time counts between two of them as well, even if
    /// none has to wait. With a timeout of zero the write goes as far as it goes without a wait.
    pub fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        self.end.0.write_timeout(buffer, timeout)
    }

    /// Cancels every write that is pending on this end, including writes of clones and writes that
    /// block other threads.
    ///
    /// Returns at once; each operation reports its own outcome.
    ///
    /// # References
    ///
    /// - [`CancelIoEx`]
    ///
    /// [`CancelIoEx`]:
    /// https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
    pub fn cancel_all(&self) {
        self.end.0.cancel_all();
    }
}

impl<M: Mode> Write for Writer<M> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.end.write(&[slice(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.write(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush()
    }
}

impl<M: Mode> Write for &Writer<M> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.end.write(&[slice(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.write(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<M: Mode> fmt::Debug for Writer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt("Writer", f)
    }
}
