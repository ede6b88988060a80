//! The three functions that return plain handles.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};

use anonpipe::windows::{HandleMode, SecurityAttributes, SecurityDescriptor};
use anonpipe::{Duplex, Overlapped, Reader, Writer};
use anonpipe::{create_pipe_anonymous_pair, create_pipe_anonymous_pair7, create_pipe_ex};

use crate::Backend;
use crate::system::{Handle, HasHandle, bind_to_new_port, quotas, wait_for};
use crate::transfer_ways::kind;

fn pairs(backend: Backend) -> (Handle, Handle) {
    // The first never has a name; the second has none here, where it needs none.
    match backend {
        Backend::Unnamed | Backend::Adopted => create_pipe_anonymous_pair7().unwrap(),
        Backend::Named => create_pipe_anonymous_pair().unwrap(),
    }
}

pub(crate) fn the_questions_pair(backend: Backend) {
    let (server, client) = pairs(backend);
    assert!(server.is_overlapped() && !server.is_inherited());
    assert!(!client.is_overlapped() && client.is_inherited());
    let ours = Duplex::<Overlapped>::try_from(server).unwrap();
    let info = ours.info().unwrap();
    assert_eq!((info.name, info.capacity), (None, Some(65_536)));
    let mut theirs = File::from(client);
    (&ours).write_all(b"ping").unwrap();
    let mut four = [0; 4];
    theirs.read_exact(&mut four).unwrap();
    theirs.write_all(b"pong").unwrap();
    assert_eq!(ours.submit_read(vec![0; 8]).wait().0.unwrap(), 4);
    drop(theirs);
    assert_eq!(ours.submit_read(vec![0; 8]).wait().0.unwrap(), 0);
}

/// Even if the default of other pairs changes one day.
pub(crate) fn each_direction_holds_what_is_documented(backend: Backend) {
    let (server, client) = pairs(backend);
    assert_eq!((quotas(&server), quotas(&client)), ((65_536, 65_536), (65_536, 65_536)));
}

/// A second binding would fail, so the first one is free for the caller's port.
pub(crate) fn the_handles_are_bound_to_no_port(backend: Backend) {
    let (server, _client) = pairs(backend);
    bind_to_new_port(&server).expect("free to bind");
    let (read, write) =
        create_pipe_ex(&SecurityAttributes::new(), 0, HandleMode::Overlapped, HandleMode::Overlapped).unwrap();
    bind_to_new_port(&read).expect("free to bind");
    bind_to_new_port(&write).expect("free to bind");
}

pub(crate) fn the_server_can_be_waited_on(backend: Backend) {
    let (server, client) = pairs(backend);
    // Either answer will do, but not a refusal.
    wait_for(&server).expect("SYNCHRONIZE");
    wait_for(&client).expect("SYNCHRONIZE");
}

pub(crate) fn create_pipe_ex_in_every_mode(_: Backend) {
    use HandleMode::{Overlapped as O, Synchronous as S};
    for (read_mode, write_mode) in [(S, S), (S, O), (O, S), (O, O)] {
        for (size, capacity) in [(0, 4096), (1, 1), (100_000, 100_000)] {
            for inheritable in [false, true] {
                let attributes = SecurityAttributes::new().inheritable(inheritable);
                let (read, write) = create_pipe_ex(&attributes, size, read_mode, write_mode).unwrap();
                assert_eq!((read.is_overlapped(), write.is_overlapped()), (read_mode == O, write_mode == O));
                assert_eq!((read.is_inherited(), write.is_inherited()), (inheritable, inheritable));
                let reader = Reader::adopt(read).unwrap();
                let writer = Writer::adopt(write).unwrap();
                let info = match &reader {
                    anonpipe::Adopted::Overlapped(reader) => reader.info().unwrap(),
                    anonpipe::Adopted::Blocking(reader) => reader.info().unwrap(),
                };
                assert_eq!(info.capacity, Some(capacity), "size {size}");
                let mut buffer = [0; 8];
                let written = match writer {
                    anonpipe::Adopted::Overlapped(mut writer) => writer.write(b"x"),
                    anonpipe::Adopted::Blocking(mut writer) => writer.write(b"x"),
                };
                let read = match reader {
                    anonpipe::Adopted::Overlapped(mut reader) => reader.read(&mut buffer),
                    anonpipe::Adopted::Blocking(mut reader) => reader.read(&mut buffer),
                };
                assert_eq!((written.unwrap(), read.unwrap(), buffer[0]), (1, 1, b'x'));
            }
        }
    }
    assert_eq!(HandleMode::try_from(0).unwrap(), S);
    assert_eq!(HandleMode::try_from(0x4000_0000).unwrap(), O);
    assert_eq!(kind(HandleMode::try_from(1)), ErrorKind::InvalidInput);
}

/// The same answers as those of the function that it extends.
pub(crate) fn create_pipe_ex_answers_as_create_pipe(_: Backend) {
    let (read, write) =
        create_pipe_ex(&SecurityAttributes::new(), 0, HandleMode::Synchronous, HandleMode::Synchronous).unwrap();
    let (mut read, mut write) = (File::from(read), File::from(write));
    let (mut own_read, mut own_write) = std::io::pipe().unwrap();
    let both = |step: &str, ours: std::io::Result<usize>, own: std::io::Result<usize>| {
        let code = |result: std::io::Result<usize>| result.map_err(|error| error.raw_os_error());
        assert_eq!(code(ours), code(own), "{step}");
    };
    both("write", write.write(b"abc"), own_write.write(b"abc"));
    both("write nothing", write.write(b""), own_write.write(b""));
    both("read", read.read(&mut [0; 2]), own_read.read(&mut [0; 2]));
    both("wrong direction", read.write(b"x"), File::from(Handle::from(own_read.try_clone().unwrap())).write(b"x"));
    drop((write, own_write));
    both("read the rest", read.read(&mut [0; 8]), own_read.read(&mut [0; 8]));
    both("end of file", read.read(&mut [0; 8]), own_read.read(&mut [0; 8]));
}

pub(crate) fn bad_descriptors_are_refused(_: Backend) {
    for bad in ["nonsense", "D:(A;;GA", "D:P(A;;GA;;;WD)\0nonsense"] {
        let error = SecurityDescriptor::parse(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}: {error}");
    }
    let descriptor = SecurityDescriptor::parse("D:P(A;;GA;;;WD)").unwrap();
    let attributes = SecurityAttributes::new().security_descriptor(descriptor);
    create_pipe_ex(&attributes, 0, HandleMode::Overlapped, HandleMode::Overlapped).unwrap();
}
