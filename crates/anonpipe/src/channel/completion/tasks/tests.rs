//! Tasks on a kernel in memory.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{MAX_WRITE, Reads, Writes};
use crate::channel::{TaskReads, TaskWrites, WokenBy};
use crate::contract::Outcome;
use crate::sim::completion::{Sim, pipe, turn};
use crate::sim::{read, taken, write};

type Channel = super::Channel<Sim>;

/// Both ways of reporting a completion: by packets, and by events.
const WAYS: [bool; 2] = [true, false];

fn poll_write(writes: &mut Writes<Sim>, writer: &Arc<Channel>, bytes: &[u8]) -> Poll<Outcome> {
    let mut context = Context::from_waker(Waker::noop());
    writes.poll(writer, WokenBy::Driver, &mut context, &[IoSlice::new(bytes)])
}

fn flush(writes: &mut Writes<Sim>) {
    turn();
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(writes.poll_flush(&mut context), Poll::Ready(Ok(()))));
}

/// Also where another thread issues the write, so that the poll cannot see how the write fails.
#[test]
fn a_write_to_a_peer_that_is_gone_is_not_accepted() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(8, exclusive);
        drop(reader);
        let mut writes = Writes::default();
        assert!(matches!(poll_write(&mut writes, &writer, b"data"), Poll::Ready(Err(_))));
        writes.leave(&writer);
    }
}

/// The system has the second write when it completes the first. A third has to wait.
#[test]
fn two_writes_are_in_flight_and_not_three() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let mut writes = Writes::default();
        for accepted in [b"ab", b"cd"] {
            assert!(matches!(poll_write(&mut writes, &writer, accepted), Poll::Ready(Ok(2))));
        }
        assert!(poll_write(&mut writes, &writer, b"ef").is_pending());
        let first = read::<Sim>(&reader, 2);
        turn();
        assert_eq!(taken(first), b"ab");
        assert!(matches!(poll_write(&mut writes, &writer, b"ef"), Poll::Ready(Ok(2))));
        // What was accepted goes out without the task.
        writes.leave(&writer);
        drop(writes);
        let others = [read::<Sim>(&reader, 2), read::<Sim>(&reader, 2)];
        turn();
        assert_eq!(others.map(taken), [b"cd", b"ef"]);
    }
}

/// An end that is flushed may be quiet for long, and there may be many of them.
#[test]
fn a_buffer_is_used_again_and_an_idle_end_keeps_no_large_one() {
    let (_reader, writer) = pipe(2 * MAX_WRITE, true);
    // So large writes go whole.
    writer.issuer().carry_messages();
    let mut writes = Writes::default();
    let mut kept = None;
    for _ in 0..3 {
        assert!(matches!(poll_write(&mut writes, &writer, &[1; 100]), Poll::Ready(Ok(100))));
        flush(&mut writes);
        let buffers: Vec<_> = writes.spare.iter().map(|buffer| buffer.as_ptr()).collect();
        assert_eq!(buffers.len(), 1);
        assert_eq!(*kept.get_or_insert_with(|| buffers.clone()), buffers);
    }
    assert!(matches!(poll_write(&mut writes, &writer, &vec![1; MAX_WRITE]), Poll::Ready(Ok(MAX_WRITE))));
    flush(&mut writes);
    assert!(writes.spare.is_empty());
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The first time, the task looks once more before the system is asked; if that was in vain, it
/// waits at once from then on.
#[test]
fn a_read_that_came_back_in_vain_does_not_do_so_again() {
    let (reader, writer) = pipe(8, true);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut reads = Reads::<Sim>::default();
    let mut buffer = [0; 8];
    let mut poll = |reads: &mut Reads<Sim>| {
        reads.poll(&reader, WokenBy::Driver, &mut context, &mut [IoSliceMut::new(&mut buffer)])
    };
    for comes_back in [1, 0, 0] {
        assert!(poll(&mut reads).is_pending() && poll(&mut reads).is_pending());
        assert_eq!(count.0.swap(0, Ordering::SeqCst), comes_back);
        write::<Sim>(&writer, b"data").detach();
        turn();
        assert_eq!(count.0.swap(0, Ordering::SeqCst), 1, "a wake was lost");
        assert!(matches!(poll(&mut reads), Poll::Ready(Ok(4))));
    }
}
