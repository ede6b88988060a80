//! Children: started, talked to, waited for and ended without a thread for any of them. And the
//! program's own [standard input](stdin).
//!
//! [`Command`], [`Child`] and [`Stdio`] have the names and the meaning that they have in
//! `tokio::process` and in [`std::process`]. Ordinary programs change two lines: the `use` of
//! `Command`, and that of `Stdio`. Beyond that:
//!
//! - The parent's ends are [`Writer<Overlapped>`](crate::Writer) and
//!   [`Reader<Overlapped>`](crate::Reader), with all they can do: operations, timeouts, the async
//!   traits. A child that says nothing costs no thread, on Windows as well.
//! - Each thing that takes time is a [`Call`]: `.await` it on any executor, or call
//!   [`wait`](Call::wait) or [`wait_timeout`](Call::wait_timeout). The end of a child is an
//!   operation like others: [`Child::exit`].
//! - A child gets what it was given, and nothing else of this program (on Windows by an exact list
//!   of handles). A command keeps no end of a pipe after a spawn, and can be spawned again.
//!
//! # Where it differs from tokio
//!
//! - [`Output`] is a type of this crate, and has more to say; [`Output::into_std`] makes it std's.
//! - [`Command::output`] honours what [`stdout`](Command::stdout) and [`stderr`](Command::stderr)
//!   were told, as std does, and its default for the input is [`Stdio::null`].
//! - If the call [`Command::output`] or [`Command::status`] is dropped before it has its result,
//!   the child is killed.
//! - There is no conversion from or to std's `Command`, whose settings cannot all be read.
//!
//! # Examples
//!
//! A conversation:
//!
//! ```
//! # #[cfg(unix)] {
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! use anonpipe::process::{Command, Stdio};
//!
//! let mut child = Command::new("cat")
//!     .stdin(Stdio::piped())
//!     .stdout(Stdio::piped())
//!     .spawn()?;
//! let (mut stdin, stdout) =
//!     (child.stdin.take().unwrap(), child.stdout.take().unwrap());
//! stdin.write_all(b"hello")?;
//! let mut answer = [0; 5];
//! let count = stdout.read_timeout(&mut answer, Duration::from_secs(5))?;
//! assert_eq!(&answer[..count], b"hello");
//! drop(stdin);
//! assert!(child.wait().wait()?.success());
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```

mod call;
mod child;
mod command;
mod end;
mod exit;
mod life;
mod output;
mod pipeline;
mod stdin;
mod stdio;
mod timer;

pub use call::Call;
pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::Command;
pub use exit::Exit;
pub use output::{Ended, HeldOpen, OnLimit, Output, Truncated, Unfinished};
pub use pipeline::Pipeline;
pub use stdin::{Stdin, stdin};
pub use stdio::Stdio;

pub use std::process::ExitStatus;
