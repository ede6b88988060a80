//! An end that both reads and writes.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use crate::contract::{Action, ConversionError, Failure};
use crate::end::{EndImpl, slice, slice_mut};
use crate::{Driver, Info, Mode, Op, Overlapped, ReadBuffer, Reader, WriteBuffer, Writer};

/// An end of a duplex pair: it reads and writes.
///
/// As [`std::io::Read`] and [`std::io::Write`] it blocks the caller, in both modes. The two
/// directions are independent: on an overlapped end reads and writes never hold each other up, so
/// it also reads and writes by shared reference, and can be [split](Self::split).
///
/// A *blocking* duplex end does neither. On Windows a synchronous handle does one thing at a time:
/// while one thread is blocked in a read, a write by another thread or process, even a query of the
/// handle's mode, waits for that read to end. A child that talks strictly in turns can live with
/// it; one that reads and writes from two threads waits on itself. Give such a child two one-way
/// pipes.
///
/// Cancellation and drop are those of [`Reader`] and [`Writer`]. When the last handle that reads is
/// dropped while writes are in flight, those finish all the same. There is no reader any more, so
/// the peer's own writes fail from then on with [`BrokenPipe`](io::ErrorKind::BrokenPipe), as far
/// as the system can do that.
///
/// # Platform notes
///
/// - *Unix*: the socket reads no more. That holds for all its descriptors, in other processes too.
/// - *Windows* cannot close the reading direction alone: the handle stays open, and is not read,
///   until the peer has read those writes. The peer's own writes fill the pipe meanwhile, and then
///   wait; they fail when it has read the rest. (The system offers to cancel the writes, or to
///   disconnect the pipe. Both throw away what was accepted.)
pub struct Duplex<M: Mode> {
    pub(crate) end: M::End,
}

impl<M: Mode> Duplex<M> {
    pub(crate) fn new(end: M::End) -> Self {
        Self { end }
    }

    /// Makes another handle to the same end. The end is open until the last of them is dropped.
    ///
    /// Overlapped: the clones share one queue a direction. Blocking: the handle is duplicated, and
    /// the duplicate is private: a child whose standard input and output are the same pipe gets a
    /// clone for each.
    ///
    /// # Errors
    ///
    /// Blocking ends only: what the system said, such as too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.end.try_clone().map(Self::new)
    }

    /// How many bytes can be read without waiting; see [`Reader::bytes_available`].
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn bytes_available(&self) -> io::Result<usize> {
        self.end.bytes_available()
    }

    /// What this end is; see [`Reader::info`].
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn info(&self) -> io::Result<Info> {
        self.end.info()
    }

    /// Half-closes: the peer reads the end of file, while this end still reads. Returns at once.
    ///
    /// Writes that are in flight go out first; every write afterwards, of nothing too, fails with
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) on Windows, whose pipes have no half-close; the
    /// end is as it was. Agree on an end of message with the peer, or use two one-way pipes.
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
        self.end.attach(driver)
    }

    /// Starts to read into `buffer`, and returns at once; see [`Reader::submit_read`].
    pub fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        self.end.submit_read(buffer)
    }

    /// Starts to write the whole of `buffer`, and returns at once; see [`Writer::submit_write`].
    pub fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Op<B> {
        self.end.submit_write(buffer)
    }

    /// Reads into `buffer`, blocking the caller, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// See [`Reader::read_timeout`].
    pub fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.end.read_timeout(buffer, timeout)
    }

    /// Writes `buffer`, blocking the caller, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// See [`Writer::write_timeout`].
    pub fn write_timeout(&self, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
        self.end.write_timeout(buffer, timeout)
    }

    /// Cancels every operation that is pending on this end, in both directions; see
    /// [`Reader::cancel_all`].
    pub fn cancel_all(&self) {
        self.end.cancel_all();
    }

    /// Splits the end into its two directions, for two threads or tasks.
    ///
    /// The peer sees the end of file when both halves are dropped: dropping one alone does not
    /// close its direction, because a pipe of Windows has one handle for both. Where the system can
    /// half-close, [`shutdown_write`](Self::shutdown_write) does it before the split, and the async
    /// traits' close of the writing half after it: for the whole end, so that clones write no more
    /// either. [`unsplit`](Self::unsplit) joins the halves again.
    pub fn split(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        let (reading, writing) = self.end.split();
        (Reader::new(reading), Writer::new(writing))
    }

    /// Joins the two halves of one end again.
    ///
    /// # Errors
    ///
    /// If they are not two halves of the same end; both come back.
    #[expect(clippy::type_complexity, clippy::result_large_err, reason = "a pair in, the same pair out")]
    pub fn unsplit(
        reader: Reader<Overlapped>,
        writer: Writer<Overlapped>,
    ) -> Result<Self, ConversionError<(Reader<Overlapped>, Writer<Overlapped>)>> {
        if reader.end.is_same(&writer.end) {
            Ok(Self::new(reader.end.join(writer.end)))
        } else {
            let why = if writer.end.is_closed() {
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
