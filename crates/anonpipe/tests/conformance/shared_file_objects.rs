//! What belongs to the file object, and so to all who have a handle to an end: its port, and the
//! modes of notification.

use std::io::{ErrorKind, Read, Write};
use std::os::windows::io::AsHandle;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anonpipe::{Adopted, Driver, Duplex, Overlapped, Reader, Writer};

use crate::Backend;
use crate::backend::Adopt;
use crate::harness::{MOMENT, soon};
use crate::system::{
    ForeignRead, Handle, HasHandle, bind_to_new_port, is_wine, notification_modes, read_on_the_file_object,
    write_on_the_file_object,
};
use crate::test_data::{self};
use crate::transfer_ways::{Way, is_cancelled, kind};

/// An operation that succeeds at once sends no packet. This mode cannot be cleared again.
const SKIP_COMPLETION_PORT_ON_SUCCESS: u32 = 1;

/// Uses both ends of a pipe in all ways, so that what can be bound is bound.
fn use_all_ways(reader: &Reader<Overlapped>, writer: &Writer<Overlapped>) {
    for way in Way::ALL {
        let read = reader.submit_read(vec![0; 4]);
        assert_eq!(way.write(writer, b"both").unwrap(), 4);
        assert_eq!(read.wait().0.unwrap(), 4);
        way.write(writer, b"ways").unwrap();
        assert_eq!(way.read(reader, 8).unwrap(), b"ways");
    }
    let op = reader.submit_read(vec![0; 4]);
    op.cancel();
    assert!(is_cancelled(&op.wait().0));
}

pub(crate) fn adopting_changes_nothing_that_others_share(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer) = (Handle::try_from(reader).unwrap(), Handle::try_from(writer).unwrap());
    let theirs = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
    let Adopted::Overlapped(reader) = Reader::adopt(reader).unwrap() else { panic!("it is overlapped") };
    let writer = Writer::<Overlapped>::try_from(writer).unwrap();
    use_all_ways(&reader, &writer);
    assert_eq!((notification_modes(&theirs.0), notification_modes(&theirs.1)), (0, 0));
    // A second binding would fail.
    let _ports = (bind_to_new_port(&theirs.0).expect("unbound"), bind_to_new_port(&theirs.1).expect("unbound"));
    use_all_ways(&reader, &writer);
    // And it converts, however often it was used.
    let reader = Reader::<Overlapped>::try_from(Handle::try_from(reader).unwrap()).unwrap();
    use_all_ways(&reader, &writer);
}

/// Reads and writes without an `OVERLAPPED` wait for the file object, which a mode could keep from
/// being set (golang/go#80979).
pub(crate) fn who_waits_for_the_file_object_is_told(backend: Backend) {
    let (reader, writer) = backend.options().capacity(10).inbound().unwrap();
    let (their_reader, their_writer) =
        (reader.as_handle().try_clone_to_owned().unwrap(), writer.as_handle().try_clone_to_owned().unwrap());
    use_all_ways(&reader, &writer);
    assert_eq!(notification_modes(&their_reader) & !SKIP_COMPLETION_PORT_ON_SUCCESS, 0);
    assert_eq!(notification_modes(&their_writer) & !SKIP_COMPLETION_PORT_ON_SUCCESS, 0);
    thread::scope(|scope| {
        let (done, written) = channel();
        scope.spawn(move || done.send(write_on_the_file_object(&their_writer, &[5; 100])).unwrap());
        let mut all = [0; 100];
        thread::sleep(MOMENT);
        (&reader).read_exact(&mut all).unwrap();
        assert_eq!(written.recv_timeout(crate::harness::patience()).expect("a write that ends").unwrap(), 100);
        let (done, read) = channel();
        scope.spawn(move || done.send(read_on_the_file_object(&their_reader, 10)).unwrap());
        thread::sleep(MOMENT);
        (&writer).write_all(b"told").unwrap();
        assert_eq!(read.recv_timeout(crate::harness::patience()).expect("a read that ends").unwrap(), b"told");
    });
}

/// The handle's next owner would share our port, in any process. So the end is handed back.
pub(crate) fn a_bound_end_is_not_converted(backend: Backend) {
    let (reader, writer) = backend.pipe();
    // Blocking calls do not bind.
    (&writer).write_all(b"x").unwrap();
    (&reader).read_exact(&mut [0; 1]).unwrap();
    assert_eq!(kind(reader.read_timeout(&mut [0; 1], MOMENT)), ErrorKind::TimedOut);
    let reader = Handle::try_from(reader).expect("not bound yet");
    let Adopted::Overlapped(reader) = Reader::adopt_exclusive(reader).unwrap() else { panic!("it is overlapped") };
    use_all_ways(&reader, &writer);
    let failed = Handle::try_from(reader).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::Unsupported);
    assert!(failed.to_string().contains("into_handle_still_bound"), "{failed}");
    let failed = failed.into_inner().into_stdio_despite_overlapped().unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::Unsupported);
    let reader = failed.into_inner();
    let failed = Handle::try_from(writer).unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::Unsupported);
    // Both are as good as before.
    use_all_ways(&reader, &failed.into_inner());
}

pub(crate) fn a_bound_end_is_converted_for_who_insists(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let op = ours.submit_read(vec![0; 8]);
    let failed = ours.into_handle_still_bound().unwrap_err();
    assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "an operation is in flight");
    let ours = failed.into_inner();
    (&theirs).write_all(b"before").unwrap();
    assert_eq!(op.wait().0.unwrap(), 6);
    (&theirs).write_all(b"kept").unwrap();
    let number = ours.number();
    let handle = ours.into_handle_still_bound().unwrap();
    assert_eq!(handle.number(), number);
    // The binding stays with the handle, as documented.
    assert_eq!(notification_modes(&handle), SKIP_COMPLETION_PORT_ON_SUCCESS);
    assert_eq!(bind_to_new_port(&handle).is_err(), is_wine(), "whether the system can unbind it");
    // Adopted in either way it works on.
    let ours = Duplex::<Overlapped>::try_from(handle).unwrap();
    assert_eq!(ours.submit_read(vec![0; 8]).wait().1[..4], *b"kept");
    let Adopted::Overlapped(ours) = Duplex::adopt_exclusive(Handle::try_from(ours).unwrap()).unwrap() else {
        panic!("it is overlapped")
    };
    let read = ours.submit_read(vec![0; 8]);
    theirs.submit_write("again").wait().0.unwrap();
    assert_eq!(read.wait().0.unwrap(), 5);
    ours.submit_write("and back").wait().0.unwrap();
    (&theirs).read_exact(&mut [0; 8]).unwrap();
}

/// A thread's operations that go through events are cancelled when it ends, so no such thread
/// issues them.
pub(crate) fn operations_outlive_their_thread(backend: Backend) {
    for attached in [false, true] {
        let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let ours = ours.adopted();
        let (read, write) = thread::scope(|scope| {
            let submit = || {
                let driver = Driver::new().unwrap();
                if attached {
                    ours.attach(&driver).unwrap();
                }
                let ops = (ours.submit_read(vec![0; 10]), ours.submit_write(test_data::bytes(0, 100_000)));
                // If this thread issues them, they are with the system before it ends.
                driver.turn(Some(MOMENT)).unwrap();
                ops
            };
            scope.spawn(submit).join().unwrap()
        });
        thread::sleep(MOMENT);
        assert!(!read.is_complete() && !write.is_complete(), "ended with its thread (attached: {attached})");
        (&theirs).write_all(b"alive").unwrap();
        assert_eq!(read.wait().0.unwrap(), 5);
        let mut all = vec![0; 100_000];
        (&theirs).read_exact(&mut all).unwrap();
        test_data::check(0, &all);
        assert_eq!(write.wait().0.unwrap(), 100_000);
    }
}

/// Also where the handle is bound to a port that is not ours.
pub(crate) fn operations_on_a_foreign_port_outlive_their_thread(backend: Backend) {
    for exclusive in [false, true] {
        let (ours, theirs) = backend.duplex();
        let handle = Handle::try_from(ours).unwrap();
        let port = bind_to_new_port(&handle).unwrap();
        let adopted = if exclusive { Duplex::adopt_exclusive(handle) } else { Duplex::adopt(handle) };
        let Adopted::Overlapped(ours) = adopted.unwrap() else { panic!("it is overlapped") };
        let op = thread::scope(|scope| scope.spawn(|| ours.submit_read(vec![0; 8])).join().unwrap());
        thread::sleep(MOMENT);
        assert!(!op.is_complete());
        (&theirs).write_all(b"alive").unwrap();
        assert_eq!(op.wait().0.unwrap(), 5);
        assert!(!port.has_packet(), "a packet that its owner cannot know");
    }
}

/// A write that is submitted is in progress, and finishes though its thread and its end are gone.
pub(crate) fn detached_writes_outlive_everything(backend: Backend) {
    for round in 0..50 {
        let (reader, writer) = backend.small_pipe();
        let writer = writer.adopted();
        let submitter = thread::spawn(move || {
            for chunk in 0..4 {
                writer.submit_write(test_data::bytes(chunk * 20_000, 20_000)).detach();
            }
        });
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 80_000, "round {round}");
        test_data::check(0, &all);
        submitter.join().unwrap();
        soon("nothing in flight", || format!("{reader:?}").contains("reads_in_flight: 0"));
    }
}

/// A packet on our port that belongs to no operation of ours: other code reads through the same
/// handle.
pub(crate) fn a_foreign_packet_is_ignored(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let bound = reader.submit_read(vec![0; 8]);
    (&writer).write_all(b"bind").unwrap();
    assert_eq!(bound.wait().0.unwrap(), 4);
    for _ in 0..20 {
        let foreign = ForeignRead::start(&reader);
        let ours = reader.submit_read(vec![0; 8]);
        (&writer).write_all(b"theirs").unwrap();
        soon("the foreign read", || foreign.finished().is_some());
        assert_eq!(foreign.finished().unwrap(), b"theirs");
        thread::sleep(Duration::from_millis(1));
        assert!(!ours.is_complete());
        (&writer).write_all(b"ours").unwrap();
        let (result, buffer) = ours.wait();
        assert_eq!(&buffer[..result.unwrap()], b"ours");
    }
}

/// It works, through events, and nothing reaches the port of its former owner.
pub(crate) fn a_handle_bound_to_another_port_works(backend: Backend) {
    let (ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let handle = Handle::try_from(ours).unwrap();
    let port = bind_to_new_port(&handle).unwrap();
    let ours = Duplex::<Overlapped>::try_from(handle).unwrap();
    let reads: Vec<_> = (0..70).map(|_| ours.submit_read(vec![0; 4])).collect();
    for number in 0_u32..70 {
        (&theirs).write_all(&number.to_le_bytes()).unwrap();
    }
    for (number, op) in (0_u32..).zip(reads) {
        let (result, buffer) = op.wait();
        assert_eq!((result.unwrap(), buffer), (4, number.to_le_bytes().to_vec()));
    }
    let cancelled = ours.submit_read(vec![0; 4]);
    cancelled.cancel();
    assert!(is_cancelled(&cancelled.wait().0));
    let write = ours.submit_write(test_data::bytes(0, 100_000));
    let mut all = vec![0; 100_000];
    (&theirs).read_exact(&mut all).unwrap();
    test_data::check(0, &all);
    assert_eq!(write.wait().0.unwrap(), 100_000);
    assert_eq!(kind(ours.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut);
    drop(ours.submit_read(vec![0; 4]));
    ours.submit_read(vec![0; 4]).detach();
    let (read, write) = (ours.submit_read(vec![0; 4]), ours.submit_write(vec![0; 100_000]));
    drop(theirs);
    assert_eq!(read.wait().0.unwrap(), 0);
    assert_eq!(kind(write.wait().0), ErrorKind::BrokenPipe);
    drop(ours);
    assert!(!port.has_packet(), "a packet that its owner cannot know");
}
