//! An end of any type.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use anonpipe::{Blocking, Driver, Duplex, Info, Op, Overlapped, ReadBuffer, Reader, WriteBuffer, Writer};

#[derive(Debug)]
pub(super) enum AnyEnd {
    Reader(Reader<Overlapped>),
    Writer(Writer<Overlapped>),
    Duplex(Duplex<Overlapped>),
    BlockingReader(Reader<Blocking>),
    BlockingWriter(Writer<Blocking>),
    BlockingDuplex(Duplex<Blocking>),
}

macro_rules! into_any {
    ($($end:ty => $name:ident),* $(,)?) => {$(
        impl From<$end> for AnyEnd {
            fn from(end: $end) -> Self {
                Self::$name(end)
            }
        }
    )*};
}
into_any! {
    Reader<Overlapped> => Reader,
    Writer<Overlapped> => Writer,
    Duplex<Overlapped> => Duplex,
    Reader<Blocking> => BlockingReader,
    Writer<Blocking> => BlockingWriter,
    Duplex<Blocking> => BlockingDuplex,
}

/// Does the same with an end of whichever type.
macro_rules! every {
    ($any:expr, $end:ident => $do:expr) => {
        match $any {
            AnyEnd::Reader($end) => $do,
            AnyEnd::Writer($end) => $do,
            AnyEnd::Duplex($end) => $do,
            AnyEnd::BlockingReader($end) => $do,
            AnyEnd::BlockingWriter($end) => $do,
            AnyEnd::BlockingDuplex($end) => $do,
        }
    };
}

/// Converts an end of whichever type; those in blocking mode always can be.
macro_rules! convert {
    (@overlapped $convert:expr) => {
        $convert.map_err(|failed| {
            let (error, end) = failed.into_parts();
            (error, end.into())
        })
    };
    ($any:expr, $end:ident => $convert:expr) => {
        match $any {
            AnyEnd::Reader($end) => convert!(@overlapped $convert),
            AnyEnd::Writer($end) => convert!(@overlapped $convert),
            AnyEnd::Duplex($end) => convert!(@overlapped $convert),
            AnyEnd::BlockingReader($end) => Ok($end.into()),
            AnyEnd::BlockingWriter($end) => Ok($end.into()),
            AnyEnd::BlockingDuplex($end) => Ok($end.into()),
        }
    };
}

/// Does the same with an overlapped end that reads.
macro_rules! reading {
    ($any:expr, $end:ident => $do:expr) => {
        match $any {
            AnyEnd::Reader($end) => Some($do),
            AnyEnd::Duplex($end) => Some($do),
            _ => None,
        }
    };
}

/// Does the same with an overlapped end that writes.
macro_rules! writing {
    ($any:expr, $end:ident => $do:expr) => {
        match $any {
            AnyEnd::Writer($end) => Some($do),
            AnyEnd::Duplex($end) => Some($do),
            _ => None,
        }
    };
}

impl AnyEnd {
    pub(super) fn reads(&self) -> bool {
        !matches!(self, Self::Writer(_) | Self::BlockingWriter(_))
    }

    pub(super) fn writes(&self) -> bool {
        !matches!(self, Self::Reader(_) | Self::BlockingReader(_))
    }

    pub(super) fn is_overlapped(&self) -> bool {
        matches!(self, Self::Reader(_) | Self::Writer(_) | Self::Duplex(_))
    }

    pub(super) fn borrow(&self) -> BorrowedFd<'_> {
        every!(self, end => end.as_fd())
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        every!(self, end => end.try_clone().map(Self::from))
    }

    pub(super) fn info(&self) -> io::Result<Info> {
        every!(self, end => end.info())
    }

    pub(super) fn bytes_available(&self) -> Option<io::Result<usize>> {
        match self {
            Self::Reader(end) => Some(end.bytes_available()),
            Self::Duplex(end) => Some(end.bytes_available()),
            Self::BlockingReader(end) => Some(end.bytes_available()),
            Self::BlockingDuplex(end) => Some(end.bytes_available()),
            Self::Writer(_) | Self::BlockingWriter(_) => None,
        }
    }

    pub(super) fn shutdown_write(&self) -> Option<io::Result<()>> {
        match self {
            Self::Duplex(end) => Some(end.shutdown_write()),
            Self::BlockingDuplex(end) => Some(end.shutdown_write()),
            _ => None,
        }
    }

    pub(super) fn cancel_all(&self) -> bool {
        match self {
            Self::Reader(end) => end.cancel_all(),
            Self::Writer(end) => end.cancel_all(),
            Self::Duplex(end) => end.cancel_all(),
            _ => return false,
        }
        true
    }

    pub(super) fn attach(&self, driver: &Driver) -> Option<io::Result<()>> {
        match self {
            Self::Reader(end) => Some(end.attach(driver)),
            Self::Writer(end) => Some(end.attach(driver)),
            Self::Duplex(end) => Some(end.attach(driver)),
            _ => None,
        }
    }

    pub(super) fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Option<Op<B>> {
        reading!(self, end => end.submit_read(buffer))
    }

    pub(super) fn submit_write<B: WriteBuffer>(&self, buffer: B) -> Option<Op<B>> {
        writing!(self, end => end.submit_write(buffer))
    }

    pub(super) fn read_timeout(&self, buffer: &mut [u8], timeout: std::time::Duration) -> Option<io::Result<usize>> {
        reading!(self, end => end.read_timeout(buffer, timeout))
    }

    pub(super) fn write_timeout(&self, buffer: &[u8], timeout: std::time::Duration) -> Option<io::Result<usize>> {
        writing!(self, end => end.write_timeout(buffer, timeout))
    }

    /// Blocks. `split`: in two parts.
    pub(super) fn read(&mut self, buffer: &mut [u8], split: bool) -> Option<io::Result<usize>> {
        let (one, two) = buffer.split_at_mut(if split { buffer.len() / 2 } else { 0 });
        let parts = &mut [IoSliceMut::new(one), IoSliceMut::new(two)];
        Some(match self {
            Self::Reader(end) if split => end.read_vectored(parts),
            Self::Reader(end) => Read::read(&mut &*end, two),
            Self::Duplex(end) if split => end.read_vectored(parts),
            Self::Duplex(end) => Read::read(&mut &*end, two),
            Self::BlockingReader(end) if split => end.read_vectored(parts),
            Self::BlockingReader(end) => end.read(two),
            Self::BlockingDuplex(end) if split => end.read_vectored(parts),
            Self::BlockingDuplex(end) => end.read(two),
            Self::Writer(_) | Self::BlockingWriter(_) => return None,
        })
    }

    /// Blocks. `split`: in two parts.
    pub(super) fn write(&mut self, bytes: &[u8], split: bool) -> Option<io::Result<usize>> {
        let (one, two) = bytes.split_at(if split { bytes.len() / 2 } else { 0 });
        let parts = &[IoSlice::new(one), IoSlice::new(two)];
        Some(match self {
            Self::Writer(end) if split => end.write_vectored(parts),
            Self::Writer(end) => Write::write(&mut &*end, two),
            Self::Duplex(end) if split => end.write_vectored(parts),
            Self::Duplex(end) => Write::write(&mut &*end, two),
            Self::BlockingWriter(end) if split => end.write_vectored(parts),
            Self::BlockingWriter(end) => end.write(two),
            Self::BlockingDuplex(end) if split => end.write_vectored(parts),
            Self::BlockingDuplex(end) => end.write(two),
            Self::Reader(_) | Self::BlockingReader(_) => return None,
        })
    }

    pub(super) fn flush(&mut self) -> Option<io::Result<()>> {
        match self {
            Self::Writer(end) => Some(end.flush()),
            Self::Duplex(end) => Some(end.flush()),
            Self::BlockingWriter(end) => Some(end.flush()),
            Self::BlockingDuplex(end) => Some(end.flush()),
            Self::Reader(_) | Self::BlockingReader(_) => None,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        tokio: bool,
    ) -> Option<Poll<io::Result<usize>>> {
        reading!(self, end => if tokio {
            let mut buffer = tokio::io::ReadBuf::new(buffer);
            let polled = tokio::io::AsyncRead::poll_read(Pin::new(end), context, &mut buffer);
            polled.map_ok(|()| buffer.filled().len())
        } else {
            futures_io::AsyncRead::poll_read(Pin::new(end), context, buffer)
        })
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        tokio: bool,
    ) -> Option<Poll<io::Result<usize>>> {
        writing!(self, end => if tokio {
            tokio::io::AsyncWrite::poll_write(Pin::new(end), context, bytes)
        } else {
            futures_io::AsyncWrite::poll_write(Pin::new(end), context, bytes)
        })
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>, tokio: bool) -> Option<Poll<io::Result<()>>> {
        writing!(self, end => if tokio {
            tokio::io::AsyncWrite::poll_flush(Pin::new(end), context)
        } else {
            futures_io::AsyncWrite::poll_flush(Pin::new(end), context)
        })
    }

    pub(super) fn poll_close(&mut self, context: &mut Context<'_>, tokio: bool) -> Option<Poll<io::Result<()>>> {
        writing!(self, end => if tokio {
            tokio::io::AsyncWrite::poll_shutdown(Pin::new(end), context)
        } else {
            futures_io::AsyncWrite::poll_close(Pin::new(end), context)
        })
    }

    /// The handle; or the error, and the end.
    pub(super) fn into_handle(self) -> Result<OwnedFd, (io::Error, Self)> {
        convert!(self, end => OwnedFd::try_from(end))
    }

    /// A child's standard handle; or the error, and the end.
    pub(super) fn into_stdio(self) -> Result<std::process::Stdio, (io::Error, Self)> {
        convert!(self, end => end.into_stdio_despite_overlapped())
    }
}
