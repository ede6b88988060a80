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
    /// Unnamed, and adopted as handles that others may have as well, so that operations go through
    /// events.
    #[cfg(windows)]
    Adopted,
}

impl Backend {
    pub(crate) const ALL: &[Self] = &[
        #[cfg(unix)]
        Self::Unix,
        #[cfg(windows)]
        Self::Unnamed,
        #[cfg(windows)]
        Self::Named,
        #[cfg(windows)]
        Self::Adopted,
    ];

    #[cfg(unix)]
    pub(crate) fn options(self) -> PipeOptions {
        PipeOptions::new()
    }

    #[cfg(windows)]
    pub(crate) fn options(self) -> PipeOptions {
        use anonpipe::windows::{Creation, PipeOptionsExt};

        PipeOptions::new().creation(match self {
            Self::Unnamed | Self::Adopted => Creation::Unnamed,
            Self::Named => Creation::Named,
        })
    }

    /// A one-way pair, both ends overlapped.
    pub(crate) fn pipe(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        let (reader, writer) = self.options().inbound().expect("a one-way pair");
        (self.adopted(reader), self.adopted(writer))
    }

    /// A one-way pair that holds few bytes, both ends overlapped.
    pub(crate) fn small_pipe(self) -> (Reader<Overlapped>, Writer<Overlapped>) {
        let (reader, writer) = self.options().capacity(4096).inbound().expect("a one-way pair");
        (self.adopted(reader), self.adopted(writer))
    }

    /// A duplex pair, both ends overlapped.
    pub(crate) fn duplex(self) -> (Duplex<Overlapped>, Duplex<Overlapped>) {
        let (ours, theirs) = self.options().duplex().expect("a duplex pair");
        (self.adopted(ours), self.adopted(theirs))
    }

    /// The end, adopted if this backend is about that.
    #[cfg(windows)]
    fn adopted<E: Adopt>(self, end: E) -> E {
        if self == Self::Adopted { end.adopted() } else { end }
    }

    #[cfg(unix)]
    #[expect(clippy::unused_self, reason = "elsewhere there is a choice")]
    fn adopted<E>(self, end: E) -> E {
        end
    }

    /// Whether a thread of the system's says when an operation is complete.
    #[cfg(all(feature = "tokio", feature = "futures-io"))]
    pub(crate) fn is_told_by_events(self) -> bool {
        #[cfg(unix)]
        return false;
        #[cfg(windows)]
        return self == Self::Adopted;
    }

    /// Whether the ends of a pair have a name.
    pub(crate) fn is_named(self) -> bool {
        #[cfg(unix)]
        return false;
        #[cfg(windows)]
        return self == Self::Named;
    }
}

/// An end that can be taken for one that others may have as well.
#[cfg(windows)]
pub(crate) trait Adopt: Sized {
    /// Through the system's handle, and back.
    fn adopted(self) -> Self;
}

#[cfg(windows)]
macro_rules! adopt {
    ($($end:ident),*) => {$(
        impl Adopt for $end<Overlapped> {
            fn adopted(self) -> Self {
                let handle = std::os::windows::io::OwnedHandle::try_from(self).expect("it was never used");
                handle.try_into().expect("as good as before")
            }
        }
    )*};
}

#[cfg(windows)]
adopt!(Reader, Writer, Duplex);
