//! tokio's `AsyncRead` and `AsyncWrite`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::fill;
use crate::channel::WokenBy;
use crate::end::{slice, slice_mut};
use crate::process::Stdin;
use crate::{Duplex, Overlapped, Reader, Writer};

macro_rules! async_read {
    ($($end:ident),*) => {$(
        /// On any executor (feature `tokio`); see the [crate's documentation](crate#async-traits).
        impl AsyncRead for $end<Overlapped> {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let end = &mut self.get_mut().end.0;
                fill(buffer, |bytes| end.poll_read(WokenBy::Runtime, context, &mut [slice_mut(bytes)]))
            }
        }
    )*};
}

/// On any executor (feature `tokio`); see the [crate's documentation](crate#async-traits).
impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stdin = self.get_mut();
        fill(buffer, |bytes| stdin.poll_read(WokenBy::Runtime, context, &mut [slice_mut(bytes)]))
    }
}

macro_rules! async_write {
    ($($end:ident),*) => {$(
        /// On any executor (feature `tokio`); see the [crate's documentation](crate#async-traits).
        impl AsyncWrite for $end<Overlapped> {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_write(WokenBy::Runtime, context, &[slice(buffer)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().end.0.poll_write(WokenBy::Runtime, context, buffers)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().end.0.poll_flush(context)
            }

            fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().end.0.poll_close(context)
            }
        }
    )*};
}

async_read!(Reader, Duplex);
async_write!(Writer, Duplex);
