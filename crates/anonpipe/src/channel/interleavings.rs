//! What both models of a channel promise, explored by loom with two or three threads and a kernel
//! in memory. What only one of them promises is in its own folder.

use std::io::IoSliceMut;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Channel, System, TaskReads as _, WokenBy};
use crate::contract::{Failure, Half, Outcome};
use crate::driver::{Core, DriverRef};
use crate::sim::explore::explore;
use crate::sim::{completion, read, readiness, taken, write};

/// A kernel, and how its ends are made.
struct Kernel<S: System> {
    /// A pipe that holds 8 bytes: the reader and the writer.
    pipe: fn() -> (Arc<S::Channel>, Arc<S::Channel>),
    /// Turns the process's driver until nothing is left to do.
    turn: fn(),
    /// Turns it once, amid what the others do.
    turn_once: fn(),
}

const READINESS: Kernel<readiness::Sim> = Kernel {
    pipe: || readiness::pipe(8),
    turn: readiness::turn,
    turn_once: || readiness::driver().turn(Some(Instant::now())).unwrap(),
};

/// Its ends are told of completions by packets.
const PACKETS: Kernel<completion::Sim> = Kernel {
    pipe: || completion::pipe(8, true),
    turn: completion::turn,
    turn_once: || completion::driver().turn(Some(Instant::now())).unwrap(),
};

/// Its ends are told of completions by events.
const EVENTS: Kernel<completion::Sim> = Kernel { pipe: || completion::pipe(8, false), ..PACKETS };

macro_rules! on_each_kernel {
    ($($name:ident on $($kernel:ident),+;)+) => {
        mod on {
            $(mod $name {
                $(#[test]
                #[expect(non_snake_case, reason = "named after the kernel")]
                fn $kernel() {
                    super::super::explore(|| super::super::$name(&super::super::$kernel));
                })+
            })+
        }
    };
}
on_each_kernel! {
    what_two_threads_submit_is_completed_by_a_third on READINESS, PACKETS, EVENTS;
    a_blocked_read_that_is_cancelled_ends on READINESS, PACKETS, EVENTS;
    // What goes through events is issued by the process's driver in any case.
    an_end_is_attached_before_its_first_operation_or_not_at_all on READINESS, PACKETS;
    a_task_is_ready_or_woken on READINESS, PACKETS, EVENTS;
}

/// Reads, blocking this thread.
pub(super) fn block_in_read<S: System>(reader: &Arc<S::Channel>, length: usize) -> (Outcome, Vec<u8>) {
    let mut buffer = vec![0; length];
    let outcome = reader.read(&mut [IoSliceMut::new(&mut buffer)], None);
    if let Ok(count) = outcome {
        buffer.truncate(count);
    }
    (outcome, buffer)
}

fn what_two_threads_submit_is_completed_by_a_third<S: System>(kernel: &'static Kernel<S>) {
    let (reader, writer) = (kernel.pipe)();
    let other = thread::spawn({
        let reader = Arc::clone(&reader);
        move || read::<S>(&reader, 2)
    });
    let driving = thread::spawn(move || {
        write::<S>(&writer, b"1234").detach();
        (kernel.turn_once)();
        writer
    });
    let one = read::<S>(&reader, 2);
    let (other, _writer) = (other.join().unwrap(), driving.join().unwrap());
    (kernel.turn)();
    let mut both = [taken(one), taken(other)];
    both.sort();
    assert_eq!(both, [b"12", b"34"]);
}

/// It waits for its place behind an operation that no driver issues, or for the kernel.
fn a_blocked_read_that_is_cancelled_ends<S: System>(kernel: &'static Kernel<S>) {
    let (reader, _writer) = (kernel.pipe)();
    let mut before = read::<S>(&reader, 4);
    let blocked = thread::spawn({
        let reader = Arc::clone(&reader);
        move || block_in_read::<S>(&reader, 4)
    });
    while reader.in_flight(Half::Read) < 2 {
        thread::yield_now();
    }
    reader.cancel_all(Half::Read);
    assert!(matches!(blocked.join().unwrap(), (Err(Failure::Cancelled { transferred: Some(0) }), _)));
    (kernel.turn)();
    let (outcome, _) = before.wait(Some(Instant::now())).expect("it is complete");
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })));
}

/// Whichever comes first decides which driver completes the operation.
fn an_end_is_attached_before_its_first_operation_or_not_at_all<S>(kernel: &'static Kernel<S>)
where
    S: System<Driver = DriverRef<S>>,
{
    let (reader, writer) = (kernel.pipe)();
    let own = Arc::new(Core::<S>::new().unwrap());
    let attaching = thread::spawn({
        let (reader, share) = (Arc::clone(&reader), own.make_ref());
        move || super::attach::<S>(&reader, share).is_ok()
    });
    let mut pending = read::<S>(&reader, 4);
    let attached = attaching.join().unwrap();
    assert_eq!(pending.attached().is_some(), attached);
    write::<S>(&writer, b"data").detach();
    if attached {
        own.turn(Some(Instant::now())).unwrap()
    } else {
        (kernel.turn)()
    }
    let (outcome, buffer) = pending.wait(Some(Instant::now())).expect("the other driver has it");
    assert_eq!((outcome.unwrap(), buffer), (4, b"data".to_vec()));
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn a_task_is_ready_or_woken<S: System>(kernel: &'static Kernel<S>) {
    let (reader, writer) = (kernel.pipe)();
    let writing = thread::spawn(move || {
        write::<S>(&writer, b"data").detach();
        (kernel.turn_once)();
        writer
    });
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut reads = <S::Channel as Channel<S>>::Reads::default();
    let mut buffer = [0; 4];
    let mut poll = |reads: &mut <S::Channel as Channel<S>>::Reads| {
        let polled = reads.poll(&reader, WokenBy::Driver, &mut context, &mut [IoSliceMut::new(&mut buffer)]);
        polled.map(|outcome| outcome.unwrap())
    };
    // The first poll comes back by itself.
    let polled = if let Poll::Pending = poll(&mut reads) { poll(&mut reads) } else { Poll::Ready(4) };
    let before = count.0.load(Ordering::SeqCst);
    let _writer = writing.join().unwrap();
    (kernel.turn)();
    if polled.is_pending() {
        assert!(before > 1 || count.0.load(Ordering::SeqCst) > before, "a wake was lost");
        assert_eq!(poll(&mut reads), Poll::Ready(4));
    }
    assert_eq!(buffer, *b"data");
    reads.leave(&reader);
}
