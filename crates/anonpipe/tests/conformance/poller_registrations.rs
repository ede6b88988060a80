//! The system's poller: no notification is lost while a registration comes or goes.

use std::io::ErrorKind;
use std::thread;

use crate::Backend;
#[cfg(all(feature = "tokio", feature = "futures-io"))]
use crate::executors::Family;
use crate::transfer_ways::{LONG, kind};

/// The reader may close before the write is tried, before the poller is asked, or afterwards. (On
/// some systems a first registration does not report what was so before it.)
pub(crate) fn a_reader_that_closes_as_a_writer_begins_to_wait_is_heard(backend: Backend) {
    for round in 0..400 {
        let (reader, writer) = if round % 2 == 0 {
            backend.small_pipe()
        } else {
            let (ours, theirs) = backend.duplex();
            let (_, writer) = theirs.split();
            (ours.split().0, writer)
        };
        let closes = thread::spawn(move || {
            for _ in 0..round * 20 {
                std::hint::spin_loop();
            }
            drop(reader);
        });
        let mut write = writer.submit_write(vec![0; 1_000_000]);
        let (result, _) = write.wait_timeout(LONG).unwrap();
        assert_eq!(kind(result), ErrorKind::BrokenPipe, "round {round}");
        closes.join().unwrap();
    }
}

/// A task removes its registration while another task registers the same descriptor, and the other
/// task is still notified. (A kqueue knows descriptors and not who registered them, so removing one
/// registration would remove the other.)
#[cfg(all(feature = "tokio", feature = "futures-io"))]
pub(crate) fn registrations_that_come_and_go_are_heard(backend: Backend) {
    let runtime = crate::executors::multi_thread();
    let (reader, writer) = backend.pipe();
    let rounds = 300;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let mut clone = reader.try_clone().unwrap();
                    let read = async { Family::Tokio.read(&mut clone, &mut [0; 1]).await };
                    // Long enough to hang the rule if nothing is heard, and no limit otherwise.
                    assert_eq!(runtime.block_on(read).unwrap(), 1);
                }
            });
        }
        for _ in 0..2 * rounds {
            thread::sleep(std::time::Duration::from_micros(100));
            writer.submit_write("x").wait().0.unwrap();
        }
    });
}
