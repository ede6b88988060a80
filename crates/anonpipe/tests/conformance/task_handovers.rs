//! Ends that pass from one task, thread or owner to another lose no bytes.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use anonpipe::{Duplex, Overlapped, Reader};

use crate::Backend;
use crate::executors::{Executor, Family};
use crate::manual_polls::WokenFlag;
use crate::system::Handle;
use crate::test_data::{self, Random};
use crate::transfer_ways::Way;

/// The end that goes from hand to hand.
type Ours = Duplex<Overlapped>;

/// Another thread, which lives on: under Wine 8 the completion of what a thread has submitted is
/// lost if the thread ends in that very moment.
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

/// Reads a little, each time in another role; returns the end, and what was read (nothing: the end
/// of file).
fn read_as_another(mut ours: Ours, family: Family, random: &mut Random, elsewhere: &Elsewhere) -> (Ours, Vec<u8>) {
    let mut buffer = vec![0; 1 + random.below(5000)];
    // A task begins to read, and loses interest.
    if random.below(2) == 0 {
        let waker = Waker::from(WokenFlag::new());
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

/// Writes `bytes`, each time in another role, which does not wait for what was accepted.
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

/// What was read ahead is lost with the code that read it (nodejs/node#9413, nodejs/node#36251),
/// and so is what a read took that was given up in the same moment (swiftlang/swift-subprocess#325,
/// tokio-rs/mio#1983).
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

/// What was accepted goes out, in order, under every later owner of the end, and also without one
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

/// Of several who wait for the same bytes, one gets them: what the others had begun is taken back,
/// and loses nothing (libuv/libuv#5037, libuv/libuv#5115).
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
            // Writes of this size are never split.
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

/// A task that waits to read uses no memory that could be freed, so it does not prevent others from
/// taking the handle; and it has taken nothing with it. See
/// [`a_conversion_frees_nothing_that_the_system_uses`][1].
///
/// [1]: crate::conversion::a_conversion_frees_nothing_that_the_system_uses
pub(crate) fn a_task_that_waits_to_read_keeps_no_end_from_being_converted(backend: Backend) {
    for family in Family::BOTH {
        for round in 0..20 {
            let (mut reader, writer) = backend.pipe();
            let flag = WokenFlag::new();
            let mut buffer = [5; 10];
            flag.pend(|context| family.poll_read(&mut reader, context, &mut buffer));
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
