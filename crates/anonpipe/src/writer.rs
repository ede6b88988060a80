//! The writing end of a one-way pipe, or the writing half of a duplex one.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::time::Duration;

use crate::end::{EndImpl, slice};
use crate::{Driver, Info, Mode, Op, Overlapped, WriteBuffer};

/// An end that writes.
///
/// As [`std::io::Write`], by value and by shared reference, it blocks the caller, in both modes:
/// inside an async function, submit an operation and await that instead. A write after the peer's
/// reading side was closed fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe), and raises no
/// signal. Writes, whichever way they are made, go out in the order in which they came. `flush`
/// does nothing: bytes are with the system when the write returns.
///
/// A write of nothing asks nothing of the system: it is `Ok(0)`, and the peer sees nothing of it,
/// whether or not it is there. Only where writing was ended here, by a half-close or by the async
/// traits' close, does it fail as any other write.
///
/// # Cancellation and drop
///
/// Dropping an end never blocks. Writes in flight that were [detached](Op::detach), or whose [`Op`]
/// is still held, finish; the peer sees the end of file after them.
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
pub struct Writer<M: Mode> {
    pub(crate) end: M::End,
}

impl<M: Mode> Writer<M> {
    pub(crate) fn new(end: M::End) -> Self {
        Self { end }
    }

    /// Makes another handle to the same end. The end is open until the last of them is dropped.
    ///
    /// Overlapped: the clones share one queue. Blocking: the handle is duplicated, and the
    /// duplicate is private.
    ///
    /// # Errors
    ///
    /// Blocking ends only: what the system said, such as too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.end.try_clone().map(Self::new)
    }

    /// What this end is, and what the system made of the wishes.
    ///
    /// Does not block, with one exception: a blocking end on Windows, while another thread or
    /// process is blocked in a write to the same end.
    ///
    /// # Errors
    ///
    /// What the system said.
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
        self.end.attach(driver)
    }

    /// Starts to write the whole of `buffer`, and returns at once.
    ///
    /// Any number of operations may be in flight; they go out first in, first out, and never
    /// interleave. Completes with the buffer's length when the system has taken all of it. A
    /// failure, such as a buffer beyond 4 GiB on Windows, comes with the buffer through the [`Op`].
    ///
    /// # Platform notes
    ///
    /// What does not fit the pipe's capacity is readable at once on Windows, and the operation
    /// completes when the excess was read. On Unix the driver passes it on as the pipe drains.
    pub fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        self.end.submit_write(buffer)
    }

    /// Writes `buffer`, blocking the caller, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time was up;
    /// [`Error::transferred`](crate::Error::transferred) says how much had gone, where the system
    /// tells. Else as [`Write::write`].
    pub fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        self.end.write_timeout(buffer, timeout)
    }

    /// Cancels every write that is pending on this end, those that block other threads and those of
    /// clones included.
    ///
    /// Returns at once; each operation says itself what became of it.
    pub fn cancel_all(&self) {
        self.end.cancel_all();
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
