//! What the pipes of Windows have and others lack: a server that disconnects, quotas, descriptors.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anonpipe::windows::{Creation, PipeOptionsExt};
use anonpipe::{Duplex, End, Overlapped, PipeOptions};

use crate::Backend;
use crate::harness::{MOMENT, rounds, soon};
use crate::system::{
    access_list, cancel_blocked_call, disconnect, is_for_messages, is_wine, named_server, open_unnamed_client,
};
use crate::test_data::{self, Random};
use crate::transfer_ways::{Way, check_abort, kind, transferred};

pub(crate) fn writes_after_a_disconnect_are_broken_pipes(backend: Backend) {
    for way in Way::ALL {
        let (server, client) = backend.duplex();
        (&server).write_all(b"discarded").unwrap();
        disconnect(&server);
        let ((_server_reader, server), (_client_reader, client)) = (server.split(), client.split());
        assert_eq!(kind(way.write(&client, b"x")), ErrorKind::BrokenPipe, "{way:?}: the client");
        assert_eq!(kind(way.write(&server, b"x")), ErrorKind::BrokenPipe, "{way:?}: the server");
    }
    // One that is pending.
    let (server, client) = backend.options().capacity(4096).duplex().unwrap();
    let (read, write) = (client.submit_read(vec![0; 10]), client.submit_write(vec![0; 100_000]));
    disconnect(&server);
    assert_eq!(kind(write.wait().0), ErrorKind::BrokenPipe);
    assert!(!matches!(read.wait().0, Ok(1..)), "there was nothing to read");
}

pub(crate) fn a_second_client_is_impossible(backend: Backend) {
    const STATUS_PIPE_NOT_AVAILABLE: i32 = 0xC000_00AC_u32.cast_signed();
    const ERROR_PIPE_BUSY: i32 = 231;
    let (server, _client) = backend.duplex();
    match server.info().unwrap().name {
        None => assert_eq!(open_unnamed_client(&server), STATUS_PIPE_NOT_AVAILABLE),
        Some(name) => {
            let path = format!(r"\\.\pipe{name}");
            let error = OpenOptions::new().read(true).write(true).open(path).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(ERROR_PIPE_BUSY), "{error}");
            let another = named_server(name.trim_start_matches('\\'), false, false);
            assert!(another.is_err(), "a second instance of {name}");
        }
    }
}

/// What is in the pipe at once is what the system had to copy.
pub(crate) fn a_large_write_goes_in_pieces(backend: Backend) {
    const PIECE: usize = 1 << 20;
    let (reader, writer) = backend.pipe();
    for (length, pieces) in [(PIECE, &[PIECE][..]), (2 * PIECE + 3, &[PIECE, PIECE, 3])] {
        let op = writer.submit_write(vec![0; length]);
        for piece in pieces {
            soon("the next piece", || reader.bytes_available().unwrap() == *piece);
            thread::sleep(MOMENT);
            assert_eq!(reader.bytes_available().unwrap(), *piece, "more than one of {length} bytes");
            (&reader).read_exact(&mut vec![0; *piece]).unwrap();
        }
        assert_eq!(op.wait().0.unwrap(), length);
    }
}

pub(crate) fn a_capacity_is_kept_to_the_byte(backend: Backend) {
    for capacity in [1, 100, 5000, 1 << 20] {
        let (reader, writer) = backend.options().capacity(capacity).inbound().unwrap();
        let mut fits = writer.submit_write(vec![1; capacity]);
        assert_eq!(fits.wait_timeout(Duration::ZERO).expect("it fits").0.unwrap(), capacity);
        let beyond = writer.submit_write(vec![2]);
        thread::sleep(MOMENT);
        assert!(!beyond.is_complete(), "{capacity} bytes and one more");
        assert_eq!((&reader).read(&mut [0; 1]).unwrap(), 1);
        assert_eq!(beyond.wait().0.unwrap(), 1);
    }
}

/// Otherwise the rules about bytes would prove nothing. The flag that keeps other machines from a
/// named pipe is a part of its type, and Wine takes it for messages.
pub(crate) fn a_pair_is_a_byte_pipe(backend: Backend) {
    // The question can be answered with yes.
    let name = format!("anonpipe-test-type-{}-{backend:?}", std::process::id());
    assert!(is_for_messages(&named_server(&name, true, true).unwrap()));
    for _ in 0..3 {
        let (ours, theirs) = backend.duplex();
        assert!(!is_for_messages(&ours) && !is_for_messages(&theirs));
        let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
        assert!(!is_for_messages(&reader) && !is_for_messages(&writer));
    }
}

/// `CancelSynchronousIo` on a thread that blocks in a blocking end: the system's code for that is a
/// timeout to std.
pub(crate) fn a_cancelled_blocking_call_is_no_timeout(backend: Backend) {
    let blocking = || {
        let options = backend.options().server(End::blocking()).client(End::blocking());
        options.capacity(4096).inbound().unwrap()
    };
    let (reader, writer) = blocking();
    let clone = reader.try_clone().unwrap();
    let read = thread::spawn(move || (&clone).read(&mut [0; 8]));
    cancel_blocked_call(&read);
    let result = read.join().unwrap();
    assert_eq!(transferred(result.as_ref().unwrap_err()), Some(0));
    check_abort(result);
    // It took nothing, and the end is as good as before.
    (&writer).write_all(b"next").unwrap();
    assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 4);

    let write = thread::spawn(move || (&writer).write(&[0; 100_000]));
    cancel_blocked_call(&write);
    let result = write.join().unwrap();
    assert_eq!(transferred(result.as_ref().unwrap_err()), None);
    check_abort(result);
}

/// When a thread ends in the moment in which its read completes, Wine loses the bytes. The outcome
/// then says so; it is neither the end of file nor a read that goes on for ever. Windows loses
/// nothing.
pub(crate) fn a_read_whose_thread_ends_is_told_what_became_of_it(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut random = Random::new(43);
    for round in 0..rounds(150) {
        let submitted = AtomicBool::new(false);
        let op = thread::scope(|scope| {
            let submitter = scope.spawn(|| {
                let op = reader.submit_read(vec![0; 8]);
                submitted.store(true, Ordering::Release);
                op
            });
            while !submitted.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            (0..random.below(3000)).for_each(|_| std::hint::spin_loop());
            (&writer).write_all(b"bytes").unwrap();
            submitter.join().unwrap()
        });
        match op.wait() {
            (Ok(count), buffer) => assert_eq!(&buffer[..count], b"bytes", "round {round}"),
            (Err(error), _) => {
                assert!(is_wine() && error.to_string().contains("lost"), "round {round}: {error}");
                assert_eq!(transferred(&error), None);
            }
        }
        assert_eq!(reader.bytes_available().unwrap(), 0);
    }
    // A detached one takes its bytes with it, and is in the way of none.
    thread::scope(|scope| drop(scope.spawn(|| reader.submit_read(vec![0; 1]).detach())));
    (&writer).write_all(b"xgoes on").unwrap();
    assert_eq!(Way::Std.read(&reader, 8).unwrap(), b"goes on");
}

/// There is no half-close: a duplex end with a write in flight is open until that is read, and here
/// the peer does not read it. As documented.
pub(crate) fn a_dropped_duplex_end_stays_open_for_its_writes(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let (read, write) = (ours.submit_read(vec![0; 8]), ours.submit_write(test_data::bytes(0, 100_000)));
    drop(ours);
    check_abort(read.wait().0);
    assert_eq!((&theirs).write(b"nobody reads it").unwrap(), 15);
    assert_eq!(kind(theirs.write_timeout(&[0; 100_000], MOMENT)), ErrorKind::TimedOut);
    let waits = theirs.submit_write(vec![0; 100_000]);
    let mut all = Vec::new();
    (&theirs).read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 100_000);
    test_data::check(0, &all);
    assert_eq!(write.wait().0.unwrap(), 100_000);
    assert_eq!(kind(waits.wait().0), ErrorKind::BrokenPipe);
    assert_eq!(kind((&theirs).write(b"x")), ErrorKind::BrokenPipe);
}

pub(crate) fn pipes_that_cannot_be_adopted(backend: Backend) {
    let name = format!("anonpipe-test-{}-{backend:?}", std::process::id());
    let server = named_server(&name, true, true).unwrap();
    let failed = Duplex::adopt(server).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput);
    assert!(failed.to_string().contains("not connected"), "{failed}");
    let server = failed.into_inner();
    let _client = OpenOptions::new().read(true).write(true).open(format!(r"\\.\pipe\{name}")).unwrap();
    let failed = Duplex::adopt(server).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput);
    assert!(failed.to_string().contains("messages"), "{failed}");
}

/// A named pipe that other code made, in byte mode and connected, is as good as ours.
pub(crate) fn a_named_pipe_made_elsewhere(backend: Backend) {
    let name = format!("anonpipe-test-bytes-{}-{backend:?}", std::process::id());
    let server = named_server(&name, false, true).unwrap();
    let mut client = OpenOptions::new().read(true).write(true).open(format!(r"\\.\pipe\{name}")).unwrap();
    let server = Duplex::<Overlapped>::try_from(server).unwrap();
    assert!(server.info().unwrap().name.is_some_and(|found| found.contains(&name)));
    let op = server.submit_read(vec![0; 8]);
    client.write_all(b"hello").unwrap();
    assert_eq!(op.wait().0.unwrap(), 5);
    drop(client);
    assert_eq!(server.submit_read(vec![0; 8]).wait().0.unwrap(), 0);
}

pub(crate) fn a_security_descriptor_is_passed_on(backend: Backend) {
    let (server, client) = backend.options().security_descriptor("D:P(A;;GA;;;WD)").duplex().unwrap();
    assert!(access_list(&server).contains(";;;WD)"), "{}", access_list(&server));
    drop((server, client));
    let error = backend.options().security_descriptor("D:(A;;GA").duplex().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    // Without a descriptor the pipe is not open to the world.
    let (server, _client) = backend.duplex();
    let list = access_list(&server);
    assert!(!list.contains(";;;WD)") || !backend.is_named(), "open to everybody: {list}");
}

pub(crate) fn auto_takes_what_there_is(_: Backend) {
    let (ours, _theirs) = PipeOptions::new().creation(Creation::Auto).duplex().unwrap();
    let (unnamed, _theirs) = PipeOptions::new().creation(Creation::Unnamed).duplex().unwrap();
    assert_eq!((ours.info().unwrap().name, unnamed.info().unwrap().name), (None, None));
}
