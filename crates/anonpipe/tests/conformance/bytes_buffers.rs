//! The buffers of the feature `bytes`.

use std::panic::resume_unwind;

use bytes::{Bytes, BytesMut};

use crate::Backend;
use crate::test_data;
use crate::transfer_ways::LONG;

pub(crate) fn bytes_go_out_and_bytes_mut_come_in(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let whole = Bytes::from(test_data::bytes(0, 50_000));
    // Two halves of one allocation, neither of which is copied.
    let (first, second) = (writer.submit_write(whole.slice(..30_000)), writer.submit_write(whole.slice(30_000..)));
    let (mut position, mut buffer) = (0, BytesMut::zeroed(7000));
    while position < 50_000 {
        let (result, back) = reader.submit_read(buffer).wait();
        let count = result.unwrap();
        test_data::check(position, &back[..count]);
        position += count;
        buffer = back;
        assert_eq!(buffer.len(), 7000);
    }
    let (result, back) = first.wait();
    assert_eq!((result.unwrap(), back.as_ptr()), (30_000, whole.as_ptr()));
    assert_eq!(second.wait().0.unwrap(), 20_000);
    let (result, empty) = reader.submit_read(BytesMut::with_capacity(100)).wait();
    assert_eq!((result.unwrap(), empty.len()), (0, 0), "spare capacity is not filled");
}

/// An owner of memory whose drop panics, past the hook, which would print.
struct Bomb;

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        &[0; 100_000]
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a buffer whose drop panics"));
    }
}

/// The driver drops the buffer of a detached write. It has others to complete afterwards.
pub(crate) fn a_buffer_whose_drop_panics_harms_nobody_else(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    writer.submit_write(Bytes::from_owner(Bomb)).detach();
    let mut all = 0;
    while all < 100_000 {
        all += reader.submit_read(vec![0; 65536]).wait().0.unwrap();
    }
    let (reader, writer) = backend.pipe();
    let mut read = reader.submit_read(vec![0; 4]);
    writer.submit_write("fine").wait().0.unwrap();
    assert_eq!(read.wait_timeout(LONG).expect("still driven").1, b"fine");
}
