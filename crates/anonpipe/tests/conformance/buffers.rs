//! The buffers of the feature `bytes`.

use bytes::{Bytes, BytesMut};

use crate::Backend;
use crate::pattern;

pub(crate) fn bytes_go_out_and_bytes_mut_come_in(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let whole = Bytes::from(pattern::bytes(0, 50_000));
    // Two halves of one allocation, neither of which is copied.
    let (first, second) = (writer.submit_write(whole.slice(..30_000)), writer.submit_write(whole.slice(30_000..)));
    let (mut position, mut buffer) = (0, BytesMut::zeroed(7000));
    while position < 50_000 {
        let (result, back) = reader.submit_read(buffer).wait();
        let count = result.unwrap();
        pattern::check(position, &back[..count]);
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
