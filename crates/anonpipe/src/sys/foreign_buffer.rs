//! Memory that somebody else owns, as a buffer of operations: for other languages.

use crate::buffer::sealed::{Sealed, Token};
use crate::{ReadBuffer, WriteBuffer};

/// Memory that somebody else owns, as the buffer of an operation: for bindings to other languages.
///
/// In Rust use a buffer that the operation can own. With this one it is up to you to keep the memory until the operation is
/// complete, also if its [`Op`](crate::Op) is dropped or detached.
#[derive(Debug)]
pub struct ForeignBuffer {
    data: *mut u8,
    length: usize,
}

// SAFETY: whoever made it promised that the memory is good until the operation is complete, from whatever thread.
unsafe impl Send for ForeignBuffer {}

impl ForeignBuffer {
    /// Takes `length` bytes at `data` as a buffer. With a length of 0, `data` is not looked at.
    ///
    /// # Safety
    ///
    /// Until the operation that is given this buffer is complete (not only cancelled, dropped or detached), the memory must
    /// be valid for reads and, if that operation is a read, for writes, from any thread, and nobody else may write to it (or,
    /// for a read, look at it). For a read it must be initialised.
    #[must_use]
    pub unsafe fn new(data: *mut u8, length: usize) -> Self {
        let data = if length == 0 { std::ptr::NonNull::dangling().as_ptr() } else { data };
        Self { data, length }
    }
}

impl Sealed for ForeignBuffer {}

impl WriteBuffer for ForeignBuffer {
    fn bytes(&self, _: Token) -> &[u8] {
        // SAFETY: valid until the operation is complete, promised by whoever made this; it is asked for its bytes before that.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

impl ReadBuffer for ForeignBuffer {
    fn bytes_mut(&mut self, _: Token) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the memory is writable and initialised if the operation is a read.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.length) }
    }
}
