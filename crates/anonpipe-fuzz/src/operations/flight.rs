//! Operations on memory of any kind.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anonpipe::{AnyOp, Op};
use bytes::{Bytes, BytesMut};

use super::any_end::AnyEnd;
use super::steps::Memory;

/// An operation in flight.
#[derive(Debug)]
pub(super) enum Flight {
    Vector(Op<Vec<u8>>),
    Boxed(Op<Box<[u8]>>),
    Mutable(Op<BytesMut>),
    Frozen(Op<Bytes>),
}

/// What became of one: its result, and what is in its memory.
pub(super) type Outcome = (io::Result<usize>, Vec<u8>);

macro_rules! every {
    ($flight:expr, $op:ident => $do:expr) => {
        match $flight {
            Flight::Vector($op) => $do,
            Flight::Boxed($op) => $do,
            Flight::Mutable($op) => $do,
            Flight::Frozen($op) => $do,
        }
    };
}

fn out<B: AsRef<[u8]>>((result, buffer): (io::Result<usize>, B)) -> Outcome {
    (result, buffer.as_ref().to_vec())
}

impl Flight {
    pub(super) fn read(end: &AnyEnd, length: usize, memory: Memory) -> Option<Self> {
        Some(match memory {
            Memory::Vector => {
                // A read does not use the spare capacity.
                let mut buffer = Vec::with_capacity(length + 100);
                buffer.resize(length, 0xee);
                Self::Vector(end.submit_read(buffer)?)
            }
            Memory::Boxed => Self::Boxed(end.submit_read(vec![0xee; length].into_boxed_slice())?),
            Memory::Bytes => Self::Mutable(end.submit_read(BytesMut::zeroed(length))?),
        })
    }

    pub(super) fn write(end: &AnyEnd, bytes: Vec<u8>, memory: Memory) -> Option<Self> {
        Some(match memory {
            Memory::Vector => Self::Vector(end.submit_write(bytes)?),
            Memory::Boxed => Self::Boxed(end.submit_write(bytes.into_boxed_slice())?),
            Memory::Bytes => Self::Frozen(end.submit_write(Bytes::from(bytes))?),
        })
    }

    pub(super) fn as_any(&self) -> &dyn AnyOp {
        every!(self, op => op)
    }

    pub(super) fn is_complete(&self) -> bool {
        every!(self, op => op.is_complete())
    }

    pub(super) fn cancel(&self) {
        every!(self, op => op.cancel());
    }

    pub(super) fn detach(self) {
        every!(self, op => op.detach());
    }

    pub(super) fn wait(self) -> Outcome {
        every!(self, op => out(op.wait()))
    }

    pub(super) fn wait_timeout(&mut self, timeout: Duration) -> Option<Outcome> {
        every!(self, op => op.wait_timeout(timeout).map(out))
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        every!(self, op => Pin::new(op).poll(context).map(out))
    }
}
