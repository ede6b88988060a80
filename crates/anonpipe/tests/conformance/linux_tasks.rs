//! Tasks on descriptors that only Linux lets one see through.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

use anonpipe::{Overlapped, Reader};

use crate::Backend;
use crate::executors::{Executor, Family};
use crate::harness::MOMENT;
use crate::linux_pipes::open;
use crate::system::FifoFile;

/// A task's read as well, whoever wakes it.
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
