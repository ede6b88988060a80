//! Buffers: their kinds, their lengths, and what comes back with the result.

#[cfg(target_pointer_width = "64")]
use std::io::{ErrorKind, Read, Write};

use anonpipe::Op;

use crate::Backend;
#[cfg(target_pointer_width = "64")]
use crate::harness::{MOMENT, patience};
#[cfg(target_pointer_width = "64")]
use crate::transfer_ways::check_abort;
use crate::transfer_ways::is_cancelled;

/// 4 GiB and three bytes: three are left of it where the upper half is lost.
#[cfg(target_pointer_width = "64")]
pub(crate) const BEYOND: usize = (1 << 32) + 3;

/// As many zeros; `None`, and a word about it, if there is no room for them.
#[cfg(target_pointer_width = "64")]
pub(crate) fn beyond_4_gib() -> Option<Vec<u8>> {
    if Vec::<u8>::new().try_reserve_exact(BEYOND).is_err() {
        let _ = writeln!(std::io::stderr(), "left out: no address space for 4 GiB");
        return None;
    }
    Some(vec![0; BEYOND])
}

pub(crate) fn the_buffer_comes_back_as_it_was(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut buffer = Vec::with_capacity(100);
    buffer.resize(10, 9);
    let (address, capacity) = (buffer.as_ptr(), buffer.capacity());
    writer.submit_write("abc").wait().0.unwrap();
    let (result, buffer) = reader.submit_read(buffer).wait();
    assert_eq!(result.unwrap(), 3);
    assert_eq!((buffer.as_ptr(), buffer.capacity(), buffer.len()), (address, capacity, 10));
    assert_eq!(&buffer, b"abc\x09\x09\x09\x09\x09\x09\x09", "a read writes what it read, and nothing else");

    let (result, text) = writer.submit_write(String::from("text")).wait();
    assert_eq!((result.unwrap(), text.as_str()), (4, "text"));
    assert_eq!(writer.submit_write(b"bytes").wait().0.unwrap(), 5);
    let slice: &'static [u8] = b"slice";
    assert_eq!(writer.submit_write(slice).wait().1, b"slice");
    let (result, boxed) = reader.submit_read(vec![0; 14].into_boxed_slice()).wait();
    assert_eq!((result.unwrap(), &*boxed), (14, &b"textbytesslice"[..]));
    drop(reader);
    let (result, buffer) = writer.submit_write(vec![3; 5]).wait();
    assert!(result.is_err());
    assert_eq!(buffer, [3; 5], "also from a failure");
}

/// The caller promises a foreign buffer to one operation. What comes back with the result cannot be
/// submitted again.
pub(crate) fn a_foreign_buffer_serves_one_operation(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let refused = |spent: anonpipe::ForeignBuffer,
                   submit: &dyn Fn(anonpipe::ForeignBuffer) -> Op<anonpipe::ForeignBuffer>| {
        let (result, spent) = submit(spent).wait();
        let error = result.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("make another ForeignBuffer"), "{error}");
        spent
    };
    let mut memory = Box::new(*b"once");
    // SAFETY: the memory outlives both operations, which are waited for, and is looked at
    // afterwards only.
    let foreign = unsafe { anonpipe::ForeignBuffer::new(memory.as_mut_ptr(), 4) };
    let (written, spent) = writer.submit_write(foreign).wait();
    assert_eq!(written.unwrap(), 4);
    // SAFETY: as above.
    let foreign = unsafe { anonpipe::ForeignBuffer::new(memory.as_mut_ptr(), 4) };
    let (read, also_spent) = reader.submit_read(foreign).wait();
    assert_eq!(read.unwrap(), 4);
    drop(memory);
    let spent = refused(spent, &|spent| writer.submit_write(spent));
    refused(spent, &|spent| reader.submit_read(spent));
    refused(also_spent, &|spent| reader.submit_read(spent));
    assert_eq!(reader.bytes_available().unwrap(), 0, "something was written");
    // A cancelled one is spent as well.
    let mut memory = Box::new([0; 4]);
    // SAFETY: as above.
    let op = reader.submit_read(unsafe { anonpipe::ForeignBuffer::new(memory.as_mut_ptr(), 4) });
    op.cancel();
    let (result, spent) = op.wait();
    assert!(is_cancelled(&result));
    drop(memory);
    refused(spent, &|spent| reader.submit_read(spent));
}

/// The systems' lengths have 32 bits in places; a longer one must not lose its upper half
/// (rust-lang/rust#31825, boostorg/iostreams#76).
///
/// The test never touches the memory, so the system uses none for it, except that Windows looks at
/// as many pages as a read asks for.
#[cfg(target_pointer_width = "64")]
pub(crate) fn a_length_beyond_4_gib_is_not_cut_short(backend: Backend) {
    let Some(long) = beyond_4_gib() else { return };
    let (reader, writer) = backend.pipe();
    (&writer).write_all(b"0123456789").unwrap();
    let (result, mut long) = reader.submit_read(long).wait();
    assert_eq!(result.unwrap(), 10);
    (&writer).write_all(b"0123456789").unwrap();
    assert_eq!((&reader).read(&mut long).unwrap(), 10);
    (&writer).write_all(b"0123456789").unwrap();
    assert_eq!(reader.read_timeout(&mut long, patience()).unwrap(), 10);
    // Longer than what is read here: it must not end as if it were short.
    let mut op = writer.submit_write(long);
    assert!(op.wait_timeout(MOMENT).is_none(), "it said that it had written everything");
    op.cancel();
    let (result, long) = op.wait();
    check_abort(result);
    let full = reader.bytes_available().unwrap();
    let error = writer.write_timeout(&long, MOMENT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    match anonpipe::Error::of(&error).unwrap().transferred() {
        Some(count) => assert_eq!(count, reader.bytes_available().unwrap() - full),
        None => assert_eq!(std::env::consts::OS, "windows", "the other systems tell"),
    }
}
