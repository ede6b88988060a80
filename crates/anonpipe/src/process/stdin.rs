//! The program's own standard input.

#[cfg(windows)]
mod relay;

use std::fmt;
use std::io::{self, IoSliceMut, Read};
#[cfg(any(feature = "tokio", feature = "futures-io"))]
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(any(feature = "tokio", feature = "futures-io"))]
use crate::channel::WokenBy;
use crate::end::OverlappedEnd;
use crate::sync::{Mutex, lock};
use crate::sys::PerProcess;
use crate::{Driver, Op, Overlapped, ReadBuffer, Reader};

/// The program's standard input: reads of it can be given a time, cancelled, awaited and polled,
/// and no read keeps the program from ending.
///
/// [`stdin`] gives it out. All clones are one queue: reads are served in the order in which they
/// came. Nothing is read ahead of the callers, except where the platform notes say so. What is
/// buffered by [`std::io::stdin`] is not seen here, except where the platform notes say so, so use
/// one of the two.
///
/// # Cancellation and drop
///
/// A read that was cancelled, dropped or ran out of time consumed nothing. A pending read, and a
/// task that waits, do not keep the process or an async runtime from ending.
///
/// # Platform notes
///
/// - **Unix**: pipes, sockets, terminals and other devices are waited for, and `O_NONBLOCK` is not
///   touched: others use the same description. Where a system or a device has no call that does not
///   wait, the descriptor is polled just before it is read; if another process takes the bytes in
///   between, that read waits. A file is always ready, and read as it is. A terminal's end of file
///   is one `Ok(0)`: the next read waits for the next line.
/// - **Windows**: a handle with overlapped I/O, which a parent made with libuv or asyncio gives its
///   children, is read by events; nothing that its other owners see is changed. A synchronous pipe,
///   a console or a file cannot be read without blocking a thread: one thread of this crate, which
///   all reads share, reads it while a caller waits: of a pipe no more than the longest of the
///   reads that wait together. If the read is cancelled meanwhile, what comes is kept for the next
///   one. Consoles and files are read through [`std::io::stdin`], whose buffer the two share, and
///   their end is the end for good.
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use std::time::Duration;
///
/// let stdin = anonpipe::process::stdin()?;
/// let mut buffer = [0; 100];
/// match stdin.read_timeout(&mut buffer, Duration::from_millis(10)) {
///     Ok(0) => println!("the end"),
///     Ok(count) => println!("{count} bytes"),
///     Err(error) if error.kind() == ErrorKind::TimedOut => {
///         println!("nothing yet");
///     }
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdin {
    reader: Reader<Overlapped>,
    /// Reads what cannot be waited for, into the pipe that `reader` reads.
    #[cfg(windows)]
    relay: Option<std::sync::Arc<relay::Relay>>,
}

/// The program's standard input. Every call gives a handle to the same one.
///
/// Does not block (on Windows, except while another owner of a synchronous pipe is blocked in a
/// read of it), and starts no thread: see [`Stdin`] for who waits.
///
/// # Errors
///
/// The system's error: too many open files, or (Unix) a standard input that was closed.
pub fn stdin() -> io::Result<Stdin> {
    static STDIN: PerProcess<Mutex<Option<Stdin>>> = PerProcess::new();

    let mut kept = lock(STDIN.get_or_make(Mutex::default));
    let stdin = match &mut *kept {
        Some(stdin) => stdin,
        none => {
            let stdin = none.insert(Stdin::open()?);
            stdin.reader.end.0.call("standard input");
            stdin
        }
    };
    Ok(stdin.clone())
}

impl Stdin {
    #[cfg(unix)]
    fn open() -> io::Result<Self> {
        use std::os::fd::AsFd as _;

        let fd = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self { reader: Reader::new(OverlappedEnd::of_input(fd)) })
    }

    #[cfg(windows)]
    fn open() -> io::Result<Self> {
        use crate::Adopted;
        use relay::{Relay, Source};

        let source = match relay::duplicate_of_stdin().map(Reader::adopt) {
            Some(Ok(Adopted::Overlapped(reader))) => return Ok(Self { reader, relay: None }),
            Some(Ok(Adopted::Blocking(reader))) => Source::Pipe(reader),
            // No pipe, or nothing at all.
            Some(Err(_)) | None => Source::Std,
        };
        let (reader, relay) = Relay::new(source)?;
        Ok(Self { reader, relay: Some(relay) })
    }

    /// Has `driver`, instead of this crate's own thread, complete the operations and wake the tasks
    /// of standard input, for good. See [`Reader::attach`]. On Windows, the thread that reads a
    /// console or a synchronous pipe may be faster, and complete what it has bytes for.
    ///
    /// # Errors
    ///
    /// As for [`Reader::attach`].
    pub fn attach(&self, driver: &Driver) -> io::Result<()> {
        self.reader.attach(driver)
    }

    /// Starts to read into `buffer`, and returns at once. See [`Reader::submit_read`].
    ///
    /// # Platform notes
    ///
    /// On Windows, if a console or a synchronous pipe fails while this crate's thread reads it, the
    /// pending operations end with `Ok(0)`, and the next read of any kind says why.
    pub fn submit_read<B: ReadBuffer>(&self, buffer: B) -> Op<B> {
        #[cfg(windows)]
        if let Some(relay) = &self.relay {
            use crate::contract::Half;
            use crate::op::Operation;

            let length = buffer.bytes(crate::buffer::sealed::Token(())).len();
            return match relay.ask() {
                Ok(asking) => asking.for_bytes(length, || self.reader.submit_read(buffer)),
                Err(failure) => Op(Operation::refused(self.reader.end.0.origin().name, Half::Read, buffer, failure)),
            };
        }
        self.reader.submit_read(buffer)
    }

    /// Reads into `buffer`, blocking the caller for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) when the time is up; nothing was consumed. Otherwise
    /// as [`Read::read`].
    pub fn read_timeout(&self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        #[cfg(windows)]
        if let Some(relay) = &self.relay {
            return relay.read(&self.reader, buffer, Some(timeout));
        }
        self.reader.read_timeout(buffer, timeout)
    }

    /// Cancels every read of standard input that is pending, including reads of other handles and
    /// reads that block other threads.
    ///
    /// Returns at once; each operation reports its own outcome.
    pub fn cancel_all(&self) {
        self.reader.cancel_all();
    }

    #[cfg(any(feature = "tokio", feature = "futures-io"))]
    pub(crate) fn poll_read(
        &mut self,
        woken_by: WokenBy,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        #[cfg(windows)]
        let wanted: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        let polled = self.reader.end.0.poll_read(woken_by, context, buffers);
        #[cfg(windows)]
        if let Some(relay) = &self.relay {
            match polled {
                Poll::Pending => match relay.ask() {
                    Ok(asking) => asking.for_bytes(wanted, || ()),
                    Err(failure) => return Poll::Ready(Err(relay::named(failure, &self.reader))),
                },
                Poll::Ready(Ok(0)) if wanted > 0 => return Poll::Ready(relay.end(&self.reader)),
                Poll::Ready(_) => {}
            }
        }
        polled
    }
}

impl Clone for Stdin {
    /// Another handle to the same standard input.
    fn clone(&self) -> Self {
        Self {
            reader: Reader::new(OverlappedEnd(self.reader.end.0.clone_handle())),
            #[cfg(windows)]
            relay: self.relay.clone(),
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut &*self, buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Read::read_vectored(&mut &*self, buffers)
    }
}

impl Read for &Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(windows)]
        if let Some(relay) = &self.relay {
            return relay.read(&self.reader, buffer, None);
        }
        (&self.reader).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        #[cfg(windows)]
        if let Some(relay) = &self.relay {
            let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
            return first.map_or(Ok(0), |buffer| relay.read(&self.reader, buffer, None));
        }
        (&self.reader).read_vectored(buffers)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").field("reader", &self.reader).finish_non_exhaustive()
    }
}
