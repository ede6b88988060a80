//! The model on a kernel in memory: the same on every host.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use super::{Issuer as _, Slot as _, SlotId};
use crate::channel::{Channel as _, InFlight as _, Record, Submitted, TaskReads, TaskWrites, WokenBy};
use crate::contract::{Failure, Half};
use crate::sim::completion::{Issuer, Sim, driver, pipe, turn, without_a_pool};
use crate::sim::{read, soon, taken, write};

type Channel = super::Channel<Sim>;

/// Both ways of reporting a completion: by packets, and by events.
const WAYS: [bool; 2] = [true, false];

#[test]
fn operations_are_served_in_the_order_in_which_they_came() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        let reads: Vec<_> = (0..3).map(|_| read::<Sim>(&reader, 2)).collect();
        turn();
        write::<Sim>(&writer, b"one").detach();
        write::<Sim>(&writer, b"two").detach();
        turn();
        let read: Vec<_> = reads.into_iter().map(taken).collect();
        assert_eq!(read, [&b"on"[..], b"e", b"tw"].map(Vec::from));
    }
}

#[test]
fn a_cancel_comes_in_time_or_too_late() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        let (mut first, second) = (read::<Sim>(&reader, 8), read::<Sim>(&reader, 8));
        turn();
        first.cancel();
        turn();
        let (outcome, _) = first.wait(Some(Instant::now())).unwrap();
        assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })));
        assert!(matches!(writer.write(&[IoSlice::new(b"kept")], soon()), Ok(4)));
        // The kernel is done with this read, though its packet was not seen yet.
        second.cancel();
        turn();
        assert_eq!(taken(second), b"kept");
    }
}

#[test]
fn a_cancel_before_the_driver_has_issued_it_is_heard() {
    let (reader, writer) = pipe(64, false);
    let mut first = read::<Sim>(&reader, 8);
    first.cancel();
    write::<Sim>(&writer, b"kept").detach();
    turn();
    let (outcome, _) = first.wait(Some(Instant::now())).unwrap();
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })));
    let second = read::<Sim>(&reader, 8);
    turn();
    assert_eq!(taken(second), b"kept");
}

/// The system would cancel what the submitting thread has issued when that thread ends.
#[test]
fn what_goes_through_events_is_issued_by_the_drivers_thread() {
    let (_reader, writer) = pipe(64, false);
    write::<Sim>(&writer, b"data").detach();
    assert_eq!(writer.issuer().took(), []);
    turn();
    assert_eq!(writer.issuer().took(), [4]);
}

/// A thread that blocks may end as well, so it does not issue what was submitted before.
#[test]
fn a_blocked_write_waits_until_the_drivers_thread_has_issued_those_before_it() {
    let (_reader, writer) = pipe(64, false);
    write::<Sim>(&writer, b"ab").detach();
    let late = writer.write(&[IoSlice::new(b"cd")], soon());
    assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })));
    assert_eq!(writer.issuer().took(), []);
    turn();
    assert_eq!(writer.issuer().took(), [2]);
}

#[test]
fn a_write_beyond_the_quota_pends_until_it_is_read() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(2, exclusive);
        let large = write::<Sim>(&writer, b"more");
        turn();
        assert!(!large.is_complete());
        let all = read::<Sim>(&reader, 64);
        turn();
        assert_eq!((taken(all), taken(large)), (b"more".to_vec(), b"more".to_vec()));
    }
}

/// The kernel in memory takes 64 bytes at most, and panics if it is asked for more.
#[test]
fn a_long_read_asks_for_what_the_system_can_take() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(128, exclusive);
        writer.issuer().carry_messages();
        let long = read::<Sim>(&reader, 100);
        turn();
        write::<Sim>(&writer, &[7; 80]).detach();
        turn();
        assert_eq!(taken(long), [7; 64]);
    }
}

/// The kernel in memory panics if an operation is freed before the kernel is done with it.
#[test]
fn a_dropped_operation_stays_until_the_kernel_is_done_with_it() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        let pending = read::<Sim>(&reader, 8);
        turn();
        drop(pending);
        assert_eq!(reader.in_flight(Half::Read), 1, "its completion was not observed yet");
        turn();
        assert_eq!(reader.in_flight(Half::Read), 0);
        drop((reader, writer));
    }
}

#[test]
fn stray_packets_are_ignored() {
    let (reader, writer) = pipe(64, true);
    let pending = read::<Sim>(&reader, 8);
    let id = pending.record().loan().slot().id();
    let poller = driver().make_ref();
    for key in 0..64 {
        for id in [SlotId::NONE, SlotId(0x1234_5670), id] {
            Issuer::post(crate::channel::DriverShare::<Sim>::poller(&poller), key, id).unwrap();
        }
    }
    turn();
    assert!(!pending.is_complete());
    write::<Sim>(&writer, b"fine").detach();
    turn();
    assert_eq!(taken(pending), b"fine");
}

/// Operations skip empty messages; a peer that writes only empty messages holds up no other
/// operation.
#[test]
fn empty_messages_are_passed_over() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        writer.issuer().carry_messages();
        let pending = read::<Sim>(&reader, 8);
        turn();
        for _ in 0..3 {
            write_empty(&writer);
            turn();
        }
        assert!(!pending.is_complete());
        write::<Sim>(&writer, b"a message").detach();
        turn();
        turn();
        assert_eq!(taken(pending), b"a messag");
    }
}

fn write_empty(writer: &Arc<Channel>) {
    Submitted::<Vec<u8>, Sim>::to(writer, Record::new(Half::Write, Vec::new(), 0)).detach();
}

#[test]
fn a_blocked_call_ends_in_time_or_with_what_came() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(3, exclusive);
        let mut buffer = [0; 8];
        let late = reader.read(&mut [IoSliceMut::new(&mut buffer)], soon());
        assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })));
        let late = writer.write(&[IoSlice::new(b""), IoSlice::new(b"1234")], soon());
        assert!(matches!(late, Err(Failure::TimedOut { transferred: None })));
        assert!(matches!(writer.write(&[IoSlice::new(b"123")], soon()), Ok(3)));
        assert!(matches!(reader.read(&mut [IoSliceMut::new(&mut buffer)], soon()), Ok(3)));
        assert_eq!((reader.in_flight(Half::Read), writer.in_flight(Half::Write)), (0, 0));
    }
}

#[test]
fn cancelling_everything_reaches_blocked_threads() {
    for exclusive in WAYS {
        let (reader, _writer) = pipe(4, exclusive);
        let blocked = thread::spawn({
            let reader = Arc::clone(&reader);
            move || reader.read(&mut [IoSliceMut::new(&mut [0; 8])], None)
        });
        while reader.in_flight(Half::Read) < 1 {
            thread::yield_now();
        }
        reader.cancel_all(Half::Read);
        assert!(matches!(blocked.join().unwrap(), Err(Failure::Cancelled { transferred: Some(0) })));
    }
}

#[test]
fn a_task_reads_when_it_is_polled_and_its_writes_are_accepted() {
    let (reader, writer) = pipe(2, true);
    let mut context = Context::from_waker(Waker::noop());
    let (mut reads, mut writes) = (super::tasks::Reads::<Sim>::default(), super::tasks::Writes::<Sim>::default());
    let mut buffer = [0; 16];
    let mut poll = |reads: &mut super::tasks::Reads<Sim>| {
        let polled = reads.poll(
            &reader,
            WokenBy::Driver,
            &mut Context::from_waker(Waker::noop()),
            &mut [IoSliceMut::new(&mut buffer)],
        );
        polled.map(|outcome| buffer[..outcome.unwrap()].to_vec())
    };
    assert!(poll(&mut reads).is_pending() && poll(&mut reads).is_pending());
    let accepted = writes.poll(&writer, WokenBy::Driver, &mut context, &[IoSlice::new(b"took")]);
    assert!(matches!(accepted, Poll::Ready(Ok(4))));
    assert!(writes.poll_flush(&mut context).is_pending(), "it exceeds the quota");
    turn();
    assert_eq!(poll(&mut reads), Poll::Ready(b"took".to_vec()));
    turn();
    assert!(matches!(writes.poll_flush(&mut context), Poll::Ready(Ok(()))));
    reads.leave(&reader);
    writes.leave(&writer);
    turn();
}

/// What this crate ends for want of memory was not cancelled by the caller.
#[test]
fn an_operation_whose_event_cannot_be_awaited_says_why_it_ended() {
    let (reader, _writer) = pipe(64, false);
    let mut pending = read::<Sim>(&reader, 8);
    let mut cancelled = read::<Sim>(&reader, 8);
    cancelled.cancel();
    without_a_pool(turn);
    let (outcome, _) = pending.wait(soon()).expect("it is over");
    assert!(matches!(outcome, Err(Failure::Os { transferred: Some(0), .. })), "{outcome:?}");
    let (outcome, _) = cancelled.wait(soon()).expect("it is over");
    assert!(matches!(outcome, Err(Failure::Cancelled { transferred: Some(0) })), "{outcome:?}");
}

#[test]
fn a_bound_handle_is_not_given_away() {
    let (reader, writer) = pipe(64, true);
    write::<Sim>(&writer, b"data").detach();
    assert_eq!(taken(read::<Sim>(&reader, 8)), b"data");
    assert!(matches!(reader.take_handle(), Err(Failure::Refused { .. })));
    assert!(matches!(reader.take_handle_still_bound(), Ok(Some(_))));
    let (reader, _writer) = pipe(64, true);
    assert!(matches!(reader.take_handle(), Ok(Some(_))));
}
