//! Memory of another owner, as a buffer of operations: for other languages.

use super::sealed::{Sealed, Token};
use super::{ReadBuffer, WriteBuffer};

/// Memory of another owner, as the buffer of an operation: for bindings to other languages.
///
/// In Rust use a buffer that the operation can own. With this one it is up to you to keep the
/// memory until the operation is complete, also if its [`Op`](crate::Op) is dropped or detached.
///
/// It serves one operation. What comes back with the result is spent: to submit it again fails with
/// [`InvalidInput`](std::io::ErrorKind::InvalidInput), because the memory may be gone by then.
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
    /// `None` once an operation was given it.
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
    /// Takes `length` bytes at `data` as a buffer. With a length of 0, `data` is not looked at.
    ///
    /// # Safety
    ///
    /// Until the operation that is given this buffer is complete (not only cancelled, dropped or
    /// detached), the memory must be valid for reads and, if that operation is a read, for writes,
    /// from any thread, and nothing else may write to it (or, for a read, look at it). For a read
    /// it must be initialised.
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
            // SAFETY: valid until the operation is complete, says the caller of `new`; it is asked
            // for its bytes when it is given to that operation, and is spent from then on.
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
