//! How a task learns of a failed write that was accepted, and what flushing means.

use std::io::{ErrorKind, Read, Write};
use std::thread;

use anonpipe::{Duplex, Overlapped, Writer};

use crate::Backend;
use crate::executors::{AnyWrite, Executor, Family};
use crate::manual_polls::{MUCH, at_once};
use crate::system::Handle;
use crate::transfer_ways::kind;

/// Has a task write more than fits; returns how many bytes were accepted. On Windows that is all of
/// them, in flight; elsewhere what the system has taken.
#[track_caller]
fn accept(writer: &mut impl AnyWrite, family: Family) -> usize {
    let count = at_once(|context| family.poll_write(writer, context, &[7; MUCH])).unwrap();
    assert!(count >= 4096, "{count} bytes were accepted");
    count
}

/// What the next call says of a write that was accepted, and failed when the peer went. Where
/// writes are with the system when they are accepted, only another write has something to say.
#[track_caller]
fn check_failure(what: &str, result: std::io::Result<()>) {
    if cfg!(windows) || what == "write" {
        assert_eq!(kind(result), ErrorKind::BrokenPipe, "{what}");
    } else {
        result.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// A write that was accepted fails when no call is there to report it; so the next call must report
/// it (tokio-rs/mio#1461, oven-sh/bun#41568, tokio-rs/tokio#6325).
pub(crate) fn an_accepted_writes_failure_is_reported(backend: Backend) {
    for family in Family::BOTH {
        for what in ["write", "flush", "close", "std's flush"] {
            let (reader, mut writer) = backend.small_pipe();
            accept(&mut writer, family);
            drop(reader);
            let result = pollster::block_on(async {
                match what {
                    "write" => family.write(&mut writer, b"more").await.map(drop),
                    "flush" => family.flush(&mut writer).await,
                    "close" => family.close(&mut writer).await,
                    _ => Write::flush(&mut writer),
                }
            });
            check_failure(what, result);
            // It is told once. From then on errors tell of the peer's absence.
            if what != "close" {
                pollster::block_on(family.flush(&mut writer)).unwrap();
                assert_eq!(kind(pollster::block_on(family.write(&mut writer, b"x"))), ErrorKind::BrokenPipe);
            }
            assert_eq!(kind(pollster::block_on(family.write(&mut writer, b"x"))), ErrorKind::BrokenPipe, "{what}");
        }
    }
}

/// The same where the end has changed hands in between.
pub(crate) fn an_accepted_writes_failure_follows_the_end(backend: Backend) {
    for family in Family::BOTH {
        let (theirs, mut ours) = backend.options().capacity(4096).duplex().unwrap();
        accept(&mut ours, family);
        let (reader, writer) = ours.split();
        let mut ours = Duplex::unsplit(reader, writer).unwrap();
        drop(theirs);
        check_failure("flush of the end, joined", pollster::block_on(family.flush(&mut ours)));

        let (theirs, mut ours) = backend.options().capacity(4096).duplex().unwrap();
        accept(&mut ours, family);
        let (_reader, mut writer) = ours.split();
        drop(theirs);
        check_failure("flush of a half", pollster::block_on(family.flush(&mut writer)));

        // A conversion that is refused changes nothing.
        let (reader, mut writer) = backend.small_pipe();
        let accepted = accept(&mut writer, family);
        let mut writer = match Handle::try_from(writer) {
            Ok(handle) => {
                assert!(accepted < MUCH, "all {accepted} bytes are in flight");
                Writer::<Overlapped>::try_from(handle).unwrap()
            }
            Err(failed) => {
                assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
                failed.into_inner()
            }
        };
        drop(reader);
        check_failure("flush after a refused conversion", pollster::block_on(family.flush(&mut writer)));
        assert_eq!(kind(pollster::block_on(family.write(&mut writer, b"x"))), ErrorKind::BrokenPipe);

        // By another executor, in another thread.
        for executor in Executor::ALL {
            let (reader, mut writer) = backend.small_pipe();
            accept(&mut writer, family);
            drop(reader);
            let result = thread::spawn(move || executor.run(async move { family.flush(&mut writer).await }));
            check_failure("flush elsewhere", result.join().unwrap());
        }
    }
}

/// Flushes without a wait. Where operations go through events, a thread of the system's has to say
/// first that they are complete.
fn flush_at_once(backend: Backend, family: Family, writer: &mut impl AnyWrite) -> std::io::Result<()> {
    if backend.is_told_by_events() {
        pollster::block_on(family.flush(writer))
    } else {
        at_once(|context| family.poll_flush(writer, context))
    }
}

/// Flushing means that what was accepted is with the system. It does not mean that the peer has
/// read it, which it may never do, and it does not ask whether the peer is still there
/// (kotauskas/interprocess#58, blackbeam/named_pipe#11).
pub(crate) fn a_flush_neither_waits_for_the_peer_nor_fails_without_it(backend: Backend) {
    for family in Family::BOTH {
        for read_before in [0, 3, 8] {
            let (reader, mut writer) = backend.pipe();
            flush_at_once(backend, family, &mut writer).expect("there is nothing to flush");
            assert_eq!(at_once(|context| family.poll_write(&mut writer, context, b"8 bytes.")).unwrap(), 8);
            flush_at_once(backend, family, &mut writer).expect("the peer has not read");
            Write::flush(&mut writer).unwrap();
            (&writer).flush().unwrap();
            (&reader).read_exact(&mut vec![0; read_before]).unwrap();
            drop(reader);
            flush_at_once(backend, family, &mut writer).expect("the peer is gone");
            Write::flush(&mut writer).unwrap();
            at_once(|context| family.poll_close(&mut writer, context)).expect("the peer is gone");
        }
        let (theirs, mut ours) = backend.duplex();
        (&theirs).write_all(b"unread").unwrap();
        assert_eq!(at_once(|context| family.poll_write(&mut ours, context, b"unread")).unwrap(), 6);
        flush_at_once(backend, family, &mut ours).unwrap();
        drop(theirs);
        flush_at_once(backend, family, &mut ours).unwrap();
        at_once(|context| family.poll_close(&mut ours, context)).unwrap();
    }
    // A blocking end, which the peer does not read either.
    let (_reader, mut writer) = backend.options().client(anonpipe::End::blocking()).inbound().unwrap();
    writer.write_all(b"unread").unwrap();
    writer.flush().unwrap();
}
