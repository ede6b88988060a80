//! Pipes that only Linux has: FIFOs that are opened before their writer, packets, and pipes that
//! are opened again.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

use anonpipe::{Adopted, Blocking, Overlapped, Reader, Writer};

use crate::Backend;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::executors::{Executor, Family};
use crate::harness::MOMENT;
use crate::system::{FifoFile, make_blocking, make_nonblocking, packet_pipe};
use crate::transfer_ways::{LONG, Way, kind};

/// A read that has no room for a packet loses the rest of it. Only the writer's descriptor tells
/// that it writes packets.
pub(crate) fn a_writer_of_packets_is_refused(_: Backend) {
    let (_reader, writer) = packet_pipe();
    let refused = Writer::adopt(writer).unwrap_err();
    assert_eq!(refused.error().kind(), ErrorKind::InvalidInput);
    assert!(refused.to_string().contains("writes packets"), "{refused}");
    let writer = refused.into_inner();
    make_nonblocking(&writer);
    assert!(Writer::adopt(writer).is_ok(), "without the flag it is as any other");
}

pub(crate) fn open(fifo: &FifoFile, options: &mut OpenOptions) -> OwnedFd {
    options.custom_flags(libc::O_NONBLOCK).open(fifo.path()).unwrap().into()
}

/// Before its first writer a FIFO reads as nothing, which is not the end of file.
pub(crate) fn a_fifo_before_its_first_writer_is_not_at_its_end(_: Backend) {
    for way in Way::ALL {
        let fifo = FifoFile::new();
        let reader = Reader::<Overlapped>::try_from(open(&fifo, OpenOptions::new().read(true))).unwrap();
        assert_eq!(kind(reader.read_timeout(&mut [0; 4], MOMENT)), ErrorKind::TimedOut, "{way:?}");
        thread::scope(|scope| {
            let read = scope.spawn(|| (way.read(&reader, 4), way.read(&reader, 4), way.read(&reader, 4)));
            thread::sleep(MOMENT);
            let mut writer = OpenOptions::new().write(true).open(fifo.path()).unwrap();
            writer.write_all(b"late").unwrap();
            drop(writer);
            let (bytes, end, again) = read.join().unwrap();
            assert_eq!(bytes.unwrap(), b"late", "{way:?}");
            assert!(end.unwrap().is_empty() && again.unwrap().is_empty(), "{way:?}: then it is the end");
        });
    }
}

/// The first writer comes, writes and goes after a read has found nothing and before the reader
/// asks whether there was a writer.
pub(crate) fn a_fifo_whose_first_writer_is_gone_at_once_loses_nothing(_: Backend) {
    for round in 0..3000 {
        let fifo = FifoFile::new();
        let reader = Reader::<Overlapped>::try_from(open(&fifo, OpenOptions::new().read(true))).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| OpenOptions::new().write(true).open(fifo.path()).unwrap().write_all(b"abc").unwrap());
            let read = reader.read_timeout(&mut [0; 8], LONG).unwrap();
            assert_eq!(read, 3, "round {round}");
        });
    }
}

/// On a blocking end, whose description was opened without waiting for a writer.
pub(crate) fn a_blocking_end_waits_for_the_first_writer(_: Backend) {
    let fifo = FifoFile::new();
    let fd = open(&fifo, OpenOptions::new().read(true));
    make_blocking(&fd);
    let mut reader = Reader::<Blocking>::try_from(fd).unwrap();
    thread::scope(|scope| {
        let read = scope.spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        thread::sleep(MOMENT);
        assert!(!read.is_finished(), "it is not at its end");
        OpenOptions::new().write(true).open(fifo.path()).unwrap().write_all(b"late").unwrap();
        assert_eq!(read.join().unwrap().unwrap(), "late");
    });
}

/// A pipe without a name that is opened again after its writers have gone looks like a FIFO before
/// its first writer.
pub(crate) fn a_pipe_that_is_opened_anew_has_its_end(backend: Backend) {
    let (reader, writer) = backend.pipe();
    writer.submit_write("left").wait().0.unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let anew = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap();
    let Ok(Adopted::Overlapped(anew)) = Reader::adopt(OwnedFd::from(anew)) else { panic!("it does not block") };
    assert_eq!(anew.submit_read(vec![0; 8]).wait().0.unwrap(), 4);
    let mut end = anew.submit_read(vec![0; 8]);
    assert_eq!(end.wait_timeout(LONG).unwrap().0.unwrap(), 0);
}

/// A task's read waits for a FIFO's first writer as well, on each executor.
#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn a_task_waits_for_the_first_writer(_: Backend) {
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let fifo = FifoFile::new();
            let mut reader = Reader::<Overlapped>::try_from(open(&fifo, OpenOptions::new().read(true))).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(MOMENT / 4);
                    OpenOptions::new().write(true).open(fifo.path()).unwrap().write_all(b"late").unwrap();
                });
                let mut buffer = [0; 8];
                let read = |reader: &mut Reader<Overlapped>, buffer: &mut [u8; 8]| {
                    executor.run(family.read(reader, buffer)).unwrap()
                };
                assert_eq!(read(&mut reader, &mut buffer), 4, "{executor:?}, {family:?}");
                assert_eq!(read(&mut reader, &mut buffer), 0, "{executor:?}, {family:?}");
            });
        }
    }
}
