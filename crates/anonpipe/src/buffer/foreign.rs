//! Buffers in memory that this crate does not own: for other languages.

use super::sealed::{Sealed, Token};
use super::{ReadBuffer, WriteBuffer};

/// A buffer in memory that the operation does not own: for bindings to other languages.
///
/// In Rust, use a buffer that the operation can own. With this one, you have to keep the memory
/// until the operation is complete, even if its [`Op`](crate::Op) is dropped or detached.
///
/// It serves one operation. The buffer that comes back with the result is spent: submitting it
/// again fails with [`InvalidInput`](std::io::ErrorKind::InvalidInput), because the memory may be
/// gone by then.
///
/// # Examples
///
/// ```
/// use anonpipe::ForeignBuffer;
///
/// let (reader, writer) = anonpipe::pipe()?;
/// let mut memory = *b"hello";
/// // SAFETY: `memory` outlives the operation, which the next line waits for.
/// let once = unsafe { ForeignBuffer::new(memory.as_mut_ptr(), memory.len()) };
/// let (written, spent) = writer.submit_write(once).wait();
/// assert_eq!(written?, 5);
/// let refused = writer.submit_write(spent).wait().0.unwrap_err();
/// assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
/// # drop(reader);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ForeignBuffer {
    /// `None` once the buffer was given to an operation.
    memory: Option<Memory>,
}

#[derive(Debug)]
struct Memory {
    data: *mut u8,
    length: usize,
}

// SAFETY: the memory is good until the operation is complete, from any thread, says the caller of
// `new`.
unsafe impl Send for ForeignBuffer {}

impl ForeignBuffer {
    /// Makes a buffer of the `length` bytes at `data`. With a length of 0, `data` is ignored.
    ///
    /// # Safety
    ///
    /// Until the operation that is given this buffer is complete (not only cancelled, dropped or
    /// detached), the memory must be valid for reads and, if that operation is a read, for writes,
    /// from any thread. Nothing else may write to it or, for a read, look at it. For a read it must
    /// be initialised.
    #[must_use]
    pub unsafe fn new(data: *mut u8, length: usize) -> Self {
        let data = if length == 0 { std::ptr::NonNull::dangling().as_ptr() } else { data };
        Self { memory: Some(Memory { data, length }) }
    }
}

impl Sealed for ForeignBuffer {
    fn unfit(&self, _: Token) -> Option<&'static str> {
        let spent =
            "it was promised to an earlier operation alone: make another ForeignBuffer, with a promise of its own";
        self.memory.is_none().then_some(spent)
    }

    fn submitted(&mut self, _: Token) {
        self.memory = None;
    }
}

impl WriteBuffer for ForeignBuffer {
    fn bytes(&self, _: Token) -> &[u8] {
        match &self.memory {
            // SAFETY: valid until the operation is complete, says the caller of `new`. `bytes` is
            // called only when the buffer is given to that operation; the buffer is spent from then
            // on.
            Some(memory) => unsafe { std::slice::from_raw_parts(memory.data, memory.length) },
            None => &[],
        }
    }
}

impl ReadBuffer for ForeignBuffer {
    fn bytes_mut(&mut self, _: Token) -> &mut [u8] {
        match &mut self.memory {
            // SAFETY: as in `bytes`, and the memory is writable and initialised if the operation is
            // a read.
            Some(memory) => unsafe { std::slice::from_raw_parts_mut(memory.data, memory.length) },
            None => &mut [],
        }
    }
}
