//! tokio's read buffers, whose memory need not be initialised.

use std::io;
use std::mem::MaybeUninit;
use std::task::{Poll, ready};

use tokio::io::ReadBuf;

/// Has `read` fill the rest of `buffer`.
pub(crate) fn fill(
    buffer: &mut ReadBuf<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    // SAFETY: nothing uninitialised is written to the memory: `read` hands it to the system, which
    // only writes bytes.
    let unfilled: *mut [MaybeUninit<u8>] = unsafe { buffer.unfilled_mut() };
    // SAFETY: the memory is borrowed from `buffer` for this call. Every `read` of this crate only
    // passes its address and length to the system, and looks at no byte.
    let bytes = unsafe { &mut *(unfilled as *mut [u8]) };
    let count = ready!(read(bytes))?;
    // SAFETY: the system said that it wrote that many.
    unsafe { buffer.assume_init(count) };
    buffer.advance(count);
    Poll::Ready(Ok(()))
}
