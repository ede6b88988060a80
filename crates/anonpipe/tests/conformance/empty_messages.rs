//! Pipes that were made for messages and are read as bytes: an empty message is nothing, and no end
//! of anything.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Adopted, Duplex, Overlapped};

use crate::Backend;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::executors::{Executor, Family};
use crate::harness::{MOMENT, soon, until_reads_in_flight};
use crate::system::{Handle, named_server};
use crate::test_data::Random;
use crate::transfer_ways::{Way, check_abort, kind};

/// A pipe for messages: its server, and a handle to its client, which reads bytes unless it asks
/// for messages.
fn handles(backend: Backend, name: &str, flags: u32) -> (File, Handle) {
    let name = format!("anonpipe-test-{name}-{backend:?}-{}", std::process::id());
    let server = File::from(named_server(&name, true, true).unwrap());
    let client = OpenOptions::new().read(true).write(true).custom_flags(flags).open(format!(r"\\.\pipe\{name}"));
    (server, client.unwrap().into())
}

/// A pipe for messages. It has a name with every backend, which decides whether the operations go
/// through our port or through events.
pub(crate) fn message_pipe(backend: Backend, name: &str) -> (File, Duplex<Overlapped>) {
    const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
    let (server, client) = handles(backend, name, FILE_FLAG_OVERLAPPED);
    let client = if backend.is_named() { Duplex::adopt(client) } else { Duplex::adopt_exclusive(client) };
    match client.unwrap() {
        Adopted::Overlapped(client) => (server, client),
        Adopted::Blocking(_) => panic!("it is overlapped"),
    }
}

/// A peer who reads messages gets all of it in one, as long as it may be.
pub(crate) fn a_large_message_is_one_message(backend: Backend) {
    const LENGTH: usize = (3 << 20) + 5;
    let (mut server, client) = message_pipe(backend, "large");
    for way in Way::ALL {
        thread::scope(|scope| {
            let (_, writer) = client.try_clone().unwrap().split();
            let writing = scope.spawn(move || way.write(&writer, &vec![1; LENGTH]).unwrap());
            assert_eq!(server.read(&mut vec![0; LENGTH + 10]).unwrap(), LENGTH);
            assert_eq!(writing.join().unwrap(), LENGTH);
        });
    }
}

/// The system reports success and no bytes, which is no end of file.
pub(crate) fn an_empty_message_is_not_the_end(backend: Backend) {
    let (mut server, client) = message_pipe(backend, "empty");
    let (reader, _writer) = client.split();
    for way in Way::ALL {
        thread::scope(|scope| {
            let read = scope.spawn(|| way.read(&reader, 8).unwrap());
            until_reads_in_flight(&reader, 1);
            assert_eq!(server.write(b"").unwrap(), 0);
            thread::sleep(MOMENT);
            assert!(!read.is_finished(), "{way:?}: an empty message ended a read");
            server.write_all(b"message").unwrap();
            assert_eq!(read.join().unwrap(), b"message", "{way:?}");
        });
        // Queued before the read comes.
        assert_eq!(server.write(b"").unwrap(), 0);
        server.write_all(b"after").unwrap();
        assert_eq!(way.read(&reader, 8).unwrap(), b"after", "{way:?}");
    }
    // The one that meets it goes to the back.
    let (first, second) = (reader.submit_read(vec![0; 1]), reader.submit_read(vec![0; 1]));
    until_reads_in_flight(&reader, 2);
    thread::sleep(MOMENT);
    assert_eq!(server.write(b"").unwrap(), 0);
    thread::sleep(MOMENT);
    server.write_all(b"s").unwrap();
    server.write_all(b"f").unwrap();
    assert_eq!((first.wait().1, second.wait().1), (b"f".to_vec(), b"s".to_vec()));
    drop(server);
    assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 0);

    let (mut server, client) = handles(backend, "empty-blocking", 0);
    let Adopted::Blocking(mut client) = Duplex::adopt(client).unwrap() else { panic!("it is synchronous") };
    assert_eq!(server.write(b"").unwrap(), 0);
    server.write_all(b"after").unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 5);
}

/// Writes empty messages until no reader is left. Without a pause they pile up.
fn flood(mut server: File, pause: Duration) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while server.write(b"").is_ok() {
            let end = Instant::now() + pause;
            while Instant::now() < end {
                thread::yield_now();
            }
        }
    })
}

/// Each empty message ends a read, which begins again. A cancel that comes in between, of one or of
/// all, counts.
pub(crate) fn no_cancel_is_lost_among_empty_messages(backend: Backend) {
    let (server, client) = message_pipe(backend, "flood");
    let flood = flood(server, Duration::from_micros(100));
    let (reader, _writer) = client.split();
    let mut random = Random::new(41);
    let pause = |spins| (0..spins).for_each(|_| std::hint::spin_loop());
    for round in 0..200 {
        let mut op = reader.submit_read(vec![0; 8]);
        pause(random.below(20_000));
        if round % 2 == 0 {
            op.cancel()
        } else {
            reader.cancel_all()
        }
        let (result, _) =
            op.wait_timeout(Duration::from_secs(20)).unwrap_or_else(|| panic!("a cancel was lost ({round})"));
        check_abort(result);
        // By dropping it.
        let op = reader.submit_read(vec![0; 8]);
        pause(random.below(20_000));
        drop(op);
        until_reads_in_flight(&reader, 0);
    }
    // Of a thread that blocks; and when its time is up.
    let cancelled = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..100 {
                check_abort(Way::ALL[round % 4].read(&reader, 8));
                cancelled.store(round + 1, Ordering::SeqCst);
            }
        });
        for round in 0..100 {
            until_reads_in_flight(&reader, 1);
            pause(random.below(20_000));
            reader.cancel_all();
            soon("the end of a blocked read", || cancelled.load(Ordering::SeqCst) > round);
        }
    });
    assert_eq!(kind(reader.read_timeout(&mut [0; 8], MOMENT)), ErrorKind::TimedOut);
    drop((reader, _writer));
    flood.join().unwrap();
}

/// As above; the end is dropped, and what it had in flight says so.
pub(crate) fn no_dropped_end_is_missed_among_empty_messages(backend: Backend) {
    let mut random = Random::new(42);
    for round in 0..25 {
        let (server, client) = message_pipe(backend, &format!("drop-{round}"));
        let flood = flood(server, Duration::ZERO);
        let mut op = client.submit_read(vec![0; 8]);
        (0..random.below(100_000)).for_each(|_| std::hint::spin_loop());
        drop(client);
        let (result, _) = op.wait_timeout(Duration::from_secs(20)).expect("the end was dropped");
        check_abort(result);
        flood.join().unwrap();
    }
}

/// Before what it reads, and while it waits.
#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn a_task_passes_over_empty_messages(backend: Backend) {
    for family in Family::BOTH {
        let (mut server, mut client) = message_pipe(backend, &format!("poll-{family:?}"));
        for _ in 0..500 {
            assert_eq!(server.write(b"").unwrap(), 0);
        }
        server.write_all(b"message").unwrap();
        let mut buffer = [0; 8];
        let count = pollster::block_on(family.read(&mut client, &mut buffer)).unwrap();
        assert_eq!(&buffer[..count], b"message");
        // One that comes while it waits.
        for executor in Executor::ALL {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(crate::harness::MOMENT / 4);
                    assert_eq!((&server).write(b"").unwrap(), 0);
                    std::thread::sleep(crate::harness::MOMENT / 4);
                    (&server).write_all(b"after").unwrap();
                });
                let mut buffer = [0; 8];
                let read = executor.run(family.read(&mut client, &mut buffer));
                assert_eq!((read.unwrap(), &buffer[..5]), (5, &b"after"[..]), "{executor:?}");
            });
        }
    }
}
