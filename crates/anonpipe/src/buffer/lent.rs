//! A buffer while an operation owns it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sealed::Token;
use super::{ReadBuffer, WriteBuffer};

/// The address and the length of memory that is lent to the system.
///
/// On a system that keeps the address, the kernel may use the memory at any time. On other systems
/// a channel uses it through [`with`](Self::with) and [`with_mut`](Self::with_mut), which exclude
/// each other. No system does both.
#[derive(Debug)]
pub(crate) struct Bytes(Mutex<Memory>);

#[derive(Debug, Clone, Copy)]
struct Memory {
    data: NonNull<u8>,
    length: usize,
    writable: bool,
}

// SAFETY: the memory's owner lends it to whichever thread holds the lock.
unsafe impl Send for Memory {}

impl Memory {
    const NONE: Self = Self { data: NonNull::dangling(), length: 0, writable: true };
}

impl Bytes {
    /// No bytes. An empty read gets this, too.
    pub(crate) fn none() -> Self {
        Self(Mutex::new(Memory::NONE))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address and the length, for the kernel.
    #[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
    pub(crate) fn address(&self) -> (NonNull<u8>, usize) {
        let memory = *self.memory();
        (memory.data, memory.length)
    }

    /// Calls `f` with the bytes, or with none once they were taken back.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        let memory = self.memory();
        // SAFETY: the owner keeps the memory, untouched, until it takes it back, which waits for
        // this lock; the address and length come from a slice of it.
        f(unsafe { std::slice::from_raw_parts(memory.data.as_ptr(), memory.length) })
    }

    /// Calls `f` with the bytes, or with none once they were taken back or if they may only be
    /// read.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let memory = self.memory();
        let length = if memory.writable { memory.length } else { 0 };
        // SAFETY: as in `with`; the lock excludes every other slice of the memory, and the address
        // and length come from a mutable slice.
        f(unsafe { std::slice::from_raw_parts_mut(memory.data.as_ptr(), length) })
    }
}

/// A buffer that is lent to an operation, and its bytes. Both are here so that the buffer is
/// neither touched nor dropped while its bytes are in use.
#[derive(Debug)]
pub(crate) struct Lent<B> {
    bytes: Bytes,
    buffer: Mutex<Option<B>>,
}

impl<B> Lent<B> {
    /// Nothing is lent yet: that follows when the buffer is in its final place.
    pub(crate) fn new(buffer: B) -> Self {
        Self { bytes: Bytes::none(), buffer: Mutex::new(Some(buffer)) }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The buffer, if it was not taken before. The caller knows that the system is done with it.
    pub(crate) fn take(&self) -> Option<B> {
        *self.bytes.memory() = Memory::NONE;
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn lend(&self, memory: impl FnOnce(&mut B) -> Memory) {
        if let Some(buffer) = self.buffer.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *self.bytes.memory() = memory(buffer);
        }
    }
}

impl<B: ReadBuffer> Lent<B> {
    /// Lends the bytes to a read, which writes to them.
    pub(crate) fn lend_to_read(&self) {
        self.lend(|buffer| {
            let bytes = buffer.bytes_mut(Token(()));
            let memory = Memory { data: NonNull::from(&mut *bytes).cast(), length: bytes.len(), writable: true };
            buffer.submitted(Token(()));
            memory
        });
    }
}

impl<B: WriteBuffer> Lent<B> {
    /// Lends the bytes to a write, which reads them.
    pub(crate) fn lend_to_write(&self) {
        self.lend(|buffer| {
            let bytes = buffer.bytes(Token(()));
            let memory = Memory { data: NonNull::from(bytes).cast(), length: bytes.len(), writable: false };
            buffer.submitted(Token(()));
            memory
        });
    }
}

/// The bytes of a slice that is borrowed for one call.
#[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
pub(crate) struct Borrowed<'a> {
    bytes: Bytes,
    slice: PhantomData<&'a mut [u8]>,
}

#[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
impl<'a> Borrowed<'a> {
    /// For a read, which writes to the slice.
    pub(crate) fn to_read(slice: &'a mut [u8]) -> Self {
        let memory = Memory { data: NonNull::from(&mut *slice).cast(), length: slice.len(), writable: true };
        Self { bytes: Bytes(Mutex::new(memory)), slice: PhantomData }
    }

    /// For a write, which reads the slice.
    pub(crate) fn to_write(slice: &'a [u8]) -> Self {
        let memory = Memory { data: NonNull::from(slice).cast(), length: slice.len(), writable: false };
        Self { bytes: Bytes(Mutex::new(memory)), slice: PhantomData }
    }
}

impl Deref for Borrowed<'_> {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Lent;

    #[test]
    fn what_is_lent_is_written_in_place_and_comes_back() {
        let lent = Lent::new(vec![1_u8, 2, 3]);
        lent.lend_to_read();
        lent.bytes().with_mut(|bytes| bytes[1] = 7);
        lent.bytes().with(|bytes| assert_eq!(bytes, [1, 7, 3]));
        assert_eq!(lent.take().unwrap(), [1, 7, 3]);
        lent.bytes().with(|bytes| assert!(bytes.is_empty(), "the bytes are its owner's again"));
        assert!(lent.take().is_none());
    }

    #[test]
    fn what_is_lent_to_be_read_is_not_written() {
        let lent = Lent::new("static");
        lent.lend_to_write();
        lent.bytes().with(|bytes| assert_eq!(bytes, b"static"));
        lent.bytes().with_mut(|bytes| assert!(bytes.is_empty()));
    }
}
