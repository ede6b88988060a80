//! What errors say: the action, the end and the cause, and nothing untrue.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Duration;

use anonpipe::{Driver, End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::system::Handle;
use crate::transfer_ways::Way;

pub(crate) fn texts_name_the_action_and_the_end(backend: Backend) {
    let (reader, mut writer) = backend.pipe();
    let clone = reader.try_clone().unwrap();
    let text = Handle::try_from(reader).unwrap_err().to_string();
    assert!(text.starts_with("cannot convert the server end of an inbound pipe: it has clones"), "{text}");
    drop(clone);
    let (other, _keep) = backend.pipe();
    let read = other.submit_read(vec![0; 4]);
    let text = other.attach(&Driver::new().unwrap()).unwrap_err().to_string();
    assert!(text.starts_with("cannot attach a driver to the server end of an inbound pipe: "), "{text}");
    drop(read);
    let text = writer.write(b"x").unwrap_err().to_string();
    assert!(text.starts_with("cannot write to the client end of an inbound pipe: "), "{text}");
    assert!(text.ends_with("(the peer does not read any more: stop writing)"), "{text}");
}

/// Where a half-close exists, the error does not blame the peer.
pub(crate) fn a_write_after_an_own_shutdown_says_so(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    if let Err(error) = ours.shutdown_write() {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        return;
    }
    for error in [ours.submit_write("x").wait().0.unwrap_err(), (&ours).write(b"x").unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().ends_with("its writing side was shut down here"), "{error}");
    }
    drop(theirs);
}

pub(crate) fn empty_writes_do_nothing_whoever_is_gone(backend: Backend) {
    let (ours, mut theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    drop(ours);
    assert_eq!(theirs.write(b"").unwrap(), 0);
    let (reader, mut writer) = backend.pipe();
    drop(reader);
    assert_eq!(writer.write(b"").unwrap(), 0);
    assert_eq!(writer.submit_write("").wait().0.unwrap(), 0);
}

/// Writes nothing in every way.
fn writes_of_nothing(writer: &mut Writer<Overlapped>) -> Vec<(String, io::Result<usize>)> {
    let mut all: Vec<_> = Way::ALL.iter().map(|way| (format!("{way:?}"), way.write(writer, b""))).collect();
    all.push(("by value".to_owned(), writer.write(b"")));
    all.push(("vectored".to_owned(), writer.write_vectored(&[IoSlice::new(b""), IoSlice::new(b"")])));
    all.push(("in no slices".to_owned(), writer.write_vectored(&[])));
    #[cfg(all(feature = "tokio", feature = "futures-io"))]
    for family in crate::executors::Family::BOTH {
        all.push((format!("{family:?}"), pollster::block_on(family.write(writer, b""))));
    }
    all
}

#[track_caller]
fn all_do_nothing(all: Vec<(String, io::Result<usize>)>) {
    for (way, result) in all {
        assert_eq!(result.unwrap_or_else(|error| panic!("{way}: {error}")), 0, "{way}");
    }
}

#[track_caller]
fn all_say_why(all: Vec<(String, io::Result<usize>)>, why: &str) {
    for (way, result) in all {
        let Err(error) = result else { panic!("{way}: {result:?}, although {why}") };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{way}");
        assert!(error.to_string().starts_with("cannot write to "), "{way}: {error}");
        assert!(error.to_string().ends_with(why), "{way}: {error}");
        assert_eq!(anonpipe::Error::of(&error).unwrap().transferred(), Some(0), "{way}");
    }
}

/// One answer for all ways of writing nothing: it does nothing, and fails only where writing was
/// ended here.
pub(crate) fn a_write_of_nothing_fails_where_writing_was_ended_here(backend: Backend) {
    let (reader, mut writer) = backend.pipe();
    all_do_nothing(writes_of_nothing(&mut writer));
    assert_eq!(reader.bytes_available().unwrap(), 0, "the peer sees nothing of it");
    drop(reader);
    all_do_nothing(writes_of_nothing(&mut writer));
    // Also when it is known to be broken.
    writer.write(b"x").unwrap_err();
    all_do_nothing(writes_of_nothing(&mut writer));

    shut_down_here(backend);
    #[cfg(all(feature = "tokio", feature = "futures-io"))]
    closed_here(backend);
}

fn shut_down_here(backend: Backend) {
    const WHY: &str = "its writing side was shut down here";
    let (ours, theirs) = backend.duplex();
    if let Err(error) = ours.shutdown_write() {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        all_do_nothing(writes_of_nothing(&mut ours.split().1));
        return;
    }
    let of_duplex = [
        ("std", (&ours).write(b"")),
        ("submitted", ours.submit_write("").wait().0),
        ("timeout", ours.write_timeout(b"", Duration::ZERO)),
    ];
    all_say_why(of_duplex.map(|(way, result)| (format!("duplex, {way}"), result)).into(), WHY);
    let clone = ours.try_clone().unwrap();
    for end in [ours, clone] {
        let (_reader, mut writer) = end.split();
        all_say_why(writes_of_nothing(&mut writer), WHY);
    }
    drop(theirs);

    let (ours, mut theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    assert_eq!(theirs.write(b"").unwrap(), 0);
    let mut clone = theirs.try_clone().unwrap();
    theirs.shutdown_write().unwrap();
    for (way, bytes) in [("empty", &b""[..]), ("not empty", &b"x"[..])] {
        let results = [theirs.write(bytes), clone.write(bytes)];
        all_say_why(results.map(|result| (format!("blocking, {way}"), result)).into(), WHY);
    }
    drop(ours);
}

#[cfg(all(feature = "tokio", feature = "futures-io"))]
fn closed_here(backend: Backend) {
    use crate::executors::Family;

    const WHY: &str = "it was closed here";
    for family in Family::BOTH {
        let (_reader, mut writer) = backend.pipe();
        pollster::block_on(family.close(&mut writer)).unwrap();
        all_say_why(writes_of_nothing(&mut writer), WHY);
        let (ours, _theirs) = backend.duplex();
        let (_reading, mut writing) = ours.split();
        pollster::block_on(family.close(&mut writing)).unwrap();
        all_say_why(writes_of_nothing(&mut writing), WHY);
    }
}

/// The system's code, which an `io::Error` with a text has no room for, can be had in two ways;
/// there is none where the system reported none.
pub(crate) fn the_systems_error_is_the_source(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let quiet = reader.read_timeout(&mut [0; 4], Duration::ZERO).unwrap_err();
    drop(reader);
    let (mut of_blocking, closed) = {
        let (reader, writer) = backend.options().client(End::blocking()).inbound().unwrap();
        (writer, reader)
    };
    drop(closed);
    for failed in [writer.submit_write("x").wait().0, (&writer).write(b"x"), of_blocking.write(b"x")] {
        let failed = failed.unwrap_err();
        let code = anonpipe::Error::of(&failed).expect("ours").raw_os_error().expect("the system said so");
        let source: &io::Error = failed.source().expect("the system's").downcast_ref().expect("an io::Error");
        assert_eq!(source.raw_os_error(), Some(code), "{failed:?}");
        let known = if cfg!(unix) { 32 } else { 232 };
        assert_eq!(code, known, "{failed:?}");
        assert!(failed.to_string().contains(&source.to_string()), "the text says less than before: {failed}");
    }
    assert!(quiet.source().is_none() && anonpipe::Error::of(&quiet).unwrap().raw_os_error().is_none(), "{quiet:?}");

    let program = Handle::from(File::open(std::env::current_exe().unwrap()).unwrap());
    let refused = Reader::adopt(program).unwrap_err();
    assert!(refused.source().is_none(), "we said no: {refused:?}");
}
