//! A buffer while an operation owns it, and what the system has of the operation meanwhile.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::sealed::Token;
use super::{ReadBuffer, WriteBuffer};
use crate::contract::Half;
use crate::sync::{Mutex, lock};

/// What a system needs for one operation, besides its bytes.
pub(crate) trait Slot: Default + Send + Sync {
    /// Whether the kernel has it, and the bytes of its operation.
    fn is_lent(&self) -> bool;
}

/// What an operation lends to the system: a slot, and the address and length of its bytes. The two
/// belong together, and only this module puts them together.
///
/// An operation may show the system a part of its bytes at a time; see [`narrow`](Self::narrow).
///
/// On a system that keeps the address, the kernel may use the bytes while it has the slot. On other
/// systems a channel uses them through [`with`](Self::with) and [`with_mut`](Self::with_mut), which
/// exclude each other. No system does both.
pub(crate) struct Loan<T> {
    slot: T,
    memory: Mutex<Memory>,
}

#[derive(Clone, Copy)]
struct Memory {
    data: NonNull<u8>,
    length: usize,
    /// How many bytes follow that the system is not shown yet.
    rest: usize,
    writable: bool,
}

/// The part of an operation's bytes that the system is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) length: usize,
    /// Whether there are more bytes behind it.
    pub(crate) more: bool,
}

// SAFETY: the memory's owner lends it to whichever thread holds the lock.
unsafe impl Send for Memory {}

impl Memory {
    const NONE: Self = Self { data: NonNull::dangling(), length: 0, rest: 0, writable: true };

    fn to_write_to(bytes: &mut [u8]) -> Self {
        Self { data: NonNull::from(&mut *bytes).cast(), length: bytes.len(), rest: 0, writable: true }
    }

    fn to_read(bytes: &[u8]) -> Self {
        Self { data: NonNull::from(bytes).cast(), length: bytes.len(), rest: 0, writable: false }
    }

    /// Shows the next bytes, at most `most`, of those behind the first `count`.
    fn show(&mut self, count: usize, most: usize) -> Part {
        let count = count.min(self.length);
        let left = self.length - count + self.rest;
        // SAFETY: the first `length` bytes are inside the slice that was lent, and `count` is at
        // most that.
        self.data = unsafe { self.data.add(count) };
        self.length = left.min(most);
        self.rest = left - self.length;
        Part { length: self.length, more: self.rest > 0 }
    }
}

impl<T: Slot> Loan<T> {
    fn of(memory: Memory) -> Self {
        Self { slot: T::default(), memory: Mutex::new(memory) }
    }

    pub(crate) fn slot(&self) -> &T {
        &self.slot
    }

    /// The address and the length, for the kernel. Of bytes that may only be read, a read gets
    /// none.
    #[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
    pub(crate) fn address(&self, half: Half) -> (NonNull<u8>, usize) {
        let memory = *lock(&self.memory);
        if half == Half::Write || memory.writable { (memory.data, memory.length) } else { (NonNull::dangling(), 0) }
    }

    /// From now on shows the system only the next `most` bytes, and hides those behind them. The
    /// system must not have the slot.
    pub(crate) fn narrow(&self, most: usize) -> Part {
        self.advance(0, most)
    }

    /// The system is done with the first `count` bytes that it was shown. Shows it the next, at
    /// most `most`. The system must not have the slot.
    pub(crate) fn advance(&self, count: usize, most: usize) -> Part {
        debug_assert!(!self.slot.is_lent(), "the system still has these bytes");
        lock(&self.memory).show(count, most)
    }

    /// Calls `f` with the bytes, or with none once they were taken back.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        let memory = lock(&self.memory);
        // SAFETY: the owner keeps the memory, untouched, until it takes it back, which waits for
        // this lock; the address and length come from a slice of it.
        f(unsafe { std::slice::from_raw_parts(memory.data.as_ptr(), memory.length) })
    }

    /// Calls `f` with the bytes, or with none once they were taken back or if they may only be
    /// read.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let memory = lock(&self.memory);
        let length = if memory.writable { memory.length } else { 0 };
        // SAFETY: as in `with`; the lock excludes every other slice of the memory, and the address
        // and length come from a mutable slice.
        f(unsafe { std::slice::from_raw_parts_mut(memory.data.as_ptr(), length) })
    }

    /// Takes the bytes back. Ends the process if the kernel still has them: going on would let it
    /// write to memory that has another use.
    fn end(&self) {
        if self.slot.is_lent() {
            eprintln!("anonpipe: a buffer is taken back that the system still has");
            std::process::abort();
        }
        *lock(&self.memory) = Memory::NONE;
    }
}

/// A buffer that is lent to an operation, and the loan. Both are here so that the buffer is neither
/// touched nor dropped while its bytes are in use.
pub(crate) struct Lent<B, T> {
    // Before the buffer, because it is dropped first: a slot may check that the kernel is done.
    loan: Loan<T>,
    buffer: Mutex<Option<B>>,
}

impl<B, T: Slot> Lent<B, T> {
    /// Nothing is lent yet: that follows when the buffer is in its final place.
    pub(crate) fn new(buffer: B) -> Self {
        Self { loan: Loan::of(Memory::NONE), buffer: Mutex::new(Some(buffer)) }
    }

    pub(crate) fn loan(&self) -> &Loan<T> {
        &self.loan
    }

    /// The buffer, if it was not taken before. The caller knows that the system is done with it.
    pub(crate) fn take(&self) -> Option<B> {
        let mut buffer = lock(&self.buffer);
        self.loan.end();
        buffer.take()
    }

    /// The same in a process that was forked from the one that has lent it: a thread that is not
    /// here may have been using the bytes.
    pub(crate) fn take_after_fork(&self) -> Option<B> {
        lock(&self.buffer).take()
    }

    fn lend(&self, memory: impl FnOnce(&mut B) -> Memory) {
        if let Some(buffer) = lock(&self.buffer).as_mut() {
            let memory = memory(buffer);
            *lock(&self.loan.memory) = memory;
        }
    }
}

impl<B: ReadBuffer, T: Slot> Lent<B, T> {
    /// Lends the bytes to a read, which writes to them.
    pub(crate) fn lend_to_read(&self) {
        self.lend(|buffer| {
            let memory = Memory::to_write_to(buffer.bytes_mut(Token(())));
            buffer.submitted(Token(()));
            memory
        });
    }
}

impl<B: WriteBuffer, T: Slot> Lent<B, T> {
    /// Lends the bytes to a write, which reads them.
    pub(crate) fn lend_to_write(&self) {
        self.lend(|buffer| {
            let memory = Memory::to_read(buffer.bytes(Token(())));
            buffer.submitted(Token(()));
            memory
        });
    }
}

/// A slice that is lent for one call. The slot is dropped with this, so before the slice is given
/// back, and ends the process if the kernel still has it.
#[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
pub(crate) struct Borrowed<'a, T> {
    loan: Loan<T>,
    slice: PhantomData<&'a mut [u8]>,
}

#[cfg_attr(not(windows), allow(dead_code, reason = "only Windows keeps addresses beyond a call"))]
impl<'a, T: Slot> Borrowed<'a, T> {
    /// For a read, which writes to the slice.
    pub(crate) fn to_read(slice: &'a mut [u8]) -> Self {
        Self { loan: Loan::of(Memory::to_write_to(slice)), slice: PhantomData }
    }

    /// For a write, which reads the slice.
    pub(crate) fn to_write(slice: &'a [u8]) -> Self {
        Self { loan: Loan::of(Memory::to_read(slice)), slice: PhantomData }
    }
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = Loan<T>;

    fn deref(&self) -> &Loan<T> {
        &self.loan
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Half, Lent, Part, Slot};

    #[derive(Default)]
    struct NoSlot;

    impl Slot for NoSlot {
        fn is_lent(&self) -> bool {
            false
        }
    }

    #[test]
    fn what_is_lent_is_written_in_place_and_comes_back() {
        let lent = Lent::<_, NoSlot>::new(vec![1_u8, 2, 3]);
        lent.lend_to_read();
        lent.loan().with_mut(|bytes| bytes[1] = 7);
        lent.loan().with(|bytes| assert_eq!(bytes, [1, 7, 3]));
        assert_eq!(lent.take().unwrap(), [1, 7, 3]);
        lent.loan().with(|bytes| assert!(bytes.is_empty(), "the bytes are its owner's again"));
        assert!(lent.take().is_none());
    }

    #[test]
    fn what_is_lent_to_be_read_is_not_written() {
        let lent = Lent::<_, NoSlot>::new("static");
        lent.lend_to_write();
        lent.loan().with(|bytes| assert_eq!(bytes, b"static"));
        lent.loan().with_mut(|bytes| assert!(bytes.is_empty()));
        assert_eq!([Half::Read, Half::Write].map(|half| lent.loan().address(half).1), [0, 6]);
    }

    #[test]
    fn the_parts_of_what_is_lent_are_shown_one_after_the_other() {
        let lent = Lent::<_, NoSlot>::new("0123456789");
        lent.lend_to_write();
        let loan = lent.loan();
        let shown = || loan.with(<[u8]>::to_vec);
        assert_eq!((loan.narrow(4), shown()), (Part { length: 4, more: true }, b"0123".to_vec()));
        assert_eq!((loan.advance(4, 4), shown()), (Part { length: 4, more: true }, b"4567".to_vec()));
        assert_eq!((loan.narrow(2), shown()), (Part { length: 2, more: true }, b"45".to_vec()));
        assert_eq!((loan.advance(1, 3), shown()), (Part { length: 3, more: true }, b"567".to_vec()));
        assert_eq!((loan.advance(3, 9), shown()), (Part { length: 2, more: false }, b"89".to_vec()));
        assert_eq!((loan.advance(5, 9), shown()), (Part { length: 0, more: false }, b"".to_vec()));
        assert_eq!(lent.take(), Some("0123456789"), "the buffer comes back whole");
    }
}
