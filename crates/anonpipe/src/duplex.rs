//! An end that both reads and writes.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use crate::contract::{Action, ConversionError, Failure};
use crate::end::{EndImpl, slice, slice_mut};
use crate::{Driver, Info, Mode, Op, Overlapped, ReadBuffer, Reader, WriteBuffer, Writer};

/// An end of a duplex pair: it reads and writes.
///
/// [`std::io::Read`] and [`std::io::Write`] block the caller in both modes. On an overlapped end
/// the two directions are independent: reads and writes never hold each other up. So it also reads
/// and writes by shared reference, and can be [split](Self::split).
///
/// A *blocking* duplex end can do neither. On Windows a synchronous handle does one thing at a
/// time: while a thread is blocked in a read, a write by another thread or process waits for that
/// read to end, and so does even a query of the handle's mode. A child that takes strict turns with
/// its peer can live with this; a child that reads and writes from two threads waits on itself.
/// Give such a child two one-way pipes.
///
/// Cancellation and drop are those of [`Reader`] and [`Writer`]. When the last handle that reads is
/// dropped while writes are in flight, those writes still finish. As this end has no reader any
/// more, the peer's own writes fail from then on with [`BrokenPipe`](io::ErrorKind::BrokenPipe), as
/// far as the system can do that.
///
/// # Platform notes
///
/// - *Unix*: the reading side of the socket is shut down, for all its descriptors, in other
///   processes too.
/// - *Windows* cannot close the reading direction alone. The handle stays open, unread, until the
///   peer has read the writes in flight. Meanwhile the peer's own writes fill the pipe and then
///   wait; they fail once the peer has read the rest. (The system offers to cancel the writes or to
///   disconnect the pipe, but both throw away accepted bytes.)
///
/// # References
///
/// - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)
/// - [`DisconnectNamedPipe`]
/// - [Synchronous and Asynchronous I/O]
///
/// [`DisconnectNamedPipe`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe
/// [Synchronous and Asynchronous I/O]: https://learn.microsoft.com/en-us/windows/win32/fileio/synchronous-and-asynchronous-i-o
pub struct Duplex<M: Mode> {
    pub(crate) end: M::End,
}

impl<M: Mode> Duplex<M> {
    pub(crate) fn new(end: M::End) -> Self {
        Self { end }
    }

    /// Makes another handle to the same end. The end stays open until its last handle is dropped.
    ///
    /// Overlapped: the clones share one queue per direction. Blocking: the handle is duplicated,
    /// and the duplicate is private. A child whose standard input and output are the same pipe gets
    /// a clone for each.
    ///
    /// # Errors
    ///
    /// Blocking ends only: the system's error, such as too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.end.try_clone().map(Self::new)
    }

    /// How many bytes can be read without waiting; see [`Reader::bytes_available`].
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn bytes_available(&self) -> io::Result<usize> {
        self.end.bytes_available()
    }

    /// What this end is; see [`Reader::info`].
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn info(&self) -> io::Result<Info> {
        self.end.info()
    }

    /// Half-closes: the peer reads the end of file, while this end still reads. Returns at once.
    ///
    /// Writes in flight go out first. Every later write, even an empty one, fails with
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) on Windows, whose pipes have no half-close; the
    /// end is unchanged. Agree on an end of message with the peer, or use two one-way pipes.
    ///
    /// # References
    ///
    /// - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)
    /// - [POSIX, shutdown]
    ///
    /// [POSIX, shutdown]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/shutdown.html
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.end.shutdown_write()
    }
}

impl Duplex<Overlapped> {
    /// Has `driver` complete the operations and wake the tasks of this end; see [`Reader::attach`].
    ///
    /// # Errors
    ///
    /// See [`Reader::attach`].
    pub fn attach(&self, driver: &Driver) -> io::Result<()> {
        self.end.0.attach(driver.make_ref())
    }

    /// Starts to read into `buffer`, and returns at once; see [`Reader::submit_read`].
    pub fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        Op(self.end.0.submit_read(buffer))
    }

    /// Starts to write the whole of `buffer`, and returns at once; see [`Writer::submit_write`].
    pub fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        Op(self.end.0.submit_write(buffer))
    }

    /// Reads into `buffer`, blocking the caller for at most `timeout`.
    ///
    /// # Errors
    ///
    /// See [`Reader::read_timeout`].
    pub fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.end.0.read_timeout(buffer, timeout)
    }

    /// Writes `buffer`, blocking the caller for at most `timeout`.
    ///
    /// # Errors
    ///
    /// See [`Writer::write_timeout`].
    pub fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        self.end.0.write_timeout(buffer, timeout)
    }

    /// Cancels every operation that is pending on this end, in both directions; see
    /// [`Reader::cancel_all`].
    pub fn cancel_all(&self) {
        self.end.0.cancel_all();
    }

    /// Splits the end into its two directions, for two threads or tasks.
    ///
    /// The peer sees the end of file when both halves are dropped. Dropping one alone does not
    /// close its direction, because a Windows pipe has one handle for both. Where the system can
    /// half-close, [`shutdown_write`](Self::shutdown_write) does so before the split, and closing
    /// the writing half through the async traits does so after it. Both act on the whole end, so
    /// clones cannot write any more either. [`unsplit`](Self::unsplit) joins the halves again.
    ///
    /// # References
    ///
    /// - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)
    /// - [Named Pipe Open Modes]
    ///
    /// [Named Pipe Open Modes]:
    /// https://learn.microsoft.com/en-us/windows/win32/ipc/named-pipe-open-modes
    pub fn split(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        let (reading, writing) = self.end.split();
        (Reader::new(reading), Writer::new(writing))
    }

    /// Joins the two halves of one end again.
    ///
    /// # Errors
    ///
    /// The two are not halves of the same end; both come back.
    #[expect(clippy::type_complexity, clippy::result_large_err, reason = "a pair in, the same pair out")]
    pub fn unsplit(
        reader: Reader<Overlapped>,
        writer: Writer<Overlapped>,
    ) -> Result<Self, ConversionError<(Reader<Overlapped>, Writer<Overlapped>)>> {
        if reader.end.0.is_same(&writer.end.0) {
            Ok(Self::new(reader.end.join(writer.end)))
        } else {
            let why = if writer.end.0.is_closed() {
                "the writer was closed, and has let go of the end: go on with the reader"
            } else {
                "they are not the two halves of one duplex end"
            };
            let error = Failure::refused(io::ErrorKind::InvalidInput, why).into_io(Action::Join, None);
            Err(ConversionError::new(error, (reader, writer)))
        }
    }
}

impl<M: Mode> Read for Duplex<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(&mut [slice_mut(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.read(buffers)
    }
}

impl Read for &Duplex<Overlapped> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(&mut [slice_mut(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.read(buffers)
    }
}

impl<M: Mode> Write for Duplex<M> {
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

impl Write for &Duplex<Overlapped> {
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

impl<M: Mode> fmt::Debug for Duplex<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt("Duplex", f)
    }
}
