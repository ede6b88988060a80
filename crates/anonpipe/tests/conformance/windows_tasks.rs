//! Tasks on pipes that were made for messages.

use std::io::Write;

use crate::Backend;
use crate::empty_messages::message_pipe;
use crate::executors::{Executor, Family};

/// Before what it reads, and while it waits.
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
