//! What to create: [`PipeOptions`], and [`End`] for each of its two ends.

use std::io;
use std::marker::PhantomData;

use crate::contract::{Action, Direction, EndName, EndSpec, Failure, MAX_CAPACITY, Role, Spec};
use crate::end::{Access, EndImpl, Origin};
use crate::sys;
use crate::{Blocking, Duplex, Mode, Overlapped, Reader, Writer};

/// What one end of a pair is to be: its mode, and whether children inherit it.
#[derive(Debug, Clone)]
pub struct End<M> {
    inheritable: bool,
    mode: PhantomData<M>,
}

impl End<Overlapped> {
    /// An end for this program: its operations block no thread. Private by default.
    #[must_use]
    pub fn overlapped() -> Self {
        Self { inheritable: false, mode: PhantomData }
    }
}

impl End<Blocking> {
    /// An end to give away: what other programs expect of their standard handles. Private by
    /// default.
    #[must_use]
    pub fn blocking() -> Self {
        Self { inheritable: false, mode: PhantomData }
    }
}

impl<M> End<M> {
    /// Sets whether *every* child that starts while this end is open inherits it; default: no.
    ///
    /// [`std::process::Command`] does not need this: converting the end to
    /// [`Stdio`](std::process::Stdio) hands it to that one child. An inheritable end leaks into
    /// every other child that starts meanwhile, and a leaked writer hides the end of file. The
    /// option is for code that starts children itself and passes handles by number.
    ///
    /// # References
    ///
    /// - [open(2)](https://man7.org/linux/man-pages/man2/open.2.html)
    /// - [`CreateProcessW`]
    /// - [`SetHandleInformation`]
    ///
    /// [`CreateProcessW`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-createprocessw
    /// [`SetHandleInformation`]: https://learn.microsoft.com/en-us/windows/win32/api/handleapi/nf-handleapi-sethandleinformation
    #[must_use]
    pub fn inheritable(mut self, inheritable: bool) -> Self {
        self.inheritable = inheritable;
        self
    }
}

/// How to make a pair: each end's mode and inheritance, the capacity, and finally the direction.
///
/// Both ends are overlapped and private by default. The directions are named from the server's
/// side: [`inbound`](Self::inbound) (the server reads), [`outbound`](Self::outbound) (the server
/// writes) and [`duplex`](Self::duplex). On Windows, [`PipeOptionsExt`][ext] also chooses how the
/// pair is made, and its security descriptor.
///
/// [ext]:
/// https://docs.rs/anonpipe/latest/x86_64-pc-windows-msvc/anonpipe/windows/trait.PipeOptionsExt.html
///
/// # Examples
///
/// Ours overlapped and private, theirs blocking and inheritable, both duplex:
///
/// ```
/// use anonpipe::{End, PipeOptions};
///
/// let (ours, theirs) = PipeOptions::new()
///     .server(End::overlapped())
///     .client(End::blocking().inheritable(true))
///     .duplex()?;
/// # use anonpipe::{Blocking, Duplex, Overlapped};
/// # let _: (Duplex<Overlapped>, Duplex<Blocking>) = (ours, theirs);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A child's standard output and input:
///
/// ```
/// use anonpipe::{End, PipeOptions};
///
/// let options = PipeOptions::new().client(End::blocking());
/// let (stdout, childs_stdout) = options.clone().inbound()?;
/// let (stdin, childs_stdin) = options.outbound()?;
/// # use anonpipe::{Blocking, Overlapped, Reader, Writer};
/// # let _: (Reader<Overlapped>, Writer<Blocking>) = (stdout, childs_stdout);
/// # let _: (Writer<Overlapped>, Reader<Blocking>) = (stdin, childs_stdin);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options make nothing until inbound, outbound or duplex is called"]
pub struct PipeOptions<S = Overlapped, C = Overlapped> {
    server: End<S>,
    client: End<C>,
    capacity: Option<usize>,
    pub(crate) platform: sys::PlatformOptions,
}

impl PipeOptions {
    /// Two overlapped, private ends, and the default capacity.
    pub fn new() -> Self {
        Self {
            server: End::overlapped(),
            client: End::overlapped(),
            capacity: None,
            platform: sys::PlatformOptions::default(),
        }
    }
}

impl Default for PipeOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, C> PipeOptions<S, C> {
    /// Sets what the server end is to be.
    pub fn server<M>(self, server: End<M>) -> PipeOptions<M, C> {
        PipeOptions { server, client: self.client, capacity: self.capacity, platform: self.platform }
    }

    /// Sets what the client end is to be.
    pub fn client<M>(self, client: End<M>) -> PipeOptions<S, M> {
        PipeOptions { server: self.server, client, capacity: self.capacity, platform: self.platform }
    }

    /// Sets how many bytes the system holds for the reader, in each direction, before a writer has
    /// to wait.
    ///
    /// Default: 65,536 on Windows, the system's own elsewhere (65,536 for a Linux pipe). The range
    /// is 1 to what the system can express (`u32::MAX` on Windows, `i32::MAX` on Unix); outside of
    /// it, creating the pair fails with [`InvalidInput`](io::ErrorKind::InvalidInput).
    /// [`Info`](crate::Info) has what the system makes of the number.
    ///
    /// # Platform notes
    ///
    /// Windows keeps the number exactly, and charges it to the process's non-paged pool quota
    /// (*documented*, CreateNamedPipe). Linux rounds a pipe's capacity up to a power of two of
    /// pages. Large pipes are not free there: an unprivileged user may have 64 of 1 MiB, after
    /// which every further pipe of that user is made small (*documented*, pipe(7),
    /// `pipe-user-pages-soft`).
    ///
    /// # References
    ///
    /// - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
    /// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
    /// - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)
    /// - [`CreateNamedPipeW`]
    ///
    /// [`CreateNamedPipeW`]: https://learn.microsoft.com/en-us/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }
}

impl<S: Mode, C: Mode> PipeOptions<S, C> {
    /// Makes a one-way pair that the server reads: the server's [`Reader`] and the client's
    /// [`Writer`].
    ///
    /// Does not block, and starts no thread.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a capacity of 0 or beyond what the system
    /// can express, and (Windows) for a bad security descriptor. Otherwise the system's error, such
    /// as too many open files. Nothing stays open on failure.
    ///
    /// # References
    ///
    /// - [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)
    /// - [`NtCreateNamedPipeFile`]
    ///
    /// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
    pub fn inbound(self) -> io::Result<(Reader<S>, Writer<C>)> {
        let (server, client) = self.create(Direction::Inbound, Access::Read, Access::Write)?;
        Ok((Reader::new(server), Writer::new(client)))
    }

    /// Makes a one-way pair that the server writes: the server's [`Writer`] and the client's
    /// [`Reader`].
    ///
    /// Does not block, and starts no thread.
    ///
    /// # Errors
    ///
    /// As for [`inbound`](Self::inbound).
    ///
    /// # References
    ///
    /// - [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)
    /// - [`NtCreateNamedPipeFile`]
    ///
    /// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
    pub fn outbound(self) -> io::Result<(Writer<S>, Reader<C>)> {
        let (server, client) = self.create(Direction::Outbound, Access::Write, Access::Read)?;
        Ok((Writer::new(server), Reader::new(client)))
    }

    /// Makes a pair both of whose ends read and write.
    ///
    /// Does not block, and starts no thread. On Unix it is a pair of sockets. A child's standard
    /// handles can be sockets, too, with two differences from a pipe: the child cannot open
    /// `/dev/stdin` again, and bash with a socket as its standard input takes itself for a remote
    /// shell and reads `~/.bashrc`.
    ///
    /// # Errors
    ///
    /// As for [`inbound`](Self::inbound).
    ///
    /// # References
    ///
    /// - [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)
    /// - [bash(1)](https://man7.org/linux/man-pages/man1/bash.1.html)
    /// - [`NtCreateNamedPipeFile`]
    ///
    /// [`NtCreateNamedPipeFile`]: https://learn.microsoft.com/en-us/windows/win32/devnotes/nt-create-named-pipe-file
    pub fn duplex(self) -> io::Result<(Duplex<S>, Duplex<C>)> {
        let (server, client) = self.create(Direction::Duplex, Access::Both, Access::Both)?;
        Ok((Duplex::new(server), Duplex::new(client)))
    }

    fn create(
        self,
        direction: Direction,
        server_access: Access,
        client_access: Access,
    ) -> io::Result<(S::End, C::End)> {
        let spec = Spec {
            direction,
            server: EndSpec { mode: S::MODE, inheritable: self.server.inheritable },
            client: EndSpec { mode: C::MODE, inheritable: self.client.inheritable },
            capacity: checked_capacity(self.capacity)?,
        };
        let (server, client) =
            sys::create(&spec, &self.platform).map_err(|failure| failure.into_io(Action::Create, None))?;
        let origin = |role| Origin {
            name: EndName { called: None, role: Some(role), direction: Some(direction) },
            requested_capacity: self.capacity,
            exclusive: true,
        };
        Ok((
            S::End::new(server, origin(Role::Server), server_access),
            C::End::new(client, origin(Role::Client), client_access),
        ))
    }
}

fn checked_capacity(capacity: Option<usize>) -> io::Result<Option<u32>> {
    let refuse = |why: String| Failure::refused(io::ErrorKind::InvalidInput, why).into_io(Action::Create, None);
    match capacity {
        None => Ok(None),
        Some(0) => {
            Err(refuse("a capacity of 0 bytes would make every write wait for its reader; use 1 or more".into()))
        }
        Some(bytes) => match u32::try_from(bytes) {
            Ok(fits) if bytes <= MAX_CAPACITY => Ok(Some(fits)),
            _ => Err(refuse(format!(
                "a capacity of {bytes} bytes is more than this system can express ({MAX_CAPACITY})"
            ))),
        },
    }
}
