//! The reading end of a one-way pipe, or the reading half of a duplex one.

use std::fmt;
use std::io::{self, IoSliceMut, Read};
use std::time::Duration;

use crate::end::{EndImpl, slice_mut};
use crate::{Driver, Info, Mode, Op, Overlapped, ReadBuffer};

/// An end that reads.
///
/// [`std::io::Read`], by value and by shared reference, blocks the caller in both modes. Inside an
/// async function, submit an operation and await it instead. End of file is `Ok(0)`, again and
/// again. All reads, however they are made, are served in the order in which they came.
///
/// # Cancellation and drop
///
/// Dropping the last handle to an overlapped end cancels its pending reads, and returns at once. A
/// cancelled read consumed nothing.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = anonpipe::pipe()?;
/// writer.write_all(b"to the end")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "to the end");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reader<M: Mode> {
    pub(crate) end: M::End,
}

impl<M: Mode> Reader<M> {
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

    /// How many bytes can be read without waiting; 0 at the end of file.
    ///
    /// Does not block, with one exception: a blocking end on Windows, while another thread or
    /// process is blocked in a read of the same end.
    ///
    /// # Errors
    ///
    /// The system's error.
    ///
    /// # References
    ///
    /// - [ioctl(2)](https://man7.org/linux/man-pages/man2/ioctl.2.html)
    /// - [`PeekNamedPipe`]
    ///
    /// [`PeekNamedPipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-peeknamedpipe
    pub fn bytes_available(&self) -> io::Result<usize> {
        self.end.bytes_available()
    }

    /// What this end is, and what the system made of the options.
    ///
    /// May block where [`bytes_available`](Self::bytes_available) may.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn info(&self) -> io::Result<Info> {
        self.end.info()
    }
}

impl Reader<Overlapped> {
    /// Has `driver`, instead of this crate's own thread, complete the operations and wake the tasks
    /// of this end, its clones and halves. An end stays attached for good. Attach it before its
    /// first operation is submitted or polled.
    ///
    /// # Errors
    ///
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if an operation or a task had to wait before,
    /// or if the end is attached to another driver. To attach it to the same driver again, through
    /// its other half for example, is no error.
    ///
    /// # Platform notes
    ///
    /// On Unix an attached end waits for its driver under tokio, too. On Windows the operations of
    /// an adopted handle that may have other owners ([`adopt`](Self::adopt)) are issued by this
    /// crate's own thread and awaited by the system's thread pool, whether the end is attached or
    /// not.
    pub fn attach(&self, driver: &Driver) -> io::Result<()> {
        self.end.0.attach(driver.make_ref())
    }

    /// Starts to read into `buffer`, and returns at once.
    ///
    /// Completes as soon as there are bytes, with at most `buffer.len()` of them. `Ok(0)` is the
    /// end of file (or an empty buffer). Any number of reads may be in flight; they are filled
    /// first in, first out. A failure comes back with the buffer through the [`Op`].
    ///
    /// # Platform notes
    ///
    /// On Windows one read asks for at most 64 MiB, because the system looks at every page that it
    /// may fill.
    ///
    /// # References
    ///
    /// - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
    /// - [`ReadFile`]
    ///
    /// [`ReadFile`]:
    /// https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfile
    pub fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        Op(self.end.0.submit_read(buffer))
    }

    /// Reads into `buffer`, blocking the caller for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time is up; nothing was consumed. Otherwise
    /// as [`Read::read`].
    pub fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.end.0.read_timeout(buffer, timeout)
    }

    /// Cancels every read that is pending on this end, including reads of clones and reads that
    /// block other threads.
    ///
    /// Returns at once; each operation reports its own outcome.
    ///
    /// # References
    ///
    /// - [`CancelIoEx`]
    ///
    /// [`CancelIoEx`]: https://learn.microsoft.com/en-us/windows/win32/api/ioapiset/nf-ioapiset-cancelioex
    pub fn cancel_all(&self) {
        self.end.0.cancel_all();
    }
}

impl<M: Mode> Read for Reader<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(&mut [slice_mut(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.read(buffers)
    }
}

impl<M: Mode> Read for &Reader<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(&mut [slice_mut(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.read(buffers)
    }
}

impl<M: Mode> fmt::Debug for Reader<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt("Reader", f)
    }
}
