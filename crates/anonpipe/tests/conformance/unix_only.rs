//! What only Unix has: a signal for writers without a reader, and a limit on descriptors. Each rule has a process of its own.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anonpipe::End;

use crate::Backend;
use crate::harness::{MOMENT, until_writes_in_flight};
use crate::system::{
    NoMoreDescriptors, default_sigpipe, exit, fork, handles, is_sigpipe_pending, raise_sigpipe_blocked,
};
use crate::transfer_ways::{LONG, Way, kind};

/// As a C program has it: a signal that kills. It must neither come nor stay pending.
pub(crate) fn writing_to_nobody_raises_no_signal(backend: Backend) {
    default_sigpipe();
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        drop(reader);
        assert_eq!(kind(way.write(&writer, b"x")), ErrorKind::BrokenPipe, "{way:?}");
        assert!(!is_sigpipe_pending(), "{way:?}");
        // Pending writes, which the driver finds broken.
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let write = scope.spawn(|| way.write(&writer, &[0; 300_000]));
            until_writes_in_flight(&writer, 1);
            drop(reader);
            assert_eq!(kind(write.join().unwrap()), ErrorKind::BrokenPipe, "{way:?}");
        });
        assert!(!is_sigpipe_pending(), "{way:?}");
        let (ours, theirs) = backend.duplex();
        let (_reader, writer) = ours.split();
        drop(theirs);
        assert_eq!(kind(way.write(&writer, b"x")), ErrorKind::BrokenPipe, "{way:?}: a socket");
    }
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    drop(reader);
    assert_eq!(kind(writer.write(b"x")), ErrorKind::BrokenPipe);
    assert!(!is_sigpipe_pending());
    let (ours, mut theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    drop(ours);
    assert_eq!(kind(theirs.write(b"x")), ErrorKind::BrokenPipe);
    assert!(!is_sigpipe_pending());
}

/// A signal that was pending before is somebody's, and stays.
pub(crate) fn a_pending_signal_stays_pending(backend: Backend) {
    default_sigpipe();
    raise_sigpipe_blocked();
    assert!(is_sigpipe_pending());
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    drop(reader);
    assert_eq!(kind(writer.write(b"x")), ErrorKind::BrokenPipe);
    assert!(is_sigpipe_pending(), "it was not ours to take");
}

pub(crate) fn failing_half_way_leaks_nothing(backend: Backend) {
    let before = handles();
    for spare in 0..4 {
        let limit = NoMoreDescriptors::but(spare);
        for _ in 0..3 {
            let pairs = (backend.options().inbound(), backend.options().duplex());
            let made = usize::from(pairs.0.is_ok()) + usize::from(pairs.1.is_ok());
            assert_eq!(made, spare / 2, "{spare} descriptors were left");
            let blocking = backend.options().client(End::blocking().inheritable(true)).outbound();
            assert!(blocking.is_err() || spare >= 2);
            if let Err(error) = blocking {
                assert!(error.to_string().contains("create a pipe"), "{error}");
                let code = anonpipe::Error::of(&error).and_then(anonpipe::Error::raw_os_error);
                assert_eq!(code, Some(libc::EMFILE), "{error:?}");
            }
        }
        drop(limit);
        assert_eq!(handles(), before, "{spare} descriptors were left");
    }
}

/// Without descriptors for the driver or for waiting, operations fail with their buffers; later they work.
pub(crate) fn operations_without_descriptors_fail_and_recover(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let limit = NoMoreDescriptors::but(0);
    let (result, buffer) = reader.submit_read(vec![9; 10]).wait();
    assert!(result.is_err(), "a driver made of nothing");
    assert_eq!(buffer, [9; 10]);
    assert!(reader.read_timeout(&mut [0; 4], MOMENT).is_err());
    // What need not wait needs nothing.
    assert_eq!((&writer).write(b"abc").unwrap(), 3);
    assert_eq!((&reader).read(&mut [0; 2]).unwrap(), 2);
    drop(limit);
    assert_eq!(reader.submit_read(vec![0; 10]).wait().0.unwrap(), 1);
    let mut op = reader.submit_read(vec![0; 10]);
    assert!(op.wait_timeout(Duration::from_millis(1)).is_none());
    (&writer).write_all(b"again").unwrap();
    assert_eq!(op.wait_timeout(LONG).expect("driven").0.unwrap(), 5);
}

/// What had gone before there were no descriptors to wait with is known.
pub(crate) fn a_write_without_descriptors_says_what_went(backend: Backend) {
    for way in [Way::Submit, Way::Std] {
        let (reader, writer) = backend.options().capacity(4096).inbound().unwrap();
        let limit = NoMoreDescriptors::but(0);
        let error = way.write(&writer, &[1; 10_000]).unwrap_err();
        drop(limit);
        let went = anonpipe::Error::of(&error).unwrap().transferred();
        assert_eq!(went, Some(reader.bytes_available().unwrap()), "{way:?}: {error}");
    }
}

/// Its write is still in flight, and nobody will read any more: the peer's writes must not wait for that.
pub(crate) fn a_duplex_end_dropped_in_mid_write_breaks_the_peers_writes(backend: Backend) {
    for halves in [false, true] {
        let (ours, theirs) = backend.duplex();
        let theirs = &theirs;
        let write = ours.submit_write(vec![7; 3_000_000]);
        assert!(!write.is_complete());
        thread::scope(|scope| {
            // One that waits by then, and one that comes later.
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

/// Only an end that read stops reading: a writer over a socket never did, and others may.
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

/// A forked child that drops its copy of such an end leaves the parent's reading as it was.
pub(crate) fn a_forked_copy_dropped_in_mid_write_leaves_the_parent_reading(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let write = ours.submit_write(vec![7; 3_000_000]);
    let (ours, write) = match fork() {
        None => {
            drop(ours);
            drop(write);
            exit(true);
        }
        Some(child) => {
            assert!(child.succeeded());
            (ours, write)
        }
    };
    (&theirs).write_all(b"still heard").unwrap();
    assert_eq!((&ours).read(&mut [0; 20]).unwrap(), 11);
    let mut rest = vec![0; 3_000_000];
    (&theirs).read_exact(&mut rest).unwrap();
    assert_eq!(write.wait().0.unwrap(), 3_000_000);
}

/// Whenever it closes: before the write is tried, before the system is asked to say so, or afterwards. (On some systems a first
/// registration says nothing of what was so before.)
pub(crate) fn a_reader_that_closes_as_a_writer_begins_to_wait_is_heard(backend: Backend) {
    for round in 0..400 {
        let (reader, writer) = if round % 2 == 0 {
            backend.small_pipe()
        } else {
            let (ours, theirs) = backend.duplex();
            let (_, writer) = theirs.split();
            (ours.split().0, writer)
        };
        let closes = thread::spawn(move || {
            for _ in 0..round * 20 {
                std::hint::spin_loop();
            }
            drop(reader);
        });
        let mut write = writer.submit_write(vec![0; 1_000_000]);
        let (result, _) = write.wait_timeout(LONG).unwrap();
        assert_eq!(kind(result), ErrorKind::BrokenPipe, "round {round}");
        closes.join().unwrap();
    }
}

/// What keeps the signal from us is not set on what a child gets: `yes` is to die of it, as it does on any socket.
pub(crate) fn a_childs_duplex_end_raises_the_signal(backend: Backend) {
    use std::os::unix::process::ExitStatusExt;

    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "read go; exec yes"]).stdin(std::process::Stdio::piped()).stdout(theirs);
    let mut child = command.spawn().unwrap();
    drop((command, ours));
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
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

/// The locks of the parent's threads are held for ever in the child.
pub(crate) fn a_fork_amid_operations_can_close_its_ends(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let done = Arc::new(AtomicBool::new(false));
    let busy = thread::spawn({
        let (reader, writer, done) = (Arc::clone(&reader), Arc::clone(&writer), Arc::clone(&done));
        move || {
            while !done.load(Ordering::Relaxed) {
                let read = reader.submit_read(vec![0; 1]);
                (&*writer).write_all(b"x").unwrap();
                read.wait().0.unwrap();
            }
        }
    });
    for _ in 0..40 {
        let clones = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        match fork() {
            None => {
                reader.cancel_all();
                drop(clones);
                exit(true);
            }
            Some(child) => assert!(child.succeeded(), "a child could not let go of its copies"),
        }
        drop(clones);
    }
    done.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}

/// The child has copies of the parent's ends and operations, and of the driver's poller, but not of its thread.
pub(crate) fn a_fork_leaves_the_parents_operations_alone(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let read = reader.submit_read(vec![0; 6]);
    let (mut read, reader) = match fork() {
        None => {
            drop((read, reader));
            // Pairs that are made here work.
            let (reader, writer) = backend.pipe();
            let read = reader.submit_read(vec![0; 5]);
            let written = writer.submit_write("child").wait().0;
            exit(written.is_ok() && read.wait().1 == b"child");
        }
        Some(child) => {
            assert!(child.succeeded(), "the child's own pair does not work");
            (read, reader)
        }
    };
    writer.submit_write("parent").wait().0.unwrap();
    let (count, buffer) = read.wait_timeout(LONG).expect("the child took the parent's notifications");
    assert_eq!((count.unwrap(), &buffer[..]), (6, &b"parent"[..]));
    drop(reader);
}
