//! What an end is: how it was made, and what the system made of the options.

use std::fmt;

/// The mode of an end as a value, for where it is only known at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IoMode {
    /// See [`Overlapped`](crate::Overlapped).
    Overlapped,
    /// See [`Blocking`](crate::Blocking).
    Blocking,
}

/// Which way the bytes of a pair go, named from the server end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The server reads, the client writes.
    Inbound,
    /// The server writes, the client reads.
    Outbound,
    /// Both ends read and write.
    Duplex,
}

/// Which of a pair's two ends this is. The words are npfs's, but apply to every system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that was made first.
    Server,
    /// The end that was opened relative to the server end.
    Client,
}

/// How an error names an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndName {
    /// A name of its own.
    pub(crate) called: Option<&'static str>,
    pub(crate) role: Option<Role>,
    pub(crate) direction: Option<Direction>,
}

impl fmt::Display for EndName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.called {
            return f.write_str(name);
        }
        f.write_str(match self.role {
            Some(Role::Server) => "the server end",
            Some(Role::Client) => "the client end",
            None => "an adopted end",
        })?;
        match self.direction {
            Some(Direction::Inbound) => f.write_str(" of an inbound pipe"),
            Some(Direction::Outbound) => f.write_str(" of an outbound pipe"),
            Some(Direction::Duplex) => f.write_str(" of a duplex pipe"),
            None => Ok(()),
        }
    }
}

/// What is known of an end, from the end itself and from the system; returned by `info()` of every
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// How the end does its I/O.
    pub mode: IoMode,
    /// Which end of its pair it is; `None` for an end that was adopted on Unix, where the system
    /// does not know.
    pub role: Option<Role>,
    /// Which way the pair's bytes go; `None` for an adopted one-way end on Unix.
    pub direction: Option<Direction>,
    /// Whether a child that is started without a list of handles inherits the end.
    pub inheritable: bool,
    /// The name by which others could open the pair; `None` for an unnamed pair, as all are on
    /// Unix.
    pub name: Option<String>,
    /// How many bytes the system says that it holds for a reader before a writer has to wait.
    ///
    /// Linux pipes: whole pages (`F_GETPIPE_SZ`). Sockets: `SO_SNDBUF`, from which Linux also pays
    /// for bookkeeping. Windows: the quota of the direction, or of the inbound one on a duplex
    /// pair. `None` where the system does not tell.
    ///
    /// # References
    ///
    /// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
    /// - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)
    /// - [`FILE_PIPE_LOCAL_INFORMATION`]
    ///
    /// [`FILE_PIPE_LOCAL_INFORMATION`]: https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_pipe_local_information
    pub capacity: Option<usize>,
    /// The capacity that was asked for, in bytes, if the pair was made here with one.
    ///
    /// A larger [`capacity`](Self::capacity) was rounded up. A smaller one means that the system
    /// refused (on Linux a pipe beyond `/proc/sys/fs/pipe-max-size`, or beyond what the user may
    /// have in all), and the pipe kept the size it was made with.
    pub requested_capacity: Option<usize>,
}

/// What the system says about a handle.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) mode: IoMode,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) role: Option<Role>,
    pub(crate) direction: Option<Direction>,
    pub(crate) inheritable: bool,
    pub(crate) name: Option<String>,
    pub(crate) capacity: Option<usize>,
    /// Why the handle cannot be adopted.
    pub(crate) unfit: Option<&'static str>,
}
