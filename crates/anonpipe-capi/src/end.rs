//! An end for operations.

use std::ffi::c_int;

use pipes::{Adopted, Duplex, ForeignBuffer, Op, Overlapped, Reader, Writer};

use crate::handle::{self, OwnedPipe, anonpipe_handle, into_raw};
use crate::result::{ANONPIPE_E_INTERNAL, ANONPIPE_E_WRONG_DIRECTION, ANONPIPE_E_WRONG_MODE, Failed, guard};

/// An overlapped end, for operations.
#[derive(Debug)]
pub struct anonpipe_end {
    /// `None` only if taking the handle out panicked.
    way: Option<Way>,
}

/// Which way an end goes.
#[derive(Debug)]
pub(crate) enum Way {
    In(Reader<Overlapped>),
    Out(Writer<Overlapped>),
    Both(Duplex<Overlapped>),
}

impl Way {
    pub(crate) fn name(&self) -> Name {
        Name(match self {
            Self::In(_) => "the read end of a pipe",
            Self::Out(_) => "the write end of a pipe",
            Self::Both(_) => "an end of a duplex pipe",
        })
    }
}

/// What an end is called where the system does not tell which end of its pair it is, which is on
/// Unix. The Rust library calls it adopted there, for it sees a handle that comes from outside; in
/// C all of them do, also those of anonpipe_pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name(&'static str);

impl Name {
    /// Why something failed on the end of this name.
    pub(crate) fn failed(self, error: impl Into<Failed>) -> Failed {
        error.into().in_words("an adopted end of a duplex pipe", self.0).in_words("an adopted end", self.0)
    }
}

impl anonpipe_end {
    /// Wraps a handle; gives it back if it is not fit.
    fn adopt(pipe: OwnedPipe, exclusive: bool) -> Result<Self, (Failed, OwnedPipe)> {
        macro_rules! attempt {
            ($type:ident, $way:ident, $pipe:expr) => {
                match if exclusive { $type::adopt_exclusive($pipe) } else { $type::adopt($pipe) } {
                    Ok(Adopted::Overlapped(end)) => return Ok(Self { way: Some(Way::$way(end)) }),
                    Ok(Adopted::Blocking(end)) => {
                        let why = "the handle is synchronous (on Unix: it blocks), which operations cannot use";
                        return Err((Failed::new(ANONPIPE_E_WRONG_MODE, why), end.into()));
                    }
                    Err(refused) => refused.into_parts(),
                }
            };
        }
        let (_, pipe) = attempt!(Duplex, Both, pipe);
        let (error, pipe) = attempt!(Reader, In, pipe);
        // What cannot be read either is refused for one reason, unless it is just a writer.
        let (_, pipe) = attempt!(Writer, Out, pipe);
        Err((Failed::from(error).in_words("adopt a handle", "open the handle as an end"), pipe))
    }

    pub(crate) fn way(&self) -> Result<&Way, Failed> {
        self.way.as_ref().ok_or_else(|| Failed::new(ANONPIPE_E_INTERNAL, "the end was lost by an earlier mistake"))
    }

    pub(crate) fn submit_read(&self, buffer: ForeignBuffer) -> Result<Op<ForeignBuffer>, Failed> {
        match self.way()? {
            Way::In(end) => Ok(end.submit_read(buffer)),
            Way::Both(end) => Ok(end.submit_read(buffer)),
            Way::Out(_) => Err(wrong_direction()),
        }
    }

    pub(crate) fn submit_write(&self, buffer: ForeignBuffer) -> Result<Op<ForeignBuffer>, Failed> {
        match self.way()? {
            Way::Out(end) => Ok(end.submit_write(buffer)),
            Way::Both(end) => Ok(end.submit_write(buffer)),
            Way::In(_) => Err(wrong_direction()),
        }
    }

    /// Takes the handle out. If that fails the end is as it was.
    fn take_handle(&mut self) -> Result<OwnedPipe, Failed> {
        macro_rules! convert {
            ($end:ident, $way:ident) => {
                OwnedPipe::try_from($end).map_err(|refused| {
                    let (error, end) = refused.into_parts();
                    (error, Way::$way(end))
                })
            };
        }
        self.way()?;
        let converted = match self.way.take() {
            Some(Way::In(end)) => convert!(end, In),
            Some(Way::Out(end)) => convert!(end, Out),
            Some(Way::Both(end)) => convert!(end, Both),
            None => return Err(Failed::invalid("no end")),
        };
        converted.map_err(|(error, way)| {
            let failed = way.name().failed(error).in_words("convert", "take the handle out of");
            self.way = Some(way);
            failed
        })
    }
}

pub(crate) fn wrong_direction() -> Failed {
    Failed::new(ANONPIPE_E_WRONG_DIRECTION, "the end does not go that way")
}

/// What a pointer of the caller's points to; null is refused.
///
/// # Safety
///
/// Not null, it is valid for as long as the result is used.
pub(crate) unsafe fn given<'a, T>(pointer: *const T) -> Result<&'a T, Failed> {
    // SAFETY: valid if not null, says the caller.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failed::invalid("a null pointer"))
}

/// Wraps an overlapped handle for operations: one from anonpipe_pair, or any overlapped end of a
/// connected byte pipe (on Unix: a pipe, FIFO or Unix stream socket with O_NONBLOCK).
///
/// If this succeeds, the end owns the handle and closes it. If this fails, the handle is still
/// yours, as it was. The first operation that has to wait starts the library's one thread.
///
/// Other handles to the same end may be open, here or in another process: the call changes nothing
/// that their owners would notice. On Windows that costs an event for each operation. If no other
/// handle is open, anonpipe_end_open_exclusive is faster.
///
/// On Windows this call waits while another thread or process is blocked in a read or write of the
/// same synchronous handle.
///
/// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null, no handle, no pipe, or a pipe that cannot be used
/// here. ANONPIPE_E_WRONG_MODE: a synchronous handle. Else the system's code, such as EBADF for a
/// descriptor that is not open (on Windows such a handle counts as no pipe).
///
/// Requires: the handle belongs to the caller, who does not use it any more if this succeeds; the
/// output can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_end_open(handle: anonpipe_handle, end: *mut *mut anonpipe_end) -> c_int {
    // SAFETY: what the caller promises is what this asks for.
    unsafe {
        open(handle, end, /* exclusive */ false)
    }
}

/// As anonpipe_end_open, for a handle that is the only one to this end of the pipe, such as one
/// from anonpipe_pair that was neither duplicated nor inherited.
///
/// On Windows the first operation that is submitted binds the handle to a completion port of the
/// library's. All handles to an end share its port, so from then on anonpipe_end_into_handle does
/// not give the handle back. A handle that is bound to another port already is used as by
/// anonpipe_end_open. On Unix the two functions are the same.
///
/// Returns what anonpipe_end_open returns.
///
/// Requires: what anonpipe_end_open requires; no other handle to this end is open, or will be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_end_open_exclusive(handle: anonpipe_handle, end: *mut *mut anonpipe_end) -> c_int {
    // SAFETY: what the caller promises is what this asks for.
    unsafe {
        open(handle, end, /* exclusive */ true)
    }
}

/// # Safety
///
/// The handle belongs to the caller, who does not use it any more if this succeeds; the output, if
/// not null, can be written.
unsafe fn open(handle: anonpipe_handle, end: *mut *mut anonpipe_end, exclusive: bool) -> c_int {
    guard(|| {
        if end.is_null() {
            return Err(Failed::invalid("a null pointer"));
        }
        handle::check(handle)?;
        handle::stay_loaded();
        // A C program may give the signal its default back at any time.
        #[cfg(unix)]
        pipes::guard_against_sigpipe();
        // SAFETY: checked, and the caller gives it away. Below it is given back if it is not taken.
        let pipe = unsafe { handle::from_raw(handle) };
        match anonpipe_end::adopt(pipe, exclusive) {
            // SAFETY: not null, and the caller's to be written.
            Ok(adopted) => unsafe { end.write(Box::into_raw(Box::new(adopted))) },
            Err((failed, pipe)) => {
                // The caller's again.
                into_raw(pipe);
                return Err(failed);
            }
        }
        Ok(())
    })
}

/// Closes an end, and returns at once. Null does nothing.
///
/// Reads in flight are cancelled. Writes that were submitted finish, and only then does the peer
/// see the end of file. The operations and their buffers stay as they are: wait for them and
/// release them as usual.
///
/// Requires: the end is open, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_end_close(end: *mut anonpipe_end) {
    guard(|| {
        if !end.is_null() {
            // SAFETY: made by `anonpipe_end_open`, and not used any more, says the caller.
            drop(unsafe { Box::from_raw(end) });
        }
        Ok(())
    });
}

/// Takes the handle out again, and frees the end. The handle is yours.
///
/// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_BUSY: operations are in flight.
/// ANONPIPE_E_UNSUPPORTED (Windows): the end is from anonpipe_end_open_exclusive and an operation
/// was submitted on it, so the handle's next owner would share the library's completion port. On
/// failure the end is as it was.
///
/// Requires: the end is open, and no other thread uses it; it is gone if this succeeds. The output
/// can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_end_into_handle(end: *mut anonpipe_end, handle: *mut anonpipe_handle) -> c_int {
    guard(|| {
        if end.is_null() || handle.is_null() {
            return Err(Failed::invalid("a null pointer"));
        }
        // SAFETY: made by `anonpipe_end_open`, and no other thread uses it, says the caller.
        let pipe = unsafe { &mut *end }.take_handle()?;
        // SAFETY: as above; its handle is out, and this frees the rest.
        drop(unsafe { Box::from_raw(end) });
        // SAFETY: not null, and the caller's to be written.
        unsafe { handle.write(into_raw(pipe)) };
        Ok(())
    })
}
