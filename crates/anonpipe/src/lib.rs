#![doc = include_str!("../docs/crate.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auto_traits;
mod buffer;
mod channel;
mod contract;
mod convert;
mod driver;
mod duplex;
mod end;
mod mode;
mod op;
mod options;
pub mod process;
#[cfg(all(test, not(loom)))]
mod programs;
mod reader;
#[cfg(test)]
mod sim;
mod sync;
mod sys;
#[cfg(any(feature = "tokio", feature = "futures-io"))]
mod traits;
#[cfg(windows)]
pub mod windows;
mod writer;

/// Why the crate is as it is, and the facts it rests on: the texts in `docs`.
#[cfg(any(doc, doctest))]
pub mod _documentation {
    #[doc = include_str!("../docs/DESIGN.md")]
    pub mod design {}
    #[doc = include_str!("../docs/PLATFORMS.md")]
    pub mod platforms {}
    #[doc = include_str!("../docs/SECURITY.md")]
    pub mod security {}
    #[doc = include_str!("../docs/RELIABILITY.md")]
    pub mod reliability {}
}

/// The README's snippet compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

use std::io;

pub use buffer::{ForeignBuffer, ReadBuffer, WriteBuffer};
pub use contract::{ConversionError, Direction, Error, Info, IoMode, Role};
pub use convert::Adopted;
pub use driver::Driver;
pub use duplex::Duplex;
pub use mode::{Blocking, Mode, Overlapped};
pub use op::{AnyOp, Op, wait_any};
pub use options::{End, PipeOptions};
pub use reader::Reader;
#[cfg(windows)]
pub use windows::{create_pipe_anonymous_pair, create_pipe_anonymous_pair7, create_pipe_ex};
pub use writer::Writer;

/// Makes a one-way pipe of two overlapped, private ends; the reader comes first, as in
/// [`std::io::pipe`].
///
/// The reader is the server end. [`PipeOptions`] offers more choices. Does not block, and starts no
/// thread.
///
/// # Errors
///
/// The system's error, such as too many open files.
///
/// # Examples
///
/// ```
/// let (reader, writer) = anonpipe::pipe()?;
/// let read = reader.submit_read(vec![0; 64]);
/// writer.submit_write("no thread is blocked meanwhile").wait().0?;
/// let (count, buffer) = read.wait();
/// assert_eq!(&buffer[..count?], b"no thread is blocked meanwhile");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(Reader<Overlapped>, Writer<Overlapped>)> {
    PipeOptions::new().inbound()
}

/// Makes a duplex pipe of two overlapped, private ends: the server's first, then the client's.
///
/// [`PipeOptions`] offers more choices. Does not block, and starts no thread.
///
/// # Errors
///
/// The system's error, such as too many open files.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (ours, theirs) = anonpipe::duplex()?;
/// (&ours).write_all(b"ping")?;
/// (&theirs).write_all(b"pong")?;
/// let mut four = [0; 4];
/// (&ours).read_exact(&mut four)?;
/// assert_eq!(&four, b"pong");
/// (&theirs).read_exact(&mut four)?;
/// assert_eq!(&four, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn duplex() -> io::Result<(Duplex<Overlapped>, Duplex<Overlapped>)> {
    PipeOptions::new().duplex()
}

/// Keeps writes from raising `SIGPIPE`, on every pipe whose end is made or adopted from now on,
/// even if the program changes its handling of that signal later.
///
/// Without this call, an end looks at the signal's handling once, when it is made. That is enough
/// in most programs, which ignore the signal or leave it at its default from start to end. This
/// call is for libraries in programs that change the handling while they run. It costs a few system
/// calls per write. Sockets, and so duplex pairs, do not need it.
///
/// # References
///
/// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
/// - [sigpending(2)](https://man7.org/linux/man-pages/man2/sigpending.2.html)
/// - [POSIX, write](https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html)
#[cfg(unix)]
pub fn guard_against_sigpipe() {
    sys::guard_against_sigpipe();
}
