//! Reads and writes that block the caller, and what else there is to do with an end.

use std::ffi::{c_int, c_void};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::end::{Way, anonpipe_end, given, wrong_direction};
use crate::result::{Failed, guard};

/// As a time limit: none.
pub const ANONPIPE_INFINITE: u32 = u32::MAX;

/// The time of a call; `None` is no limit.
pub(crate) fn duration(timeout_ms: u32) -> Option<Duration> {
    (timeout_ms != ANONPIPE_INFINITE).then(|| Duration::from_millis(timeout_ms.into()))
}

/// Refuses a buffer that cannot be one.
pub(crate) fn check_buffer(buffer: *const c_void, length: usize) -> Result<(), Failed> {
    if buffer.is_null() && length > 0 {
        return Err(Failed::invalid("a null buffer"));
    }
    if isize::try_from(length).is_err() {
        return Err(Failed::invalid("a buffer of more than half the address space"));
    }
    Ok(())
}

/// Tells the caller how many bytes went, if it wants to know.
///
/// # Safety
///
/// `transferred` is null, or can be written.
pub(crate) unsafe fn report(transferred: *mut usize, result: Result<usize, Failed>) -> Result<(), Failed> {
    let (count, result) = match result {
        Ok(count) => (Some(count), Ok(())),
        Err(failed) => (failed.transferred, Err(failed)),
    };
    if let Some(count) = count
        && !transferred.is_null()
    {
        // SAFETY: can be written, says the caller.
        unsafe { transferred.write(count) };
    }
    result
}

impl anonpipe_end {
    fn read(&self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, Failed> {
        let way = self.way()?;
        let result = match (way, timeout) {
            (Way::In(end), Some(timeout)) => end.read_timeout(buffer, timeout),
            (Way::Both(end), Some(timeout)) => end.read_timeout(buffer, timeout),
            (Way::In(end), None) => Read::read(&mut &*end, buffer),
            (Way::Both(end), None) => Read::read(&mut &*end, buffer),
            (Way::Out(_), _) => return Err(wrong_direction()),
        };
        result.map_err(|error| way.name().failed(error))
    }

    /// Writes everything. One call of the library takes all of it, on Windows up to 4 GiB.
    fn write(&self, buffer: &[u8], timeout: Option<Duration>) -> Result<usize, Failed> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let way = self.way()?;
        let mut written = 0;
        loop {
            let rest = &buffer[written..];
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let result = match (way, left) {
                (Way::Out(end), Some(left)) => end.write_timeout(rest, left),
                (Way::Both(end), Some(left)) => end.write_timeout(rest, left),
                (Way::Out(end), None) => Write::write(&mut &*end, rest),
                (Way::Both(end), None) => Write::write(&mut &*end, rest),
                (Way::In(_), _) => return Err(wrong_direction()),
            };
            match result {
                Ok(count) => written += count,
                Err(error) => return Err(way.name().failed(error).after(written)),
            }
            if written == buffer.len() {
                return Ok(written);
            }
        }
    }
}

/// Reads up to length bytes. Blocks the caller until there are some, but at most for the time in
/// milliseconds. ANONPIPE_INFINITE is no limit, and 0 takes what is there.
///
/// Reads of all kinds are served in the order in which they came.
///
/// Returns 0 as soon as there are any bytes, and in transferred how many. 0 bytes are the end of
/// file (or an empty buffer). ANONPIPE_E_TIMED_OUT: the time was up. ANONPIPE_E_CANCELLED: by
/// anonpipe_cancel_all. In both cases nothing was consumed. ANONPIPE_E_INVALID_ARGUMENT: a null end
/// or buffer. ANONPIPE_E_WRONG_DIRECTION: the end only writes. Else the system's code.
///
/// Requires: the end is open; the buffer has room for length bytes; transferred is null or can be
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_read(
    end: *mut anonpipe_end,
    buffer: *mut c_void,
    length: usize,
    timeout_ms: u32,
    transferred: *mut usize,
) -> c_int {
    guard(|| {
        check_buffer(buffer, length)?;
        // SAFETY: null or open, says the caller.
        let end = unsafe { given(end) }?;
        let bytes = match length {
            0 => &mut [],
            // SAFETY: not null, and room for `length` bytes, says the caller. They come from C, and
            // so have some value.
            _ => unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) },
        };
        // SAFETY: null or writable, says the caller.
        unsafe { report(transferred, end.read(bytes, duration(timeout_ms))) }
    })
}

/// Writes all of length bytes. Blocks the caller until the system has them, but at most for the
/// time in milliseconds. ANONPIPE_INFINITE is no limit.
///
/// Returns 0 when the system has taken all of it. ANONPIPE_E_BROKEN_PIPE: the peer has closed its
/// reading side; no signal is raised. ANONPIPE_E_TIMED_OUT, ANONPIPE_E_CANCELLED: as for
/// anonpipe_read, and transferred says how much had gone, or ANONPIPE_UNKNOWN (Windows does not
/// tell, except between two pieces of a large write). Otherwise as anonpipe_read.
///
/// Requires: the end is open; the buffer has length bytes; transferred is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_write(
    end: *mut anonpipe_end,
    buffer: *const c_void,
    length: usize,
    timeout_ms: u32,
    transferred: *mut usize,
) -> c_int {
    guard(|| {
        check_buffer(buffer, length)?;
        // SAFETY: null or open, says the caller.
        let end = unsafe { given(end) }?;
        let bytes = match length {
            0 => &[],
            // SAFETY: not null, and `length` bytes, says the caller.
            _ => unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) },
        };
        // SAFETY: null or writable, says the caller.
        unsafe { report(transferred, end.write(bytes, duration(timeout_ms))) }
    })
}

/// Cancels all reads and writes that are in flight on an end, including those that block other
/// threads. Does not wait: each reports its own outcome.
///
/// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
///
/// Requires: the end is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_cancel_all(end: *mut anonpipe_end) -> c_int {
    guard(|| {
        // SAFETY: null or open, says the caller.
        match unsafe { given(end) }?.way()? {
            Way::In(end) => end.cancel_all(),
            Way::Out(end) => end.cancel_all(),
            Way::Both(end) => end.cancel_all(),
        }
        Ok(())
    })
}

/// Tells how many bytes can be read without waiting; 0 at the end of file. Does not block.
///
/// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION: the end only writes.
/// Else the system's code.
///
/// Requires: the end is open; the output can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_bytes_available(end: *mut anonpipe_end, available: *mut usize) -> c_int {
    guard(|| {
        if available.is_null() {
            return Err(Failed::invalid("a null pointer"));
        }
        // SAFETY: null or open, says the caller.
        let way = unsafe { given(end) }?.way()?;
        let count = match way {
            Way::In(end) => end.bytes_available(),
            Way::Both(end) => end.bytes_available(),
            Way::Out(_) => return Err(wrong_direction()),
        };
        // SAFETY: not null, and the caller's to be written.
        unsafe { available.write(count.map_err(|error| way.name().failed(error))?) };
        Ok(())
    })
}

/// Half-closes a duplex end: the peer reads the end of file, while this end can still read. Writes
/// in flight go out first; later ones fail with ANONPIPE_E_BROKEN_PIPE.
///
/// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION: a one-way end; close
/// it instead. ANONPIPE_E_UNSUPPORTED: Windows, whose pipes have no half-close; the end is as it
/// was.
///
/// Requires: the end is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_shutdown_write(end: *mut anonpipe_end) -> c_int {
    guard(|| {
        // SAFETY: null or open, says the caller.
        let way = unsafe { given(end) }?.way()?;
        match way {
            Way::Both(end) => end.shutdown_write().map_err(|error| way.name().failed(error)),
            Way::In(_) | Way::Out(_) => Err(wrong_direction()),
        }
    })
}
