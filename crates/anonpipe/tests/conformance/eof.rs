//! The end of file, and writing after it.

use std::io::{ErrorKind, Read, Write};
use std::thread;

use anonpipe::{Blocking, End, Reader, Writer};

use crate::Backend;
use crate::harness::{MOMENT, until_reads_in_flight, until_writes_in_flight};
use crate::test_data;
use crate::transfer_ways::{LONG, Way, kind, transferred};

pub(crate) fn read_after_drain_is_zero_again_and_again(backend: Backend) {
    for way in Way::ALL {
        let (reader, mut writer) = backend.pipe();
        writer.write_all(b"the last words").unwrap();
        drop(writer);
        assert_eq!(way.read(&reader, 100).unwrap(), b"the last words", "{way:?}");
        for _ in 0..3 {
            assert_eq!(way.read(&reader, 100).unwrap(), b"", "{way:?}");
        }
        assert_eq!(reader.bytes_available().unwrap(), 0, "{way:?}");
    }
    let (mut reader, writer) = backend.options().server(End::blocking()).inbound().unwrap();
    drop(writer);
    for _ in 0..3 {
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
    }
}

pub(crate) fn data_queued_at_close_stays_readable(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        for chunk in 0..10 {
            assert_eq!(way.write(&writer, &test_data::bytes(chunk * 1000, 1000)).unwrap(), 1000);
        }
        drop(writer);
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        test_data::check(0, &all);
        assert_eq!(all.len(), 10_000, "{way:?}");
    }
}

pub(crate) fn a_pending_read_sees_the_end(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&reader, 10));
            until_reads_in_flight(&reader, 1);
            drop(writer);
            assert_eq!(read.join().unwrap().unwrap(), b"", "{way:?}");
        });
    }
    let (reader, writer) = backend.pipe();
    let ops: Vec<_> = (0..10).map(|_| reader.submit_read(vec![0; 10])).collect();
    writer.submit_write("one").wait().0.unwrap();
    drop(writer);
    let counts: Vec<_> = ops.into_iter().map(|op| op.wait().0.unwrap()).collect();
    assert_eq!(counts, [3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

pub(crate) fn late_writes_are_broken_pipes(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        drop(reader);
        for _ in 0..3 {
            assert_eq!(kind(way.write(&writer, b"too late")), ErrorKind::BrokenPipe, "{way:?}");
        }
    }
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    drop(reader);
    assert_eq!(kind(writer.write(b"too late")), ErrorKind::BrokenPipe);
    let (ours, theirs) = backend.duplex();
    drop(theirs);
    assert_eq!(kind(ours.submit_write("too late").wait().0), ErrorKind::BrokenPipe);
    assert_eq!(kind((&ours).write(b"too late")), ErrorKind::BrokenPipe);
}

pub(crate) fn pending_writes_become_broken_pipes(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let write = scope.spawn(|| way.write(&writer, &[7; 200_000]));
            until_writes_in_flight(&writer, 1);
            assert!(!write.is_finished(), "{way:?}");
            drop(reader);
            assert_eq!(kind(write.join().unwrap()), ErrorKind::BrokenPipe, "{way:?}");
        });
    }
    let (reader, writer) = backend.small_pipe();
    let ops: Vec<_> = (0..5).map(|_| writer.submit_write(vec![7; 100_000])).collect();
    drop(reader);
    for op in ops {
        let (result, buffer) = op.wait();
        assert_eq!(kind(result), ErrorKind::BrokenPipe);
        assert_eq!(buffer, [7; 100_000]);
    }
}

pub(crate) fn a_write_beyond_the_capacity_waits_and_completes(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let write = scope.spawn(|| way.write(&writer, &test_data::bytes(0, 300_000)));
            until_writes_in_flight(&writer, 1);
            thread::sleep(MOMENT);
            assert!(!write.is_finished(), "{way:?}: the pipe took more than it holds");
            let mut all = vec![0; 300_000];
            (&reader).read_exact(&mut all).unwrap();
            test_data::check(0, &all);
            assert_eq!(write.join().unwrap().unwrap(), 300_000, "{way:?}");
        });
    }
}

pub(crate) fn the_reader_closes_while_a_write_waits(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let write = writer.submit_write(test_data::bytes(0, 300_000));
    let mut some = vec![0; 100_000];
    (&reader).read_exact(&mut some).unwrap();
    test_data::check(0, &some);
    drop(reader);
    let (result, buffer) = write.wait();
    test_data::check(0, &buffer);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    match transferred(&error) {
        None => assert_eq!(std::env::consts::OS, "windows", "everybody else knows"),
        Some(count) => assert!((100_000..300_000).contains(&count), "{count}"),
    }
}

pub(crate) fn a_clone_keeps_the_pipe_open(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let clone = writer.try_clone().unwrap();
    drop(writer);
    assert_eq!(kind(reader.read_timeout(&mut [0; 10], MOMENT)), ErrorKind::TimedOut);
    Way::Submit.write(&clone, b"still here").unwrap();
    assert_eq!(Way::Std.read(&reader, 20).unwrap(), b"still here");
    let other = reader.try_clone().unwrap();
    drop(reader);
    Way::Submit.write(&clone, b"and here").unwrap();
    assert_eq!(Way::Submit.read(&other, 20).unwrap(), b"and here");
    drop(clone);
    assert_eq!(Way::Submit.read(&other, 20).unwrap(), b"");

    let (mut reader, writer): (Reader<Blocking>, Writer<Blocking>) =
        backend.options().server(End::blocking()).client(End::blocking()).inbound().unwrap();
    let mut clone = writer.try_clone().unwrap();
    drop(writer);
    clone.write_all(b"still here").unwrap();
    drop(clone);
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "still here");
}

pub(crate) fn zero_length_writes_never_look_like_the_end(backend: Backend) {
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let op = reader.submit_read(vec![0; 10]);
    for _ in 0..5 {
        assert_eq!(writer.write(&[]).unwrap(), 0);
    }
    thread::sleep(MOMENT);
    assert!(!op.is_complete(), "an empty write ended a read");
    writer.write_all(b"x").unwrap();
    assert_eq!(op.wait().0.unwrap(), 1);

    let (reader, writer) = backend.pipe();
    for way in Way::ALL {
        assert_eq!(way.write(&writer, &[]).unwrap(), 0, "{way:?}");
        assert_eq!(kind(reader.read_timeout(&mut [0; 10], MOMENT)), ErrorKind::TimedOut, "{way:?}");
    }
    // Between bytes, and through the system's own call.
    let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let mut raw = std::fs::File::from(crate::system::Handle::from(writer));
    for piece in [&b"a"[..], b"", b"", b"b", b""] {
        assert_eq!(raw.write(piece).unwrap(), piece.len());
    }
    drop(raw);
    let mut all = Vec::new();
    (&reader).read_to_end(&mut all).unwrap();
    assert_eq!(all, b"ab");
}

pub(crate) fn empty_buffers_do_nothing(backend: Backend) {
    let (reader, writer) = backend.pipe();
    for way in Way::ALL {
        assert_eq!(way.read(&reader, 0).unwrap(), b"", "{way:?}: at once, although there is nothing to read");
    }
    let (result, buffer) = reader.submit_read(Vec::with_capacity(100)).wait();
    assert_eq!((result.unwrap(), buffer.len()), (0, 0), "spare capacity is not filled");
    writer.submit_write("kept").wait().0.unwrap();
    for way in Way::ALL {
        assert_eq!(way.read(&reader, 0).unwrap(), b"", "{way:?}");
    }
    assert_eq!(Way::Std.read(&reader, 10).unwrap(), b"kept");
    let pending = reader.submit_read(vec![0; 10]);
    for way in Way::ALL {
        assert_eq!(way.read(&reader, 0).unwrap(), b"", "{way:?}: also where others wait");
    }
    drop((pending, reader));
    assert_eq!(writer.submit_write("").wait().0.unwrap(), 0, "nothing to write is nothing to fail");
}

pub(crate) fn unread_bytes_do_not_spoil_the_end(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    (&ours).write_all(b"never read").unwrap();
    (&theirs).write_all(b"read in the end").unwrap();
    drop(theirs);
    let mut all = String::new();
    (&ours).read_to_string(&mut all).unwrap();
    assert_eq!(all, "read in the end");
    assert_eq!(ours.submit_read(vec![0; 10]).wait().0.unwrap(), 0);
    assert_eq!(kind((&ours).write(b"too late")), ErrorKind::BrokenPipe);

    let (ours, theirs) = backend.options().server(End::blocking()).client(End::blocking()).duplex().unwrap();
    let (mut ours, mut theirs) = (ours, theirs);
    ours.write_all(b"never read").unwrap();
    theirs.write_all(b"read in the end").unwrap();
    drop(theirs);
    let mut all = String::new();
    ours.read_to_string(&mut all).unwrap();
    assert_eq!(all, "read in the end");
    assert_eq!(kind(ours.write(b"too late")), ErrorKind::BrokenPipe);
}

pub(crate) fn shutdown_write_as_the_system_can(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let queued = ours.submit_write(test_data::bytes(0, 1_000_000));
    let shut = ours.shutdown_write();
    if cfg!(windows) {
        assert_eq!(kind(shut), ErrorKind::Unsupported);
        let mut all = vec![0; 1_000_000];
        (&theirs).read_exact(&mut all).unwrap();
        queued.wait().0.unwrap();
        (&ours).write_all(b"as it was").unwrap();
        let mut some = [0; 9];
        (&theirs).read_exact(&mut some).unwrap();
        assert_eq!(&some, b"as it was");
        return;
    }
    shut.unwrap();
    assert_eq!(kind((&ours).write(b"too late")), ErrorKind::BrokenPipe);
    assert_eq!(kind(ours.submit_write("too late").wait().0), ErrorKind::BrokenPipe);
    let mut all = Vec::new();
    (&theirs).read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000, "what was accepted goes out first");
    test_data::check(0, &all);
    queued.wait().0.unwrap();
    (&theirs).write_all(b"the other way").unwrap();
    let mut some = [0; 13];
    (&ours).read_exact(&mut some).unwrap();
    assert_eq!(&some, b"the other way");
    drop(theirs);
    ours.shutdown_write().unwrap();
    assert_eq!(ours.read_timeout(&mut some, LONG).unwrap(), 0);
}
