//! Writes in pieces, on a kernel in memory: its pieces have at most 4 bytes, and at least 1.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::completion::{Issuer as _, Slot as _};
use crate::channel::{Channel as _, DriverShare, InFlight as _, Submitted, TaskWrites, WokenBy, attach};
use crate::contract::{Failure, Half, Outcome};
use crate::sim::completion::{Issuer, Refused, Sim, driver, pipe, turn};
use crate::sim::world::Kernel as _;
use crate::sim::{read, soon, taken, write};

type Channel = super::Channel<Sim>;

/// Both ways of reporting a completion: by packets, and by events.
const WAYS: [bool; 2] = [true, false];

/// Reads until nothing more comes, and completes the writes meanwhile.
fn drain(reader: &Arc<Channel>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        turn();
        let mut buffer = [0; 64];
        match reader.read(&mut [IoSliceMut::new(&mut buffer)], Some(Instant::now())) {
            Ok(count @ 1..) => all.extend_from_slice(&buffer[..count]),
            _ => return all,
        }
    }
}

/// Reads up to 4 bytes that are there, without turning the driver.
fn take(reader: &Arc<Channel>) -> Vec<u8> {
    let mut buffer = [0; 4];
    let count = reader.read(&mut [IoSliceMut::new(&mut buffer)], soon()).unwrap();
    buffer[..count].to_vec()
}

fn outcome(mut operation: Submitted<Vec<u8>, Sim>) -> Outcome {
    turn();
    operation.wait(Some(Instant::now())).expect("it is complete").0
}

#[track_caller]
fn assert_cancelled(outcome: Outcome, expected: Option<usize>) {
    match outcome {
        Err(Failure::Cancelled { transferred }) => assert_eq!(transferred, expected),
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_long_write_goes_in_pieces_and_comes_whole() {
    for exclusive in WAYS {
        for quota in [1, 4, 64] {
            let (reader, writer) = pipe(quota, exclusive);
            let long = write::<Sim>(&writer, b"0123456789");
            assert_eq!(drain(&reader), b"0123456789");
            assert_eq!(taken(long), b"0123456789", "it says that all of it went, and gives all of it back");
            assert_eq!(writer.issuer().took(), [4, 4, 2]);
            write::<Sim>(&writer, b"abcd").detach();
            assert_eq!(drain(&reader), b"abcd");
            assert_eq!(writer.issuer().took()[3..], [4], "what fits goes whole");
            assert_eq!(writer.in_flight(Half::Write), 0);
        }
    }
}

/// One piece at a time: the kernel is not given the next before it is done with the one before.
#[test]
fn the_next_piece_waits_for_the_one_before() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let long = write::<Sim>(&writer, b"0123456789");
        turn();
        assert_eq!(writer.issuer().took(), [4]);
        assert_eq!(take(&reader), b"0123");
        turn();
        assert_eq!(writer.issuer().took(), [4, 4]);
        assert!(!long.is_complete());
        assert_eq!(drain(&reader), b"456789");
        assert_eq!(taken(long).len(), 10);
    }
}

#[test]
fn what_is_behind_a_long_write_comes_behind_it() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let before = write::<Sim>(&writer, b"ab");
        let long = write::<Sim>(&writer, b"0123456789");
        let behind = [write::<Sim>(&writer, b"cd"), write::<Sim>(&writer, b"efghijklm"), write::<Sim>(&writer, b"n")];
        turn();
        assert_eq!(writer.issuer().took(), [2, 4], "something was issued between two pieces");
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"opqrs")], None).unwrap()
        });
        while writer.in_flight(Half::Write) < 6 {
            thread::yield_now();
        }
        let mut all = Vec::new();
        while !blocked.is_finished() {
            all.extend(drain(&reader));
        }
        all.extend(drain(&reader));
        assert_eq!(all, b"ab0123456789cdefghijklmnopqrs");
        assert_eq!(blocked.join().unwrap(), 5);
        assert_eq!((taken(before).len(), taken(long).len()), (2, 10));
        assert_eq!(behind.map(|behind| taken(behind).len()), [2, 9, 1]);
    }
}

#[test]
fn a_blocked_write_goes_in_pieces_and_what_is_behind_waits() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"0123456789")], None).unwrap()
        });
        while writer.issuer().took().is_empty() {
            thread::yield_now();
        }
        let behind = write::<Sim>(&writer, b"ab");
        turn();
        assert_eq!(writer.issuer().took(), [4], "something was issued between two pieces");
        let mut all = Vec::new();
        while all.len() < 12 {
            all.extend(drain(&reader));
        }
        assert_eq!(all, b"0123456789ab");
        assert_eq!((blocked.join().unwrap(), outcome(behind).unwrap()), (10, 2));
    }
}

/// Not later than behind its last piece, though the kernel is not done with that.
#[test]
fn a_blocked_write_lets_the_next_go_with_its_last_piece() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"012345")], None).unwrap()
        });
        while writer.issuer().took().is_empty() {
            thread::yield_now();
        }
        let behind = write::<Sim>(&writer, b"ab");
        turn();
        assert_eq!(take(&reader), b"0123");
        while writer.issuer().took().len() < 3 {
            turn();
        }
        assert!(!blocked.is_finished() && !behind.is_complete());
        assert_eq!(drain(&reader), b"45ab");
        assert_eq!((blocked.join().unwrap(), outcome(behind).unwrap()), (6, 2));
    }
}

#[test]
fn a_stray_packet_for_a_waiting_write_changes_no_order() {
    let (reader, writer) = pipe(1, true);
    let long = write::<Sim>(&writer, b"012345");
    let behind = [write::<Sim>(&writer, b"ab"), write::<Sim>(&writer, b"cd")];
    turn();
    let poller = driver().make_ref();
    for operation in [&behind[0], &long] {
        let id = operation.record().loan().slot().id();
        (0..64).for_each(|key| Issuer::post(DriverShare::<Sim>::poller(&poller), key, id).unwrap());
    }
    turn();
    assert_eq!(writer.issuer().took(), [4]);
    assert_eq!(drain(&reader), b"012345abcd");
    assert!(matches!(outcome(long), Ok(6)));
}

/// All pieces have one slot. A packet that comes when its piece was seen to be over, and the next
/// is in flight, is not taken for a report about that one, even if its thread has ended: to find
/// out would cancel it.
#[test]
fn a_late_packet_of_a_piece_leaves_the_next_alone() {
    let (reader, writer) = pipe(1, true);
    let long = write::<Sim>(&writer, b"0123456789");
    assert_eq!(take(&reader), b"0123");
    writer.look_at_last_issued(Half::Write);
    assert_eq!(writer.issuer().took(), [4, 4], "the second piece is in flight, and the first one's packet not taken");
    assert!(Sim::end_thread());
    assert_eq!(drain(&reader), b"0123456789"[4..]);
    assert!(matches!(outcome(long), Ok(10)));
}

/// A thread that blocks turns the driver that its caller would have to turn.
#[test]
fn a_blocked_write_behind_a_long_one_turns_its_own_driver() {
    let (reader, writer) = pipe(1, true);
    attach::<Sim>(&writer, driver().make_ref()).unwrap();
    let long = write::<Sim>(&writer, b"0123456789");
    let late = writer.write(&[IoSlice::new(b"never")], soon());
    assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })), "{late:?}");
    assert!(writer.table(Half::Write).turning.is_empty(), "it leaves nothing behind");
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        while all.len() < 12 {
            let mut buffer = [0; 4];
            let count = reader.read(&mut [IoSliceMut::new(&mut buffer)], None).unwrap();
            all.extend_from_slice(&buffer[..count]);
        }
        all
    });
    assert!(matches!(writer.write(&[IoSlice::new(b"ab")], None), Ok(2)));
    assert_eq!(reading.join().unwrap(), b"0123456789ab");
    assert!(matches!(outcome(long), Ok(10)));
}

/// A waker that blocks, though it should not, on the very thread that issues the pieces.
#[test]
fn a_waker_may_write_behind_a_long_write() {
    struct Writes(Arc<Channel>);

    impl Wake for Writes {
        fn wake(self: Arc<Self>) {
            assert!(matches!(self.0.write(&[IoSlice::new(b"ab")], None), Ok(2)));
        }
    }

    let (reader, writer) = pipe(1, true);
    let mut first = write::<Sim>(&writer, b"!!");
    let waker = Waker::from(Arc::new(Writes(Arc::clone(&writer))));
    assert!(first.poll(&mut Context::from_waker(&waker)).is_pending());
    let long = write::<Sim>(&writer, b"0123456789");
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        while all.len() < 14 {
            let mut buffer = [0; 4];
            let count = reader.read(&mut [IoSliceMut::new(&mut buffer)], None).unwrap();
            all.extend_from_slice(&buffer[..count]);
        }
        all
    });
    while !reading.is_finished() {
        turn();
    }
    assert_eq!(reading.join().unwrap(), b"!!0123456789ab");
    assert!(matches!(outcome(long), Ok(10)));
}

#[test]
fn a_cancel_issues_no_more_and_says_what_went() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        // Within a piece: the kernel does not tell.
        let long = write::<Sim>(&writer, b"0123456789");
        let behind = write::<Sim>(&writer, b"ab");
        turn();
        long.cancel();
        assert_cancelled(outcome(long), None);
        assert_eq!(drain(&reader), b"ab");
        assert!(matches!(outcome(behind), Ok(2)));
        assert_eq!(writer.issuer().took(), [4, 2]);

        // The kernel is done with a piece, though its packet was not seen yet.
        let long = write::<Sim>(&writer, b"0123456789");
        let behind = write::<Sim>(&writer, b"ab");
        turn();
        assert_eq!(take(&reader), b"0123");
        long.cancel();
        assert_cancelled(outcome(long), Some(4));
        assert_eq!(drain(&reader), b"ab");
        assert!(matches!(outcome(behind), Ok(2)));
        assert_eq!(writer.issuer().took(), [4, 2, 4, 2]);

        // What waits behind it was not even begun.
        let long = write::<Sim>(&writer, b"0123456789");
        let mut behind = write::<Sim>(&writer, b"ab");
        turn();
        behind.cancel();
        assert_cancelled(behind.wait(Some(Instant::now())).expect("it never waits for the kernel").0, Some(0));
        assert_eq!(drain(&reader), b"0123456789");
        assert!(matches!(outcome(long), Ok(10)));
    }
}

#[test]
fn a_cancel_that_comes_too_late_for_the_last_piece_changes_nothing() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let long = write::<Sim>(&writer, b"012345");
        turn();
        assert_eq!(take(&reader), b"0123");
        turn();
        assert_eq!(take(&reader), b"45");
        long.cancel();
        assert!(matches!(outcome(long), Ok(6)));
    }
}

#[test]
fn cancelling_everything_ends_all_that_waits() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let long = write::<Sim>(&writer, b"0123456789");
        let behind = [write::<Sim>(&writer, b"ab"), write::<Sim>(&writer, b"abcdefgh")];
        turn();
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"cd")], None)
        });
        while writer.in_flight(Half::Write) < 4 {
            thread::yield_now();
        }
        writer.cancel_all(Half::Write);
        assert_cancelled(blocked.join().unwrap(), Some(0));
        assert_cancelled(outcome(long), None);
        behind.into_iter().for_each(|behind| assert_cancelled(outcome(behind), Some(0)));
        assert_eq!((drain(&reader), writer.in_flight(Half::Write)), (vec![], 0));
    }
}

/// The kernel in memory panics if an operation is freed before the kernel is done with it.
#[test]
fn a_dropped_write_issues_no_more_and_a_detached_one_goes_on() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let dropped = write::<Sim>(&writer, b"0123456789");
        let never_begun = write::<Sim>(&writer, b"!!!!!!");
        write::<Sim>(&writer, b"abcdefghi").detach();
        turn();
        assert_eq!(take(&reader), b"0123");
        drop(dropped);
        drop(never_begun);
        // And the end is gone.
        drop(writer);
        assert_eq!(drain(&reader), b"abcdefghi");
        assert!(matches!(reader.read(&mut [IoSliceMut::new(&mut [0; 4])], None), Ok(0)), "the end of file");
    }
}

#[test]
fn a_peer_that_leaves_between_two_pieces() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(4, exclusive);
        let long = write::<Sim>(&writer, b"0123456789");
        turn();
        assert_eq!(writer.issuer().took(), [4, 4]);
        assert_eq!(take(&reader), b"0123");
        assert_eq!(take(&reader), b"4567");
        drop(reader);
        match outcome(long) {
            Err(Failure::Os { transferred: Some(8), kind: std::io::ErrorKind::BrokenPipe, .. }) => {}
            outcome => panic!("{outcome:?}"),
        }
        assert_eq!(writer.in_flight(Half::Write), 0);
    }
}

#[test]
fn a_timeout_says_what_went() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(4, exclusive);
        // The second piece waits.
        let late = writer.write(&[IoSlice::new(b"0123456789")], soon());
        assert!(matches!(late, Err(Failure::TimedOut { transferred: None })), "{late:?}");
        assert_eq!(drain(&reader), b"0123");
        // No time is needed where nothing waits.
        let (reader, writer) = pipe(64, exclusive);
        assert!(matches!(writer.write(&[IoSlice::new(b"0123456789")], Some(Instant::now())), Ok(10)));
        assert_eq!(drain(&reader), b"0123456789");
        // Behind a long write the time is up before anything went.
        let (reader, writer) = pipe(1, exclusive);
        let long = write::<Sim>(&writer, b"0123456789");
        turn();
        let late = writer.write(&[IoSlice::new(b"ab")], soon());
        assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })), "{late:?}");
        assert_eq!(drain(&reader), b"0123456789");
        assert!(matches!(outcome(long), Ok(10)));
    }
}

/// A peer that is always ready keeps no write beyond its time.
#[test]
fn a_timeout_counts_between_pieces_that_do_not_wait() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1 << 16, exclusive);
        let bytes = vec![7; 1 << 15];
        let deadline = Instant::now() + Duration::from_millis(1);
        let late = writer.write(&[IoSlice::new(&bytes)], Some(deadline));
        let came = drain(&reader).len();
        match late {
            Err(Failure::TimedOut { transferred: Some(went) }) => assert_eq!((went, went % 4), (came, 0)),
            outcome => panic!("{outcome:?} though {:?} are over", deadline.elapsed()),
        }
    }
}

/// The time is up within a piece, of which the kernel is done with all.
#[test]
fn a_timeout_that_comes_too_late_for_a_piece_is_in_time_for_the_next() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        writer.issuer().be_deaf();
        let deadline = soon();
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"0123456789")], deadline)
        });
        while writer.issuer().took().is_empty() || Some(Instant::now()) < deadline {
            thread::yield_now();
        }
        assert_eq!(take(&reader), b"0123");
        let late = blocked.join().unwrap();
        assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(4) })), "{late:?}");
        assert_eq!((writer.issuer().took(), drain(&reader)), (vec![4], vec![]));
    }
}

/// Without its driver, which had not come to that operation yet.
#[test]
fn a_cancelled_write_lets_a_blocked_one_go_on() {
    let (reader, writer) = pipe(64, false);
    let waits = write::<Sim>(&writer, b"never");
    let blocked = thread::spawn({
        let writer = Arc::clone(&writer);
        move || writer.write(&[IoSlice::new(b"ab")], None).unwrap()
    });
    while writer.in_flight(Half::Write) < 2 {
        thread::yield_now();
    }
    waits.cancel();
    assert_eq!((blocked.join().unwrap(), drain(&reader)), (2, b"ab".to_vec()));
    assert_cancelled(outcome(waits), Some(0));
}

#[test]
fn a_piece_that_is_refused_is_halved() {
    for exclusive in WAYS {
        for (most, pieces) in [(3, [2; 5].as_slice()), (1, [1; 10].as_slice())] {
            let (reader, writer) = pipe(64, exclusive);
            writer.issuer().refuse(Refused { above: Some(most), ..Refused::default() });
            let long = write::<Sim>(&writer, b"0123456789");
            assert_eq!(drain(&reader), b"0123456789");
            assert!(matches!(outcome(long), Ok(10)));
            assert_eq!(writer.issuer().took(), pieces);
            assert!(matches!(writer.write(&[IoSlice::new(b"0123456789")], None), Ok(10)), "and a blocked one");
            assert_eq!(drain(&reader), b"0123456789");
            // One that would fit in a piece.
            let short = write::<Sim>(&writer, b"abc");
            assert_eq!(drain(&reader), b"abc");
            assert!(matches!(outcome(short), Ok(3)));
        }
    }
}

/// The kernel may soon have memory again.
#[test]
fn pieces_grow_again() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let bytes: Vec<u8> = (0..42).collect();
        writer.issuer().refuse(Refused { above: Some(1), ..Refused::default() });
        let long = write::<Sim>(&writer, &bytes);
        turn();
        writer.issuer().refuse(Refused::default());
        assert_eq!(drain(&reader), bytes);
        assert!(matches!(outcome(long), Ok(42)));
        let took = writer.issuer().took();
        assert_eq!(took, [[1; 8].as_slice(), &[2; 8], &[4; 4], &[2]].concat());
    }
}

/// Not the first piece: then the bytes before it count.
#[test]
fn the_smallest_piece_that_is_refused_is_an_error() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(4, exclusive);
        let long = write::<Sim>(&writer, b"0123456789");
        turn();
        writer.issuer().refuse(Refused { above: Some(0), ..Refused::default() });
        assert_eq!(drain(&reader), b"01234567", "the second piece was issued before");
        match outcome(long) {
            Err(Failure::Os { transferred: Some(8), kind: std::io::ErrorKind::OutOfMemory, .. }) => {}
            outcome => panic!("{outcome:?}"),
        }
        for refused in [outcome(write::<Sim>(&writer, b"ab")), writer.write(&[IoSlice::new(b"abcdefgh")], None)] {
            match refused {
                Err(Failure::Os { transferred: Some(0), .. }) => {}
                outcome => panic!("{outcome:?}"),
            }
        }
        writer.issuer().refuse(Refused::default());
        write::<Sim>(&writer, b"cd").detach();
        assert_eq!(drain(&reader), b"cd");
    }
}

/// With something in flight, the kernel may soon have memory again.
#[test]
fn what_is_refused_waits_for_what_is_in_flight() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        writer.issuer().refuse(Refused { while_busy: true, ..Refused::default() });
        let first = write::<Sim>(&writer, b"ab");
        let second = write::<Sim>(&writer, b"cdefgh");
        let third = write::<Sim>(&writer, b"i");
        turn();
        assert_eq!(writer.issuer().took(), [2]);
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"jkl")], None).unwrap()
        });
        while writer.in_flight(Half::Write) < 4 {
            thread::yield_now();
        }
        let mut all = Vec::new();
        while all.len() < 12 {
            all.extend(drain(&reader));
        }
        assert_eq!(all, b"abcdefghijkl");
        assert_eq!(blocked.join().unwrap(), 3);
        assert_eq!([first, second, third].map(|done| outcome(done).unwrap()), [2, 6, 1]);
    }
}

/// It does not wait for all of that: what is done with gives its memory back.
#[test]
fn what_is_refused_is_tried_again_with_each_completion() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        write::<Sim>(&writer, b"ab").detach();
        write::<Sim>(&writer, b"cd").detach();
        turn();
        writer.issuer().refuse(Refused { above: Some(0), ..Refused::default() });
        write::<Sim>(&writer, b"e").detach();
        turn();
        assert_eq!(take(&reader), b"ab");
        writer.issuer().refuse(Refused::default());
        turn();
        assert_eq!(writer.issuer().took(), [2, 2, 1], "it waits for the second, too");
        assert_eq!(drain(&reader), b"cde");
    }
}

/// A blocked write that is refused keeps its place, and its time counts.
#[test]
fn a_blocked_write_waits_for_memory_while_it_has_time() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        writer.issuer().refuse(Refused { while_busy: true, ..Refused::default() });
        let first = write::<Sim>(&writer, b"ab");
        turn();
        let late = writer.write(&[IoSlice::new(b"cd")], soon());
        assert!(matches!(late, Err(Failure::TimedOut { transferred: Some(0) })), "{late:?}");
        let blocked = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(&[IoSlice::new(b"ef")], None).unwrap()
        });
        while writer.in_flight(Half::Write) < 2 {
            thread::yield_now();
        }
        let mut all = Vec::new();
        while all.len() < 4 {
            all.extend(drain(&reader));
        }
        assert_eq!((all, blocked.join().unwrap()), (b"abef".to_vec(), 2));
        assert!(matches!(outcome(first), Ok(2)));
    }
}

#[test]
fn a_message_is_never_in_pieces() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        writer.issuer().carry_messages();
        let message = write::<Sim>(&writer, b"0123456789");
        assert_eq!(drain(&reader), b"0123456789");
        assert!(matches!(outcome(message), Ok(10)));
        assert!(matches!(writer.write(&[IoSlice::new(b"0123456789")], None), Ok(10)));
        assert_eq!(writer.issuer().took(), [10, 10]);
        drain(&reader);
        writer.issuer().refuse(Refused { above: Some(4), ..Refused::default() });
        for refused in [outcome(write::<Sim>(&writer, b"01234")), writer.write(&[IoSlice::new(b"01234")], None)] {
            match refused {
                Err(Failure::Os { transferred: Some(0), .. }) => {}
                outcome => panic!("{outcome:?}"),
            }
        }
        assert_eq!(drain(&reader), b"");
    }
}

/// The pieces of a write that all go at once hold up neither the caller nor the other ends of the
/// driver.
#[test]
fn pieces_that_go_at_once_let_others_run() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1 << 16, exclusive);
        let bytes: Vec<u8> = (0..=u8::MAX).chain(0..144).collect();
        let long = write::<Sim>(&writer, &bytes);
        assert!(!long.is_complete(), "the submission issued all of it");
        let behind: Vec<_> = (0..9).map(|_| write::<Sim>(&writer, b"a")).collect();
        let before = writer.issuer().took().len();
        assert!(before <= super::super::issue::MAX_IN_A_ROW);
        driver().turn(Some(Instant::now())).unwrap();
        assert!(writer.issuer().took().len() <= before + super::super::issue::MAX_IN_A_ROW);
        let mut all = Vec::new();
        while all.len() < bytes.len() + behind.len() {
            all.extend(drain(&reader));
        }
        assert_eq!(all, [&bytes[..], b"aaaaaaaaa"].concat());
        assert!(matches!(outcome(long), Ok(400)));
    }
}

#[test]
fn a_task_writes_in_pieces_behind_a_long_write() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(1, exclusive);
        let mut context = Context::from_waker(Waker::noop());
        let mut writes = crate::channel::completion::tasks::Writes::<Sim>::default();
        let long = write::<Sim>(&writer, b"0123456789");
        let mut poll = |bytes: &[u8]| writes.poll(&writer, WokenBy::Driver, &mut context, &[IoSlice::new(bytes)]);
        assert!(matches!(poll(b"abcdefgh"), Poll::Ready(Ok(8))));
        assert!(matches!(poll(b"ij"), Poll::Ready(Ok(2))));
        assert!(poll(b"too many").is_pending());
        assert_eq!(drain(&reader), b"0123456789abcdefghij");
        assert!(matches!(writes.poll_flush(&mut context), Poll::Ready(Ok(()))));
        assert!(matches!(outcome(long), Ok(10)));
        writes.leave(&writer);
    }
}

/// An error would say that nothing went.
#[test]
fn a_task_is_told_what_went_of_a_write_that_fails_at_once() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        writer.issuer().refuse(Refused { after: Some(1), ..Refused::default() });
        let mut context = Context::from_waker(Waker::noop());
        let mut writes = crate::channel::completion::tasks::Writes::<Sim>::default();
        let mut poll = |bytes: &[u8]| writes.poll(&writer, WokenBy::Driver, &mut context, &[IoSlice::new(bytes)]);
        if exclusive {
            assert!(matches!(poll(b"0123456789"), Poll::Ready(Ok(4))));
        } else {
            // Accepted: the driver's thread issues it later.
            assert!(matches!(poll(b"0123456789"), Poll::Ready(Ok(10))));
        }
        assert_eq!(drain(&reader), b"0123");
        let expected = if exclusive { 0 } else { 4 };
        match poll(b"456789") {
            Poll::Ready(Err(Failure::Os { transferred, .. })) => assert_eq!(transferred, Some(expected)),
            polled => panic!("{polled:?}"),
        }
        writes.leave(&writer);
    }
}

#[test]
fn a_long_read_asks_for_less() {
    for exclusive in WAYS {
        let (reader, writer) = pipe(64, exclusive);
        let long = read::<Sim>(&reader, 1 << 21);
        turn();
        write::<Sim>(&writer, b"1234").detach();
        turn();
        assert_eq!(taken(long), b"1234");
        write::<Sim>(&writer, b"1234").detach();
        turn();
        assert!(matches!(reader.read(&mut [IoSliceMut::new(&mut vec![0; 1 << 21])], None), Ok(4)));
    }
}
