//! Defects that others had, kept from being had here: operations and blocking calls.
//!
//! Each rule names the public reports that it goes back to, as `owner/repository#number`.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use anonpipe::{ForeignBuffer, Overlapped, Reader};

use crate::Backend;
use crate::harness::{MOMENT, at_once, patience, soon, until_reads_in_flight, until_writes_in_flight};
use crate::system::Handle;
use crate::test_data::{self, Random};
use crate::transfer_ways::{Way, is_cancelled, kind};

/// Checks that an operation that somebody ended says this, and nothing else.
#[track_caller]
pub(crate) fn check_abort<T>(result: std::io::Result<T>) {
    let Err(error) = result else { panic!("it succeeded, although it was ended") };
    let ours = anonpipe::Error::of(&error).expect("an error of this crate");
    assert!(ours.is_cancelled(), "{error}");
    // No kind that makes callers try again or give the peer up, and no code that means one of these elsewhere.
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    assert_eq!((error.raw_os_error(), ours.raw_os_error()), (None, None), "{error}");
    assert!(error.to_string().contains("cancelled"), "{error}");
}

/// The system's code for an aborted operation is a timeout to std, so that whoever retries timeouts retries what was ended on
/// purpose (rust-lang/rust#71756, gyldlab/keld#97).
pub(crate) fn an_abort_is_no_timeout(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&reader, 10));
            until_reads_in_flight(&reader, 1);
            reader.cancel_all();
            check_abort(read.join().unwrap());
            let write = scope.spawn(|| way.write(&writer, &[0; 100_000]));
            until_writes_in_flight(&writer, 1);
            writer.cancel_all();
            check_abort(write.join().unwrap());
        });
    }
    let ((reader, _writer), (_reader, writer)) = (backend.pipe(), backend.small_pipe());
    let (read, write) = (reader.submit_read(vec![0; 10]), writer.submit_write(vec![0; 100_000]));
    read.cancel();
    write.cancel();
    check_abort(read.wait().0);
    check_abort(write.wait().0);
    let (reader, _writer) = backend.pipe();
    let read = reader.submit_read(vec![0; 10]);
    drop(reader);
    check_abort(read.wait().0);

    // And the other way round.
    let (reader, _writer) = backend.pipe();
    let result = reader.read_timeout(&mut [0; 10], MOMENT);
    assert!(!is_cancelled(&result));
    assert_eq!(kind(result), ErrorKind::TimedOut);
}

/// Whoever closes an end while it is read has not met the end of what the peer says, and a record that was cut off is not whole
/// (python-trio/trio#341, python-trio/trio#661; microsoft/go-winio#95 asks for the opposite).
///
/// On Windows, closing the handle under a read completes it as the peer's close does.
pub(crate) fn our_own_close_is_no_end_of_file(backend: Backend) {
    let mut random = Random::new(81);
    for round in 0..60 {
        let (reader, _writer) = backend.pipe();
        let op = reader.submit_read(vec![0; 10]);
        let closer = thread::spawn({
            let spins = random.below(3000);
            move || {
                (0..spins).for_each(|_| std::hint::spin_loop());
                drop(reader);
            }
        });
        let (result, _) = if round % 2 == 0 { op.wait() } else { pollster::block_on(op) };
        check_abort(result);
        closer.join().unwrap();
    }
    // All of it but the operations, at once.
    let (ours, theirs) = backend.duplex();
    let ops: Vec<_> = (0..5).map(|_| ours.submit_read(vec![0; 10])).collect();
    let (reader, writer) = ours.split();
    let clone = writer.try_clone().unwrap();
    drop((writer, clone, reader));
    for op in ops {
        check_abort(op.wait().0);
    }
    drop(theirs);

    // A read that goes on: another handle, or another direction, was closed.
    let (ours, theirs) = backend.duplex();
    let op = ours.submit_read(vec![0; 10]);
    let (reader, writer) = ours.split();
    let clone = reader.try_clone().unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| Way::Std.read(&reader, 10));
        until_reads_in_flight(&reader, 2);
        drop((clone, writer));
        thread::sleep(MOMENT);
        assert!(!op.is_complete() && !blocked.is_finished(), "a handle that was not the last");
        (&theirs).write_all(b"first").unwrap();
        assert_eq!(op.wait().0.unwrap(), 5);
        (&theirs).write_all(b"second").unwrap();
        assert_eq!(blocked.join().unwrap().unwrap(), b"second");
    });
}

/// The peer's news must not wait for somebody else's reader: a thread of a pool a read, and the pool is empty as soon as enough
/// pipes are quiet (tokio-rs/tokio#5777, tokio-rs/tokio#4824).
pub(crate) fn a_pipe_that_nobody_reads_does_not_delay_the_end_of_another(backend: Backend) {
    let quiet: Vec<_> = (0..100).map(|_| backend.small_pipe()).collect();
    let reads: Vec<_> = quiet.iter().map(|(reader, _)| reader.submit_read(vec![0; 10])).collect();
    let unread: Vec<_> = (0..100).map(|_| backend.small_pipe()).collect();
    let writes: Vec<_> = unread.iter().map(|(_, writer)| writer.submit_write(vec![0; 100_000])).collect();
    for round in 0..10 {
        let (reader, writer) = backend.pipe();
        let mut op = reader.submit_read(vec![0; 10]);
        let closer = thread::spawn(move || {
            (&writer).write_all(b"last").unwrap();
            thread::sleep(MOMENT / 8);
        });
        let (result, _) = op.wait_timeout(patience()).expect("the last words");
        assert_eq!(result.unwrap(), 4, "round {round}");
        let mut op = reader.submit_read(vec![0; 10]);
        assert_eq!(op.wait_timeout(patience()).expect("the end of file").0.unwrap(), 0, "round {round}");
        closer.join().unwrap();
    }
    assert!(reads.iter().chain(&writes).all(|op| !op.is_complete()), "they must be pending for this to mean something");
}

/// Memory that was given back while the system still wrote to it (blackbeam/named_pipe#5, Berrysoft/tokio-iocp#2,
/// swiftlang/swift-subprocess#336): a conversion is refused as long as there is an operation that uses a buffer.
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

/// A read that was dropped is over for its owner, not for the system: a conversion that comes right after it either is refused,
/// or nothing writes to the memory any more (tokio-rs/mio#1967, tokio-rs/mio#2004).
pub(crate) fn nothing_writes_to_a_dropped_reads_memory_after_a_conversion(backend: Backend) {
    for round in 0..60 {
        let (reader, writer) = backend.pipe();
        // Ours all along, so that it can be looked at afterwards.
        let memory = Box::into_raw(Box::new([5_u8; 4096]));
        let end: Result<Handle, _> = {
            #[allow(unsafe_code, reason = "only with memory of our own can be seen who writes to it")]
            // SAFETY: initialised; nobody looks at it before the operation is over, and it is never freed.
            let buffer = unsafe { ForeignBuffer::new(memory.cast(), 4096) };
            drop(reader.submit_read(buffer));
            reader.try_into()
        };
        let reader: Reader<Overlapped> = match end {
            Ok(handle) => handle.try_into().unwrap(),
            Err(failed) => {
                let expected = [ErrorKind::ResourceBusy, ErrorKind::Unsupported];
                assert!(expected.contains(&failed.error().kind()), "round {round}: {failed}");
                let reader = failed.into_inner();
                soon("the dropped read is over", || format!("{reader:?}").contains("reads_in_flight: 0"));
                reader
            }
        };
        (&writer).write_all(&[7; 100]).unwrap();
        // Time for whoever else might want them.
        thread::sleep(Duration::from_millis(1));
        assert_eq!(reader.read_timeout(&mut [0; 4096], patience()).expect("bytes that went elsewhere"), 100);
        #[allow(unsafe_code, reason = "see above")]
        // SAFETY: allocated above, and not freed; the operation is over.
        let memory = unsafe { &*memory };
        assert!(memory.iter().all(|byte| *byte == 5), "round {round}: the system wrote to it after the conversion");
    }
}

/// The systems' lengths have 32 bits in places; a longer one must not lose its upper half (rust-lang/rust#31825,
/// boostorg/iostreams#76).
///
/// The memory is never touched: the system gives out zeros without using any, if it gives them out at all. On Windows it would look
/// at every page of a buffer that it is to read into, so the calls that cut a length there are tested by themselves, in the library.
#[cfg(target_pointer_width = "64")]
pub(crate) fn a_length_beyond_4_gib_is_not_cut_short(backend: Backend) {
    let Some(long) = beyond_4_gib() else { return };
    let (reader, writer) = backend.pipe();
    (&writer).write_all(b"0123456789").unwrap();
    let (result, mut long) = reader.submit_read(long).wait();
    if cfg!(windows) {
        assert_eq!(kind(result), ErrorKind::InvalidInput, "more than one operation of this system can take");
        assert_eq!(long.len(), BEYOND);
        assert_eq!(reader.bytes_available().unwrap(), 10, "the refusal took bytes");
        let (result, long) = writer.submit_write(long).wait();
        assert_eq!((kind(result), long.len()), (ErrorKind::InvalidInput, BEYOND));
        assert_eq!(reader.bytes_available().unwrap(), 10, "the refusal wrote bytes");
        return;
    }
    assert_eq!(result.unwrap(), 10);
    (&writer).write_all(b"0123456789").unwrap();
    assert_eq!((&reader).read(&mut long).unwrap(), 10);
    (&writer).write_all(b"0123456789").unwrap();
    assert_eq!(reader.read_timeout(&mut long, patience()).unwrap(), 10);
    // Longer than what anybody reads here: it must not end as if it were short.
    let mut op = writer.submit_write(long);
    assert!(op.wait_timeout(MOMENT).is_none(), "it said that it had written everything");
    op.cancel();
    let (result, long) = op.wait();
    check_abort(result);
    let full = reader.bytes_available().unwrap();
    let error = writer.write_timeout(&long, MOMENT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(anonpipe::Error::of(&error).unwrap().transferred(), Some(reader.bytes_available().unwrap() - full));
}

/// 4 GiB, and three bytes: what is left of it where the upper half is lost.
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
