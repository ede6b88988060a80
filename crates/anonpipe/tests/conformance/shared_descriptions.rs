//! Others who have the same open file description, and with it its `O_NONBLOCK`: a child that
//! inherited the end, for example.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anonpipe::{End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::harness::{MOMENT, soon};
use crate::system::{is_nonblocking, make_blocking, make_nonblocking};
use crate::transfer_ways::{LONG, is_cancelled, kind};

/// Reads and writes of a pair whose ends a sharer has made blocking, next to another pair: no call
/// blocks but those that should.
pub(crate) fn nothing_blocks(backend: Backend, reader: &Reader<Overlapped>, writer: &Writer<Overlapped>) {
    make_blocking(reader);
    make_blocking(writer);
    let (other_reader, other_writer) = backend.pipe();
    for _ in 0..2 {
        assert_eq!(kind(reader.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
        // The driver has it, and the other pipe.
        let quiet = reader.submit_read(vec![0; 4]);
        let mut read = other_reader.submit_read(vec![0; 5]);
        other_writer.submit_write("other").wait().0.unwrap();
        assert_eq!(read.wait_timeout(LONG).unwrap().1, b"other");
        quiet.cancel();
        assert!(is_cancelled(&quiet.wait().0));
        drop(reader.submit_read(vec![0; 4]));
    }
    // A write that does not fit: some of it goes, the rest waits in the driver, and others go on.
    let large = writer.submit_write(vec![7; 1_000_000]);
    let mut read = other_reader.submit_read(vec![0; 5]);
    other_writer.submit_write("other").wait().0.unwrap();
    assert_eq!(read.wait_timeout(LONG).unwrap().1, b"other");
    assert_eq!(kind(writer.write_timeout(b"behind it", MOMENT)), ErrorKind::TimedOut);
    let mut total = 0;
    let mut buffer = vec![0; 30_000];
    while total < 1_000_000 {
        let count = { reader }.read(&mut buffer).unwrap();
        assert!(buffer[..count].iter().all(|byte| *byte == 7));
        total += count;
    }
    assert_eq!(large.wait().0.unwrap(), 1_000_000);
    // Many small slices go, too, and what does not fit is not waited for.
    let slices = vec![std::io::IoSlice::new(b"abc"); 1000];
    assert_eq!({ writer }.write_vectored(&slices).unwrap(), 3000);
    assert_eq!({ reader }.read(&mut buffer).unwrap(), 3000);
    assert!(!is_nonblocking(reader) && !is_nonblocking(writer), "the flag is the sharer's as well, and is left alone");
}

pub(crate) fn a_sharer_who_makes_it_block_blocks_nobody(backend: Backend) {
    let (reader, writer) = backend.pipe();
    nothing_blocks(backend, &reader, &writer);
    let (ours, _theirs) = backend.duplex();
    make_blocking(&ours);
    for _ in 0..2 {
        assert_eq!(kind(ours.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
        assert_eq!(kind(ours.write_timeout(&[0; 10_000_000], MOMENT)), ErrorKind::TimedOut);
        let op = ours.submit_read(vec![0; 4]);
        op.cancel();
        assert!(is_cancelled(&op.wait().0));
    }
}

/// A blocking end blocks, even if a sharer has set `O_NONBLOCK`.
pub(crate) fn a_blocking_end_that_a_sharer_made_nonblocking_waits(backend: Backend) {
    let (mut reader, writer) = backend.options().server(End::blocking()).client(End::blocking()).inbound().unwrap();
    let mut writer = writer;
    make_nonblocking(&reader);
    make_nonblocking(&writer);
    thread::scope(|scope| {
        let read = scope.spawn(|| {
            let mut bytes = vec![0; 1_000_000];
            reader.read_exact(&mut bytes).map(|()| bytes)
        });
        thread::sleep(MOMENT);
        writer.write_all(&vec![7; 1_000_000]).unwrap();
        assert!(read.join().unwrap().unwrap().iter().all(|byte| *byte == 7));
    });
    let (mut ours, mut theirs) = backend.options().server(End::blocking()).client(End::blocking()).duplex().unwrap();
    make_nonblocking(&ours);
    make_nonblocking(&theirs);
    thread::scope(|scope| {
        let read = scope.spawn(move || {
            let mut bytes = vec![0; 3_000_000];
            ours.read_exact(&mut bytes)
        });
        thread::sleep(MOMENT);
        theirs.write_all(&vec![7; 3_000_000]).unwrap();
        soon("the reader", || read.is_finished());
        read.join().unwrap().unwrap();
    });
}

/// Also if the sharer clears the flag again before the end looks.
pub(crate) fn a_blocking_end_whose_flag_comes_and_goes_waits(backend: Backend) {
    let (reader, writer) = backend.options().server(End::blocking()).client(End::blocking()).inbound().unwrap();
    let (ours, theirs) = backend.options().server(End::blocking()).client(End::blocking()).duplex().unwrap();
    let done = AtomicBool::new(false);
    let (pipes, sockets) = ((reader.as_fd(), writer.as_fd()), (ours.as_fd(), theirs.as_fd()));
    let (pipes, sockets) = (
        (pipes.0.try_clone_to_owned().unwrap(), pipes.1.try_clone_to_owned().unwrap()),
        (sockets.0.try_clone_to_owned().unwrap(), sockets.1.try_clone_to_owned().unwrap()),
    );
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for end in [&pipes.0, &pipes.1, &sockets.0, &sockets.1] {
                    make_nonblocking(end);
                    make_blocking(end);
                }
            }
        });
        let copy = |mut from: Box<dyn Read + Send>, mut to: Box<dyn Write + Send>| {
            let read = scope.spawn(move || {
                let mut total = 0;
                let mut buffer = vec![0; 3000];
                while total < 20_000_000 {
                    total += from.read(&mut buffer).expect("a read that waits");
                }
            });
            let mut left = 20_000_000;
            let bytes = vec![7; 70_000];
            while left > 0 {
                left -= to.write(&bytes[..left.min(bytes.len())]).expect("a write that waits");
            }
            read.join().unwrap();
        };
        copy(Box::new(reader), Box::new(writer));
        copy(Box::new(ours), Box::new(theirs));
        done.store(true, Ordering::Relaxed);
    });
}

/// After a `splice` a pipe on Linux no longer knows calls that must not wait.
#[cfg(target_os = "linux")]
pub(crate) fn a_sharer_who_splices_as_well_blocks_nobody(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (elsewhere, into) = backend.pipe();
    // Once in use, so that what was known of the pipe before has to be given up.
    writer.submit_write("x").wait().0.unwrap();
    let splice = |from: &Reader<Overlapped>, to: &Writer<Overlapped>| {
        let none = std::ptr::null_mut();
        // SAFETY: two open descriptors, and no offsets, as pipes want it.
        unsafe { libc::splice(from.as_fd().as_raw_fd(), none, to.as_fd().as_raw_fd(), none, 1, 0) }
    };
    assert_eq!(splice(&reader, &into), 1);
    assert_eq!(elsewhere.submit_read(vec![0; 8]).wait().0.unwrap(), 1);
    nothing_blocks(backend, &reader, &writer);
}

/// A FIFO that was opened by its name knows no calls that do not wait, and that says nothing about
/// pipes that the system's call made.
#[cfg(target_os = "linux")]
pub(crate) fn an_adopted_fifo_changes_nothing_for_others(backend: Backend) {
    let (fifo_reader, fifo_writer) = crate::system::fifo();
    let fifo_reader = Reader::<Overlapped>::try_from(fifo_reader).unwrap();
    let fifo_writer = Writer::<Overlapped>::try_from(fifo_writer).unwrap();
    nothing_blocks(backend, &fifo_reader, &fifo_writer);
    let (reader, writer) = backend.pipe();
    nothing_blocks(backend, &reader, &writer);
}
