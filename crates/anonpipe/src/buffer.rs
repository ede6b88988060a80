//! The buffers that operations own while in flight, and memory that the system fills.
//!
//! Besides `sys`, this is the only module whose types rest on `unsafe`: it gives addresses away,
//! and turns them back into slices.

#![allow(unsafe_code, reason = "memory is lent to the system here")]

mod foreign;
mod lent;
#[cfg(feature = "tokio")]
mod read_buf;

pub use foreign::ForeignBuffer;
pub(crate) use lent::{Borrowed, Lent, Loan, Slot};
#[cfg(feature = "tokio")]
pub(crate) use read_buf::fill;

/// A buffer that [`submit_read`](crate::Reader::submit_read) can fill.
///
/// A read fills up to `len` bytes from the start. The buffer's length and spare capacity stay as
/// they are, so `vec![0; 4096]` reads up to 4096 bytes and `Vec::with_capacity(4096)` reads none.
/// Sealed, because the bytes must stay where they are while the owner moves. Implemented for
/// `Vec<u8>`, `Box<[u8]>` and, with the feature `bytes`, `BytesMut`.
pub trait ReadBuffer: WriteBuffer {
    #[doc(hidden)]
    fn bytes_mut(&mut self, _: sealed::Token) -> &mut [u8];
}

/// A buffer whose bytes [`submit_write`](crate::Writer::submit_write) can write.
///
/// A write sends the whole buffer. Sealed; implemented for `Vec<u8>`, `Box<[u8]>`, `String`,
/// `&'static [u8]`, `&'static [u8; N]`, `&'static str` and, with the feature `bytes`, `Bytes` and
/// `BytesMut`.
pub trait WriteBuffer: sealed::Sealed + Send + 'static {
    #[doc(hidden)]
    fn bytes(&self, _: sealed::Token) -> &[u8];
}

pub(crate) mod sealed {
    pub trait Sealed {
        /// Why an operation cannot have this buffer; `None`: it can.
        #[doc(hidden)]
        fn unfit(&self, _: Token) -> Option<&'static str> {
            None
        }

        /// Called when the buffer is given to an operation, which already knows its bytes.
        #[doc(hidden)]
        fn submitted(&mut self, _: Token) {}
    }

    /// Keeps the trait's methods from being called from outside.
    #[derive(Debug)]
    pub struct Token(pub(crate) ());
}

macro_rules! write_buffer {
    ($($type:ty),*) => {$(
        impl sealed::Sealed for $type {}
        impl WriteBuffer for $type {
            fn bytes(&self, _: sealed::Token) -> &[u8] {
                self.as_ref()
            }
        }
    )*};
}

macro_rules! read_buffer {
    ($($type:ty),*) => {$(
        impl ReadBuffer for $type {
            fn bytes_mut(&mut self, _: sealed::Token) -> &mut [u8] {
                self.as_mut()
            }
        }
    )*};
}

write_buffer!(Vec<u8>, Box<[u8]>, String, &'static [u8], &'static str);
read_buffer!(Vec<u8>, Box<[u8]>);

#[cfg(feature = "bytes")]
write_buffer!(bytes::Bytes, bytes::BytesMut);
#[cfg(feature = "bytes")]
read_buffer!(bytes::BytesMut);

impl<const N: usize> sealed::Sealed for &'static [u8; N] {}
impl<const N: usize> WriteBuffer for &'static [u8; N] {
    fn bytes(&self, _: sealed::Token) -> &[u8] {
        self.as_slice()
    }
}
