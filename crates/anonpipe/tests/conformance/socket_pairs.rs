//! Duplex ends are socket pairs on Unix: a half-close, and an end that is dropped while it writes.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use crate::Backend;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::executors::{Executor, Family};
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::harness::MOMENT;
use crate::harness::until_writes_in_flight;
use crate::transfer_ways::kind;

/// Its write is still in flight, and its side will never read again: the peer's writes must not
/// wait for that.
pub(crate) fn a_duplex_end_dropped_in_mid_write_breaks_the_peers_writes(backend: Backend) {
    for halves in [false, true] {
        let (ours, theirs) = backend.duplex();
        let theirs = &theirs;
        let write = ours.submit_write(vec![7; 3_000_000]);
        assert!(!write.is_complete());
        thread::scope(|scope| {
            // One write that already waits, and one that comes later.
            let waiting = scope.spawn(|| { theirs }.write_all(&[1; 3_000_000]));
            until_writes_in_flight(&theirs, 1);
            if halves {
                let (reader, writer) = ours.split();
                drop(reader);
                drop(writer);
            } else {
                drop(ours);
            }
            assert_eq!(kind(waiting.join().unwrap()), ErrorKind::BrokenPipe);
        });
        assert_eq!(kind({ theirs }.write(b"x")), ErrorKind::BrokenPipe);
        // What was accepted arrives all the same.
        let mut bytes = Vec::new();
        { theirs }.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 3_000_000);
        assert_eq!(write.wait().0.unwrap(), 3_000_000);
    }
}

/// Only an end that could read stops the reading. A writer over a socket could not, and other ends
/// of the same socket may go on.
pub(crate) fn a_writer_over_a_socket_leaves_the_reading_alone(_: Backend) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let reader = anonpipe::Reader::try_from(OwnedFd::from(ours.try_clone().unwrap())).unwrap();
    let writer = anonpipe::Writer::<anonpipe::Overlapped>::try_from(OwnedFd::from(ours)).unwrap();
    (&theirs).write_all(b"reply").unwrap();
    let write = writer.submit_write(vec![7; 3_000_000]);
    assert!(!write.is_complete());
    drop(writer);
    let mut reply = [0; 5];
    Read::read_exact(&mut &reader, &mut reply).unwrap();
    assert_eq!(&reply, b"reply");
    (&theirs).write_all(b"again").unwrap();
    let _: anonpipe::Reader<anonpipe::Overlapped> = reader;
    drop(theirs);
    assert!(write.wait().0.is_err());
}

/// It would be adopted as an end, and fail in every operation.
pub(crate) fn a_socket_without_a_peer_is_refused(_: Backend) {
    let directory = std::env::temp_dir().join(format!("anonpipe-listening-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&directory).unwrap();
    std::fs::remove_file(&directory).unwrap();
    let failed = anonpipe::Duplex::adopt(listener.into()).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput);
    assert!(failed.to_string().contains("listens"), "{failed}");
}

/// A half-close ends the writes that wait, too, a task's as well.
#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn an_own_shutdown_ends_a_tasks_write(backend: Backend) {
    for executor in Executor::ALL {
        let (ours, theirs) = backend.duplex();
        let mut clone = ours.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(MOMENT / 2);
                ours.shutdown_write().unwrap();
            });
            let result = executor.run(Family::Futures.write_all(&mut clone, &[7; 5_000_000]));
            assert_eq!(kind(result), ErrorKind::BrokenPipe, "{executor:?}");
        });
        drop(theirs);
    }
}
