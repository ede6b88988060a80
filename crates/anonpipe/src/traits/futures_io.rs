//! `AsyncRead` and `AsyncWrite` of the futures crates.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::channel::WokenBy;
use crate::end::{slice, slice_mut};
use crate::process::Stdin;
use crate::{Duplex, Overlapped, Reader, Writer};

macro_rules! async_read {
    ($($end:ident),*) => {$(
        /// On any executor (feature `futures-io`); see the [crate's
        /// documentation](crate#async-traits).
        impl AsyncRead for $end<Overlapped> {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_read(WokenBy::Driver, context, &mut [slice_mut(buffer)])
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_read(WokenBy::Driver, context, buffers)
            }
        }
    )*};
}

/// On any executor (feature `futures-io`); see the [crate's documentation](crate#async-traits).
impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read(WokenBy::Driver, context, &mut [slice_mut(buffer)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read(WokenBy::Driver, context, buffers)
    }
}

macro_rules! async_write {
    ($($end:ident),*) => {$(
        /// On any executor (feature `futures-io`); see the [crate's
        /// documentation](crate#async-traits).
        impl AsyncWrite for $end<Overlapped> {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_write(WokenBy::Driver, context, &[slice(buffer)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_write(WokenBy::Driver, context, buffers)
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().end.0.poll_flush(context)
            }

            fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().end.0.poll_close(context)
            }
        }
    )*};
}

async_read!(Reader, Duplex);
async_write!(Writer, Duplex);
