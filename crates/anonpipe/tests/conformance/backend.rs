//! The ways to make a pair on this system.

use anonpipe::{Duplex, Overlapped, PipeOptions, Reader, Writer};

/// How the pairs of a run are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    #[cfg(unix)]
    Unix,
    #[cfg(windows)]
    Unnamed,
    #[cfg(windows)]
    Named,
}

impl Backend {
    #[cfg(unix)]
    pub(crate) fn options(self) -> PipeOptions {
        PipeOptions::new()
    }

    #[cfg(windows)]
    pub(crate) fn options(self) -> PipeOptions {
        use anonpipe::windows::{Creation, PipeOptionsExt};

        PipeOptions::new().creation(match self {
            Self::Unnamed => Creation::Unnamed,
            Self::Named => Creation::Named,
        })
    }

    /// A one-way pair, both ends overlapped.
    pub(crate) fn pipe(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        self.options().inbound().expect("a one-way pair")
    }

    /// A one-way pair that holds few bytes, both ends overlapped.
    pub(crate) fn small_pipe(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        self.options().capacity(4096).inbound().expect("a one-way pair")
    }

    /// A duplex pair, both ends overlapped.
    pub(crate) fn duplex(self) -> (Duplex<Overlapped>, Duplex<Overlapped>) {
        self.options().duplex().expect("a duplex pair")
    }

    /// Whether the ends of a pair have a name.
    pub(crate) fn is_named(self) -> bool {
        #[cfg(unix)]
        return false;
        #[cfg(windows)]
        return self == Self::Named;
    }
}
