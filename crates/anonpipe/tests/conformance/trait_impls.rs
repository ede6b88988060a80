//! What the compiler must accept, and what it must not.

use std::io::{Read, Write};
use std::process::Stdio;

use anonpipe::{Blocking, Duplex, Op, Overlapped, Reader, Writer};

/// Does not compile if the type implements the trait: the call is ambiguous then.
macro_rules! must_not_implement {
    ($($type:ty: $trait:path),+ $(,)?) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn call() {}
            }
            impl<T> Ambiguous<()> for T {}
            struct IfImplemented;
            impl<T: $trait> Ambiguous<IfImplemented> for T {}
            let _ = <$type as Ambiguous<_>>::call;
        };
    )+};
}

macro_rules! must_implement {
    ($($type:ty: $trait:path),+ $(,)?) => {$(
        const _: fn() = || {
            fn check<T: $trait>() {}
            check::<$type>();
        };
    )+};
}

// A child cannot use an overlapped end by accident.
must_not_implement!(Reader<Overlapped>: Into<Stdio>, Writer<Overlapped>: Into<Stdio>, Duplex<Overlapped>: Into<Stdio>);
must_implement!(Reader<Blocking>: Into<Stdio>, Writer<Blocking>: Into<Stdio>, Duplex<Blocking>: Into<Stdio>);

// An overlapped end may refuse to give its handle away, so it does not give away a raw one either.
#[cfg(unix)]
use std::os::fd::IntoRawFd as IntoRaw;
#[cfg(windows)]
use std::os::windows::io::IntoRawHandle as IntoRaw;
must_implement!(Reader<Blocking>: IntoRaw, Writer<Blocking>: IntoRaw, Duplex<Blocking>: IntoRaw);
must_not_implement!(Reader<Overlapped>: IntoRaw, Writer<Overlapped>: IntoRaw, Duplex<Overlapped>: IntoRaw);

// A synchronous duplex handle does one thing at a time, so a blocking end cannot be read and
// written at once.
must_not_implement!(&'static Duplex<Blocking>: Read, &'static Duplex<Blocking>: Write);
must_implement!(&'static Duplex<Overlapped>: Read, &'static Duplex<Overlapped>: Write);
must_implement!(Duplex<Blocking>: Read, Duplex<Blocking>: Write);
must_not_implement!(Reader<Overlapped>: Write, Writer<Overlapped>: Read, Reader<Blocking>: Write, Writer<Blocking>: Read);
must_implement!(&'static Reader<Overlapped>: Read, &'static Writer<Overlapped>: Write);

must_implement!(Reader<Overlapped>: Sync, Writer<Overlapped>: Sync, Duplex<Overlapped>: Sync, Op<Vec<u8>>: Sync);
must_implement!(Reader<Overlapped>: Send, Writer<Blocking>: Send, Duplex<Blocking>: Send, Op<Vec<u8>>: Send);
must_implement!(Op<Vec<u8>>: Unpin, Op<Box<[u8]>>: Future);
