//! From handles to ends and back, and what is refused on the way.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::thread;

use anonpipe::{Adopted, Blocking, ConversionError, Duplex, End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::harness::{MOMENT, at_once};
use crate::system::{Handle, HasHandle, taken_out_raw};
use crate::test_data;
use crate::transfer_ways::{Way, is_cancelled};

/// Checks that a conversion was refused, and gave back what it was given.
#[track_caller]
fn refused<T>(result: Result<T, ConversionError<Handle>>, number: usize) -> Handle {
    let Err(failed) = result else { panic!("converted, which it must not") };
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput, "{failed}");
    let handle = failed.into_inner();
    assert_eq!(handle.number(), number, "another handle came back");
    handle
}

pub(crate) fn there_and_back_again(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer): (Handle, Handle) = (reader.try_into().unwrap(), writer.try_into().unwrap());
    let (reader, writer): (Reader<Overlapped>, Writer<Overlapped>) =
        (reader.try_into().unwrap(), writer.try_into().unwrap());
    for way in Way::ALL {
        way.write(&writer, b"still a pipe").unwrap();
        assert_eq!(way.read(&reader, 50).unwrap(), b"still a pipe");
    }
    let op = reader.submit_read(vec![0; 10]);
    drop(writer);
    assert_eq!(op.wait().0.unwrap(), 0);

    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let (ours, theirs) = (Handle::try_from(ours).unwrap(), Handle::from(theirs));
    let (ours, mut theirs) =
        (Duplex::<Overlapped>::try_from(ours).unwrap(), Duplex::<Blocking>::try_from(theirs).unwrap());
    (&ours).write_all(b"ping").unwrap();
    let mut four = [0; 4];
    theirs.read_exact(&mut four).unwrap();
    theirs.write_all(&four).unwrap();
    assert_eq!(ours.submit_read(vec![0; 9]).wait().0.unwrap(), 4);
}

pub(crate) fn refused_with_operations_in_flight(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let op = reader.submit_read(vec![0; 10]);
    let failed = Handle::try_from(reader).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
    assert!(failed.to_string().contains("in flight"), "{failed}");
    let reader = failed.into_inner();
    thread::sleep(MOMENT);
    assert!(!op.is_complete(), "the refusal must not disturb it");
    (&writer).write_all(b"go on").unwrap();
    assert_eq!(op.wait().0.unwrap(), 5);
    let failed = reader.submit_read(vec![0; 10]);
    let stdio = reader.into_stdio_despite_overlapped().unwrap_err();
    assert_eq!(stdio.error().kind(), ErrorKind::ResourceBusy);
    drop(stdio);
    assert!(is_cancelled(&failed.wait().0));
}

pub(crate) fn refused_while_clones_live(backend: Backend) {
    let (reader, _writer) = backend.pipe();
    let clone = reader.try_clone().unwrap();
    let failed = Handle::try_from(reader).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
    drop(clone);
    Handle::try_from(failed.into_inner()).expect("the clone is gone");
    let (ours, _theirs) = backend.duplex();
    let (reader, writer) = ours.split();
    let failed = Handle::try_from(writer).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "a half");
    let ours = Duplex::unsplit(reader, failed.into_inner()).expect("halves of one end");
    Handle::try_from(ours).expect("whole again");
}

/// Where an operation leaves nothing at the handle (Unix). Elsewhere the conversion is refused, and
/// the end is as good as before.
pub(crate) fn after_operations_that_are_complete(backend: Backend) {
    for round in 0..50 {
        let (reader, writer) = backend.pipe();
        let op = reader.submit_read(vec![0; 10]);
        (&writer).write_all(b"x").unwrap();
        assert_eq!(op.wait().0.unwrap(), 1);
        match Handle::try_from(reader) {
            Ok(handle) => {
                assert_ne!(std::env::consts::OS, "windows", "round {round}: its next owner shares our port");
                let reader = Reader::<Overlapped>::try_from(handle).unwrap();
                let op = reader.submit_read(vec![0; 10]);
                (&writer).write_all(b"xy").unwrap();
                assert_eq!(op.wait().0.unwrap(), 2, "round {round}");
            }
            Err(failed) => {
                assert!(cfg!(windows) && failed.error().kind() == ErrorKind::Unsupported, "round {round}: {failed}");
                let reader = failed.into_inner();
                (&writer).write_all(b"xy").unwrap();
                assert_eq!(reader.submit_read(vec![0; 10]).wait().0.unwrap(), 2);
            }
        }
    }
}

pub(crate) fn adopting_tells_the_mode(backend: Backend) {
    let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let (reader, writer): (Handle, Handle) = (reader.try_into().unwrap(), writer.into());
    let Adopted::Overlapped(reader) = Reader::adopt(reader).unwrap() else { panic!("it is overlapped") };
    let Adopted::Blocking(mut writer) = Writer::adopt(writer).unwrap() else { panic!("it is blocking") };
    writer.write_all(b"each as it is").unwrap();
    assert_eq!(Way::Std.read(&reader, 50).unwrap(), b"each as it is");

    // The same for exclusive handles.
    let Ok(Adopted::Overlapped(reader)) = Reader::adopt_exclusive(reader.try_into().unwrap()) else {
        panic!("overlapped")
    };
    let Ok(Adopted::Blocking(mut writer)) = Writer::adopt_exclusive(writer.into()) else { panic!("blocking") };
    for way in Way::ALL {
        writer.write_all(b"each as it is").unwrap();
        assert_eq!(way.read(&reader, 50).unwrap(), b"each as it is");
    }
    let failed = Duplex::adopt_exclusive(writer.into()).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput, "{failed}");

    let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let number = reader.number();
    refused(Reader::<Blocking>::try_from(Handle::try_from(reader).unwrap()), number);
    let number = writer.number();
    refused(Writer::<Overlapped>::try_from(Handle::from(writer)), number);
}

pub(crate) fn adopting_refuses_the_wrong_direction(backend: Backend) {
    if cfg!(target_os = "freebsd") {
        // Its pipes are open both ways, so there is no wrong end.
        return;
    }
    let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let (reader, writer): (Handle, Handle) = (reader.try_into().unwrap(), writer.into());
    let (r, w) = (reader.number(), writer.number());
    let reader = refused(Writer::adopt(reader), r);
    let reader = refused(Duplex::adopt(reader), r);
    let reader = refused(Writer::<Overlapped>::try_from(reader), r);
    let writer = refused(Reader::adopt(writer), w);
    let writer = refused(Duplex::adopt(writer), w);
    let writer = refused(Reader::<Blocking>::try_from(writer), w);
    // None of which did any harm.
    File::from(writer).write_all(b"fine").unwrap();
    let reader: Reader<Overlapped> = reader.try_into().unwrap();
    assert_eq!(Way::Submit.read(&reader, 10).unwrap(), b"fine");
}

pub(crate) fn adopts_the_systems_own_pipe(_: Backend) {
    let (reader, writer) = std::io::pipe().unwrap();
    let Adopted::Blocking(mut reader) = Reader::adopt(Handle::from(reader)).unwrap() else { panic!("it blocks") };
    let Adopted::Blocking(mut writer) = Writer::adopt(Handle::from(writer)).unwrap() else { panic!("it blocks") };
    writer.write_all(b"adopted").unwrap();
    assert_eq!(reader.bytes_available().unwrap(), 7);
    drop(writer);
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "adopted");
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    let info = reader.info().unwrap();
    assert!(!info.inheritable && info.requested_capacity.is_none(), "{info:?}");
}

pub(crate) fn what_is_no_pipe_is_refused(_: Backend) {
    let program = std::env::current_exe().unwrap();
    let file = Handle::from(File::open(program).unwrap());
    let number = file.number();
    let file = refused(Reader::adopt(file), number);
    let file = refused(Duplex::adopt(file), number);
    let mut file = File::from(file);
    assert_eq!(file.read(&mut [0; 4]).unwrap(), 4, "given back as it was");
    #[cfg(unix)]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Handle::from(stream);
        let number = stream.number();
        let stream = refused(Duplex::adopt(stream), number);
        refused(Reader::adopt(stream), number);
        let (datagram, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let datagram = Handle::from(datagram);
        let number = datagram.number();
        refused(Duplex::adopt(datagram), number);
    }
}

pub(crate) fn halves_of_different_ends_do_not_join(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let ((our_reader, our_writer), (their_reader, their_writer)) = (ours.split(), theirs.split());
    let failed = Duplex::unsplit(our_reader, their_writer).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::InvalidInput, "{failed}");
    let (our_reader, their_writer) = failed.into_inner();
    let ours = Duplex::unsplit(our_reader, our_writer).unwrap();
    let theirs = Duplex::unsplit(their_reader, their_writer).unwrap();
    (&ours).write_all(b"joined").unwrap();
    let mut six = [0; 6];
    (&theirs).read_exact(&mut six).unwrap();
    assert_eq!(&six, b"joined");
}

pub(crate) fn operations_survive_split_and_unsplit(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let read = ours.submit_read(vec![0; 10]);
    let (reader, writer) = ours.split();
    let more = reader.submit_read(vec![0; 10]);
    let ours = Duplex::unsplit(reader, writer).unwrap();
    thread::sleep(MOMENT);
    assert!(!read.is_complete() && !more.is_complete());
    (&theirs).write_all(b"first").unwrap();
    assert_eq!(read.wait().0.unwrap(), 5);
    (&theirs).write_all(b"second").unwrap();
    assert_eq!(more.wait().0.unwrap(), 6);
    drop(ours);
    assert_eq!(theirs.submit_read(vec![0; 1]).wait().0.unwrap(), 0);
}

/// A clone of a blocking end is a handle of its own, and private even if the end is inheritable.
pub(crate) fn clones_of_blocking_ends_are_private(backend: Backend) {
    let (server, client) =
        backend.options().server(End::blocking().inheritable(true)).client(End::blocking()).inbound().unwrap();
    assert!(server.is_inherited() && !client.is_inherited());
    let (clone, other) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    assert!(!clone.is_inherited() && !other.is_inherited());
    assert_ne!(clone.number(), server.number());
}

/// As a raw handle a blocking end goes to the caller, open; it is closed once, by the caller.
pub(crate) fn a_blocking_end_comes_out_raw(backend: Backend) {
    let (mut reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
    let number = writer.number();
    let mut writer: Writer<Blocking> = taken_out_raw(writer, number).try_into().unwrap();
    writer.write_all(b"still open").unwrap();
    let number = writer.number();
    drop(taken_out_raw(writer, number));
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "still open");

    let (ours, theirs) = backend.options().server(End::blocking()).client(End::blocking()).duplex().unwrap();
    let (one, other) = (ours.number(), theirs.number());
    let (ours, theirs) = (taken_out_raw(ours, one), taken_out_raw(theirs, other));
    drop((Duplex::<Blocking>::try_from(ours).unwrap(), Duplex::<Blocking>::try_from(theirs).unwrap()));
    let (reader, _writer) = backend.options().server(End::blocking()).inbound().unwrap();
    let number = reader.number();
    Reader::<Blocking>::try_from(taken_out_raw(reader, number)).unwrap();
}

/// Checks that a conversion is refused at once because something is in flight; takes the end back.
#[track_caller]
pub(crate) fn refused_as_busy(reader: Reader<Overlapped>) -> Reader<Overlapped> {
    let mut reader = Some(reader);
    at_once(|| {
        let failed = Handle::try_from(reader.take().expect("put back")).unwrap_err();
        assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
        reader = Some(failed.into_inner());
    });
    reader.expect("put back")
}

/// Memory that was given back while the system still wrote to it (blackbeam/named_pipe#5,
/// Berrysoft/tokio-iocp#2, swiftlang/swift-subprocess#336): a conversion is refused as long as
/// there is an operation that uses a buffer.
pub(crate) fn a_conversion_frees_nothing_that_the_system_uses(backend: Backend) {
    let (reader, writer) = backend.small_pipe();
    let read = reader.submit_read(vec![5; 60_000]);
    let write = writer.submit_write(test_data::bytes(0, 100));
    assert_eq!(read.wait().0.unwrap(), 100);
    let reads: Vec<_> = (0..3).map(|_| reader.submit_read(vec![5; 50_000])).collect();
    let reader = refused_as_busy(reader);
    assert_eq!(write.wait().0.unwrap(), 100);
    let mut position = 100;
    for read in reads {
        let write = writer.submit_write(test_data::bytes(position, 3000));
        let (result, buffer) = read.wait();
        let count = result.unwrap();
        test_data::check(position, &buffer[..count]);
        assert!(buffer[count..].iter().all(|byte| *byte == 5), "written where nothing was read");
        position += count;
        assert_eq!(write.wait().0.unwrap(), 3000);
    }

    let write = writer.submit_write(test_data::bytes(position, 200_000));
    let failed = Handle::try_from(writer).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
    let writer = failed.into_inner();
    let mut all = vec![0; 200_000];
    (&reader).read_exact(&mut all).unwrap();
    test_data::check(position, &all);
    assert_eq!(write.wait().0.unwrap(), 200_000);
    drop(writer);
}
