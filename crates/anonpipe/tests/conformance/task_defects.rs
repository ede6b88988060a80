//! Defects that others had, kept from being had here: tasks, with the traits of both families.
//!
//! Each rule names the public reports that it goes back to, as `owner/repository#number`.

use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use anonpipe::{Duplex, Overlapped, Reader, Writer};

use crate::Backend;
use crate::defects::check_abort;
#[cfg(target_pointer_width = "64")]
use crate::defects::{BEYOND, beyond_4_gib};
use crate::executors::{AnyWrite, Executor, Family};
use crate::harness::{MOMENT, patience};
use crate::manual_polls::{Bell, at_once};
use crate::system::Handle;
use crate::test_data::{self, Random};
use crate::transfer_ways::{Way, kind};

/// The end that goes from hand to hand.
type Ours = Duplex<Overlapped>;

/// More than a small pipe holds.
const MUCH: usize = 100_000;

/// Has a task write more than fits; returns how many bytes were accepted. On Windows that is all of them, in flight; elsewhere
/// what the system has taken.
#[track_caller]
fn accept(writer: &mut impl AnyWrite, family: Family) -> usize {
    let count = at_once(|context| family.poll_write(writer, context, &[7; MUCH])).unwrap();
    assert!(count >= 4096, "{count} bytes were accepted");
    count
}

/// What the next call says of a write that was accepted, and failed when the peer went. Where writes are with the system when
/// they are accepted, only another write has something to say.
#[track_caller]
fn check_failure(what: &str, result: std::io::Result<()>) {
    if cfg!(windows) || what == "write" {
        assert_eq!(kind(result), ErrorKind::BrokenPipe, "{what}");
    } else {
        result.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// A write that was accepted fails when nobody is there to be told; it must be told by the next call (tokio-rs/mio#1461,
/// oven-sh/bun#41568, tokio-rs/tokio#6325).
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
            // Told once; from then on it is the peer's absence that is told.
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

/// Flushing means that what was accepted is with the system. It does not mean that the peer has read it, which it may never do,
/// and it is no question whether the peer is still there (kotauskas/interprocess#58, blackbeam/named_pipe#11).
pub(crate) fn a_flush_neither_waits_for_the_peer_nor_fails_without_it(backend: Backend) {
    for family in Family::BOTH {
        for read_before in [0, 3, 8] {
            let (reader, mut writer) = backend.pipe();
            at_once(|context| family.poll_flush(&mut writer, context)).expect("there is nothing to flush");
            assert_eq!(at_once(|context| family.poll_write(&mut writer, context, b"8 bytes.")).unwrap(), 8);
            at_once(|context| family.poll_flush(&mut writer, context)).expect("the peer has not read");
            Write::flush(&mut writer).unwrap();
            (&writer).flush().unwrap();
            (&reader).read_exact(&mut vec![0; read_before]).unwrap();
            drop(reader);
            at_once(|context| family.poll_flush(&mut writer, context)).expect("the peer is gone");
            Write::flush(&mut writer).unwrap();
            at_once(|context| family.poll_close(&mut writer, context)).expect("the peer is gone");
        }
        let (theirs, mut ours) = backend.duplex();
        (&theirs).write_all(b"unread").unwrap();
        assert_eq!(at_once(|context| family.poll_write(&mut ours, context, b"unread")).unwrap(), 6);
        at_once(|context| family.poll_flush(&mut ours, context)).unwrap();
        drop(theirs);
        at_once(|context| family.poll_flush(&mut ours, context)).unwrap();
        at_once(|context| family.poll_close(&mut ours, context)).unwrap();
    }
    // A blocking end, which the peer does not read either.
    let (_reader, mut writer) = backend.options().client(anonpipe::End::blocking()).inbound().unwrap();
    writer.write_all(b"unread").unwrap();
    writer.flush().unwrap();
}

/// See [`an_abort_is_no_timeout`](crate::defects::an_abort_is_no_timeout): a task's.
pub(crate) fn a_tasks_abort_is_no_timeout(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.small_pipe();
        let clones = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let bell = Bell::new();
        let mut buffer = [0; 10];
        bell.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        clones.0.cancel_all();
        check_abort(bell.ready(|context| family.poll_read(&mut reader, context, &mut buffer)));

        while at_once_or_pending(|context| family.poll_write(&mut writer, context, &[7; MUCH])) {}
        bell.pend(|context| family.poll_write(&mut writer, context, &[7; MUCH]));
        clones.1.cancel_all();
        check_abort(bell.ready(|context| family.poll_write(&mut writer, context, &[7; MUCH])));
        // It was that one write.
        let rest = thread::spawn(move || (&reader).read_to_end(&mut Vec::new()).unwrap());
        pollster::block_on(family.write_all(&mut writer, &[7; MUCH])).unwrap();
        drop((writer, clones));
        assert!(rest.join().unwrap() >= MUCH);
    }
}

/// Whether it was ready, and successful.
fn at_once_or_pending(poll: impl FnOnce(&mut Context<'_>) -> Poll<std::io::Result<usize>>) -> bool {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => {
            result.unwrap();
            true
        }
        Poll::Pending => false,
    }
}

/// See [`our_own_close_is_no_end_of_file`](crate::defects::our_own_close_is_no_end_of_file): a task's.
pub(crate) fn our_own_close_does_not_end_a_tasks_read(backend: Backend) {
    for family in Family::BOTH {
        let (mut ours, mut theirs) = backend.duplex();
        let bell = Bell::new();
        let mut buffer = [0; 10];
        bell.pend(|context| family.poll_read(&mut ours, context, &mut buffer));
        drop(ours.try_clone().unwrap());
        // Our own writing direction, as far as the system can close it.
        pollster::block_on(family.close(&mut ours)).unwrap();
        thread::sleep(MOMENT);
        bell.pend(|context| family.poll_read(&mut ours, context, &mut buffer));
        pollster::block_on(family.write_all(&mut theirs, b"goes on")).unwrap();
        assert_eq!(bell.ready(|context| family.poll_read(&mut ours, context, &mut buffer)).unwrap(), 7);

        // A half that writes, while the other half reads.
        let (ours, mut theirs) = backend.duplex();
        let (mut reader, mut writer) = ours.split();
        bell.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        pollster::block_on(family.close(&mut writer)).unwrap();
        drop(writer);
        thread::sleep(MOMENT);
        bell.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
        pollster::block_on(family.write_all(&mut theirs, b"goes on")).unwrap();
        assert_eq!(bell.ready(|context| family.poll_read(&mut reader, context, &mut buffer)).unwrap(), 7);
        drop(theirs);
        assert_eq!(pollster::block_on(family.read(&mut reader, &mut buffer)).unwrap(), 0);
    }
}

/// See [`a_pipe_that_nobody_reads_does_not_delay_the_end_of_another`][1]: tasks, on a runtime with one thread to spare.
///
/// [1]: crate::defects::a_pipe_that_nobody_reads_does_not_delay_the_end_of_another
pub(crate) fn quiet_pipes_do_not_delay_the_end_of_another(backend: Backend) {
    for workers in [1, 2] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).max_blocking_threads(1).enable_all().build().unwrap();
        for family in Family::BOTH {
            let mut quiet = Vec::new();
            for _ in 0..50 {
                let (mut reader, peer) = backend.small_pipe();
                quiet.push((
                    runtime.spawn(async move { family.read(&mut reader, &mut [0; 8]).await.map(drop) }),
                    Err(peer),
                ));
                let (peer, mut writer) = backend.small_pipe();
                let write = async move { family.write_all(&mut writer, &vec![0; 10 * MUCH]).await };
                quiet.push((runtime.spawn(write), Ok(peer)));
            }
            let (mut reader, mut writer) = backend.pipe();
            let talk = runtime.spawn(async move {
                tokio::time::sleep(MOMENT / 2).await;
                family.write_all(&mut writer, b"last words").await
            });
            let end = runtime.spawn(async move {
                let mut all = Vec::new();
                let mut buffer = [0; 64];
                loop {
                    match family.read(&mut reader, &mut buffer).await.unwrap() {
                        0 => break all,
                        count => all.extend_from_slice(&buffer[..count]),
                    }
                }
            });
            let spare = runtime.spawn_blocking(|| "answers");
            let all = runtime.block_on(async { tokio::time::timeout(patience(), end).await });
            assert_eq!(all.expect("the end of file").unwrap(), b"last words");
            let spare = runtime.block_on(async { tokio::time::timeout(patience(), spare).await });
            assert_eq!(spare.expect("the thread to spare").unwrap(), "answers");
            runtime.block_on(talk).unwrap().unwrap();
            assert!(
                quiet.iter().all(|(task, _)| !task.is_finished()),
                "they must be pending for this to mean something"
            );
            quiet.iter().for_each(|(task, _)| task.abort());
        }
    }
}

/// Another thread, which lives on: under Wine 8 the completion of what a thread has submitted is lost if the thread ends in that
/// very moment.
struct Elsewhere(Sender<Box<dyn FnOnce() + Send>>);

impl Elsewhere {
    fn new() -> Self {
        let (sender, receiver) = channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || receiver.into_iter().for_each(|job| job()));
        Self(sender)
    }

    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = channel();
        let job = Box::new(move || drop(sender.send(job())));
        self.0.send(job).expect("the other thread");
        receiver.recv().expect("a job that does not panic")
    }
}

/// Reads a little, each time as somebody else; returns the end, and what was read (nothing: the end of file).
fn read_as_another(mut ours: Ours, family: Family, random: &mut Random, elsewhere: &Elsewhere) -> (Ours, Vec<u8>) {
    let mut buffer = vec![0; 1 + random.below(5000)];
    // Somebody begins to read, and loses interest.
    if random.below(2) == 0 {
        let waker = Waker::from(Bell::new());
        if let Poll::Ready(result) = family.poll_read(&mut ours, &mut Context::from_waker(&waker), &mut buffer) {
            buffer.truncate(result.unwrap());
            return (ours, buffer);
        }
    }
    let executor = Executor::ALL[random.below(Executor::ALL.len())];
    let mut count = match random.below(8) {
        0 => (&ours).read(&mut buffer).unwrap(),
        1 => loop {
            match ours.read_timeout(&mut buffer, Duration::from_micros(random.below(500) as u64)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                result => break result.unwrap(),
            }
        },
        2 => {
            let result;
            (result, buffer) = ours.submit_read(buffer).wait();
            result.unwrap()
        }
        3 => {
            ours = there_and_back(ours);
            pollster::block_on(family.read(&mut ours, &mut buffer)).unwrap()
        }
        4 => {
            let (mut reader, writer) = ours.split();
            let count = pollster::block_on(family.read(&mut reader, &mut buffer)).unwrap();
            ours = Duplex::unsplit(reader, writer).unwrap();
            count
        }
        5 => {
            ours = ours.try_clone().unwrap();
            pollster::block_on(family.read(&mut ours, &mut buffer)).unwrap()
        }
        way => {
            let task = async move {
                let count = family.read(&mut ours, &mut buffer).await.unwrap();
                (ours, buffer, count)
            };
            let count;
            let run = move || executor.run(task);
            (ours, buffer, count) = if way == 6 { run() } else { elsewhere.run(run) };
            count
        }
    };
    count = count.min(buffer.len());
    buffer.truncate(count);
    (ours, buffer)
}

/// Converts an end into the system's handle and back, unless it is refused.
fn there_and_back(ours: Ours) -> Ours {
    match Handle::try_from(ours) {
        Ok(handle) => handle.try_into().unwrap(),
        // Bound to our port: that may be insisted on.
        #[cfg(windows)]
        Err(failed) if failed.error().kind() == ErrorKind::Unsupported => {
            failed.into_inner().into_handle_still_bound().unwrap().try_into().unwrap()
        }
        Err(failed) => {
            // Something is in flight.
            assert_eq!(failed.error().kind(), ErrorKind::ResourceBusy, "{failed}");
            failed.into_inner()
        }
    }
}

/// What was read ahead is lost with whoever read it (nodejs/node#9413, nodejs/node#36251), and so is what a read took that was
/// given up in the same moment (swiftlang/swift-subprocess#325, tokio-rs/mio#1983).
pub(crate) fn an_end_that_is_handed_on_loses_no_bytes(backend: Backend) {
    const TOTAL: usize = 400_000;
    for family in Family::BOTH {
        let (mut ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let writer = thread::spawn(move || {
            let mut random = Random::new(91);
            let mut position = 0;
            while position < TOTAL {
                let chunk = random.chunk().min(8000).min(TOTAL - position);
                (&theirs).write_all(&test_data::bytes(position, chunk)).unwrap();
                position += chunk;
                if random.below(3) == 0 {
                    thread::sleep(Duration::from_micros(random.below(1000) as u64));
                }
            }
        });
        let (mut random, elsewhere) = (Random::new(92), Elsewhere::new());
        let mut position = 0;
        loop {
            let read;
            (ours, read) = read_as_another(ours, family, &mut random, &elsewhere);
            if read.is_empty() {
                break;
            }
            test_data::check(position, &read);
            position += read.len();
        }
        assert_eq!(position, TOTAL, "{family:?}: bytes were lost");
        writer.join().unwrap();
    }
}

/// Writes `bytes`, each time as somebody else, who does not wait for what was accepted.
fn write_as_another(
    mut ours: Ours,
    family: Family,
    random: &mut Random,
    elsewhere: &Elsewhere,
    bytes: Vec<u8>,
) -> Ours {
    let executor = Executor::ALL[random.below(Executor::ALL.len())];
    match random.below(7) {
        0 => (&ours).write_all(&bytes).unwrap(),
        1 => {
            ours.submit_write(bytes).detach();
            // The handle that it was submitted with goes.
            ours = ours.try_clone().unwrap();
        }
        2 => {
            pollster::block_on(family.write_all(&mut ours, &bytes)).unwrap();
            ours = there_and_back(ours);
        }
        3 => {
            let (reader, mut writer) = ours.split();
            pollster::block_on(family.write_all(&mut writer, &bytes)).unwrap();
            ours = Duplex::unsplit(reader, writer).unwrap();
        }
        4 => {
            pollster::block_on(family.write_all(&mut ours, &bytes)).unwrap();
            ours = ours.try_clone().unwrap();
        }
        way => {
            let task = async move {
                family.write_all(&mut ours, &bytes).await.unwrap();
                ours
            };
            let run = move || executor.run(task);
            ours = if way == 5 { run() } else { elsewhere.run(run) };
        }
    }
    ours
}

/// What was accepted goes out, in order, whoever has the end by then, and also if that is nobody
/// (swiftlang/swift-subprocess#296).
pub(crate) fn an_end_that_is_handed_on_loses_no_writes(backend: Backend) {
    const TOTAL: usize = 300_000;
    for family in Family::BOTH {
        let (mut ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
        let reader = thread::spawn(move || {
            // So slow that there is always something on its way.
            let (mut all, mut buffer) = (Vec::new(), [0; 2000]);
            loop {
                match (&theirs).read(&mut buffer).unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buffer[..count]),
                }
                thread::sleep(Duration::from_micros(200));
            }
        });
        let (mut random, elsewhere) = (Random::new(93), Elsewhere::new());
        let mut position = 0;
        while position < TOTAL {
            let chunk = random.chunk().min(8000).min(TOTAL - position);
            ours = write_as_another(ours, family, &mut random, &elsewhere, test_data::bytes(position, chunk));
            position += chunk;
        }
        drop(ours);
        let all = reader.join().unwrap();
        test_data::check(0, &all);
        assert_eq!(all.len(), TOTAL, "{family:?}");
    }
}

/// Of several who wait for the same bytes, one gets them: what the others had begun is taken back, and loses nothing
/// (libuv/libuv#5037, libuv/libuv#5115).
pub(crate) fn tasks_that_share_an_end_lose_no_bytes(backend: Backend) {
    const RECORDS: u32 = 20_000;
    for family in Family::BOTH {
        let (reader, writer) = backend.small_pipe();
        let readers: Vec<_> = Executor::ALL
            .into_iter()
            .map(|executor| {
                let mut clone = reader.try_clone().unwrap();
                let mut random = Random::new(94);
                let task = async move {
                    let mut found = Vec::new();
                    loop {
                        let mut buffer = vec![0; 4 * (1 + random.below(300))];
                        let count = family.read(&mut clone, &mut buffer).await.unwrap();
                        if count == 0 {
                            return found;
                        }
                        let records = buffer[..count].chunks(4);
                        found.extend(
                            records.map(|record| u32::from_le_bytes(record.try_into().expect("whole records"))),
                        );
                    }
                };
                thread::spawn(move || executor.run(task))
            })
            .collect();
        drop(reader);
        let mut random = Random::new(95);
        let mut next = 0;
        while next < RECORDS {
            let end = (next + 1 + random.below(200) as u32).min(RECORDS);
            let bytes: Vec<u8> = (next..end).flat_map(u32::to_le_bytes).collect();
            // So little at once is never torn apart.
            (&writer).write_all(&bytes).unwrap();
            next = end;
            if random.below(3) == 0 {
                thread::sleep(Duration::from_micros(300));
            }
        }
        drop(writer);
        let mut found = Vec::new();
        for reader in readers {
            let records = reader.join().unwrap();
            assert!(records.is_sorted(), "a later record came first");
            found.extend(records);
        }
        found.sort_unstable();
        assert!(found.into_iter().eq(0..RECORDS), "{family:?}: records were lost, or came twice");
    }
}

/// A task that waits to read uses no memory that anybody could free, so it keeps nobody from taking the handle; and it has taken
/// nothing with it. See [`a_conversion_frees_nothing_that_the_system_uses`][1].
///
/// [1]: crate::defects::a_conversion_frees_nothing_that_the_system_uses
pub(crate) fn a_task_that_waits_to_read_keeps_no_end_from_being_converted(backend: Backend) {
    for family in Family::BOTH {
        for round in 0..20 {
            let (mut reader, writer) = backend.pipe();
            let bell = Bell::new();
            let mut buffer = [5; 10];
            bell.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
            let mut reader = match Handle::try_from(reader) {
                Ok(handle) => Reader::<Overlapped>::try_from(handle).unwrap(),
                Err(failed) => {
                    // Because the task has bound it, which it stays, and not because of what is in
                    // flight.
                    let refused = (cfg!(windows), failed.error().kind());
                    assert_eq!(refused, (true, ErrorKind::Unsupported), "round {round}: {failed}");
                    failed.into_inner()
                }
            };
            (&writer).write_all(b"intact").unwrap();
            assert_eq!(Way::ALL[round % 4].read(&reader, 3).unwrap(), b"int");
            assert_eq!(buffer, [5; 10]);
            let mut rest = [0; 10];
            assert_eq!(pollster::block_on(family.read(&mut reader, &mut rest)).unwrap(), 3);
            assert_eq!(&rest[..3], b"act");
        }
    }
}

/// See [`a_length_beyond_4_gib_is_not_cut_short`](crate::defects::a_length_beyond_4_gib_is_not_cut_short): a task's.
#[cfg(target_pointer_width = "64")]
pub(crate) fn a_tasks_length_beyond_4_gib_is_not_cut_short(backend: Backend) {
    let Some(mut long) = beyond_4_gib() else { return };
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        if cfg!(unix) {
            (&writer).write_all(b"0123456789").unwrap();
            assert_eq!(at_once(|context| family.poll_read(&mut reader, context, &mut long)).unwrap(), 10);
        }
        let accepted = at_once(|context| family.poll_write(&mut writer, context, &long)).unwrap();
        assert!((4096..BEYOND).contains(&accepted), "{accepted} bytes");
        drop(writer);
        assert_eq!((&reader).read_to_end(&mut Vec::new()).unwrap(), accepted);
    }
}

/// Keeps something alive as long as itself, as the waker of a task of a hand-written executor does.
struct Holds<T>(#[allow(dead_code, reason = "held, never looked at")] Mutex<T>);

impl<T: Send> Wake for Holds<T> {
    fn wake(self: Arc<Self>) {}
}

fn waker_that_holds<T: Send + 'static>(thing: T) -> Waker {
    Waker::from(Arc::new(Holds(Mutex::new(thing))))
}

/// The end goes from one task to another, whose first poll lets go of the first task's waker, and that of the task and all it
/// owned: another handle to the same end, perhaps. Under a lock that its drop takes as well, that would be the end of it
/// (tokio-rs/tokio#5429).
pub(crate) fn the_waker_of_whoever_had_it_before_may_own_a_handle(backend: Backend) {
    for family in Family::BOTH {
        let ((mut reader, _writer), (_reader, mut writer)) = (backend.pipe(), backend.small_pipe());
        let (mut others, mut buffer) = ((reader.try_clone().unwrap(), writer.try_clone().unwrap()), [0; 4]);
        while at_once_or_pending(|context| family.poll_write(&mut others.1, context, &[7; MUCH])) {}
        while at_once_or_pending(|context| family.poll_write(&mut writer, context, &[7; MUCH])) {}
        let mut wait = |ends: (&mut Reader<Overlapped>, &mut Writer<Overlapped>), wakers: [&Waker; 2]| {
            // The first polls may ask to be repeated at once, and wait for nobody.
            for _ in 0..4 {
                let read = family.poll_read(ends.0, &mut Context::from_waker(wakers[0]), &mut buffer);
                let write = family.poll_write(ends.1, &mut Context::from_waker(wakers[1]), &[7; MUCH]);
                assert!(read.is_pending() && write.is_pending());
            }
        };
        wait((&mut others.0, &mut others.1), [Waker::noop(); 2]);
        let first = (waker_that_holds(others.0), waker_that_holds(others.1));
        wait((&mut reader, &mut writer), [&first.0, &first.1]);
        drop(first);
        wait((&mut reader, &mut writer), [Waker::noop(); 2]);
    }
    // An operation's.
    let (reader, _writer) = backend.pipe();
    let mut op = reader.submit_read(vec![0; 4]);
    let first = waker_that_holds(reader);
    assert!(Pin::new(&mut op).poll(&mut Context::from_waker(&first)).is_pending());
    drop(first);
    let _ = Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop()));
}
