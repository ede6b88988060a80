//! Which auto traits the public types have: the same on every system and with every set of
//! features. So no program stops compiling because it moves to another system, or because another
//! crate of the build enables a feature.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::{
    Adopted, Blocking, ConversionError, Direction, Driver, Duplex, End, Error, ForeignBuffer, Info, IoMode, Op,
    Overlapped, PipeOptions, Reader, Role, Writer,
};

trait Everything: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe {}
impl<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe> Everything for T {}

/// The auto traits of [`std::io::Error`], for types that contain one.
trait AsAnError: Send + Sync + Unpin {}
impl<T: Send + Sync + Unpin> AsAnError for T {}

const fn everything<T: Everything>() {}
const fn as_an_error<T: AsAnError>() {}
const fn sent<T: Send + Unpin + UnwindSafe + RefUnwindSafe>() {}

const _: () = {
    everything::<Reader<Overlapped>>();
    everything::<Reader<Blocking>>();
    everything::<Writer<Overlapped>>();
    everything::<Writer<Blocking>>();
    everything::<Duplex<Overlapped>>();
    everything::<Duplex<Blocking>>();
    everything::<Op<Vec<u8>>>();
    everything::<Op<Box<[u8]>>>();
    everything::<Driver>();
    everything::<PipeOptions<Overlapped, Blocking>>();
    everything::<End<Overlapped>>();
    everything::<End<Blocking>>();
    everything::<(Info, IoMode, Direction, Role)>();
    everything::<Adopted<Reader<Overlapped>, Reader<Blocking>>>();
    sent::<ForeignBuffer>();
    as_an_error::<Error>();
    as_an_error::<ConversionError<Reader<Overlapped>>>();
};

const fn shared<T: Send + Sync + Unpin>() {}
const fn movable<T: Send + Unpin>() {}

const _: () = {
    use crate::process::{Call, Child, Command, Ended, Exit, OnLimit, Output, Pipeline, Stdio, Truncated, Unfinished};

    shared::<Command>();
    shared::<Child>();
    shared::<Exit>();
    everything::<Stdio>();
    shared::<Output>();
    as_an_error::<Unfinished>();
    everything::<(Ended, OnLimit, Truncated)>();
    movable::<Pipeline<'static>>();
    movable::<Call<'static, std::io::Result<Output>>>();
};

#[cfg(windows)]
const _: () = {
    use crate::windows::{Creation, HandleMode, SecurityAttributes, SecurityDescriptor};

    everything::<(Creation, HandleMode)>();
    everything::<(SecurityAttributes, SecurityDescriptor)>();
};
