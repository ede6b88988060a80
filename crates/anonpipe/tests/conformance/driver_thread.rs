//! Operations through events, while the driver's thread, which issues them, has something else to
//! do. Each rule has a process of its own, because no other end is served meanwhile.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::Backend;
use crate::backend::Adopt;
use crate::harness::{MOMENT, soon, until_reads_in_flight};
use crate::transfer_ways::{Way, check_abort, kind, transferred};

/// A waker that takes its time.
struct Busy {
    began: Sender<()>,
    end: Mutex<Receiver<()>>,
}

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        self.began.send(()).unwrap();
        let _ = self.end.lock().unwrap().recv();
    }
}

/// Keeps the driver's thread busy while `f` runs.
fn while_busy<T>(f: impl FnOnce() -> T) -> T {
    let (reader, writer) = Backend::Unnamed.pipe();
    let ((began, begins), (ends, end)) = (channel(), channel::<()>());
    let waker = Waker::from(Arc::new(Busy { began, end: Mutex::new(end) }));
    let mut op = reader.submit_read(vec![0; 1]);
    assert!(Pin::new(&mut op).poll(&mut Context::from_waker(&waker)).is_pending());
    (&writer).write_all(b"x").unwrap();
    begins.recv().unwrap();
    let output = f();
    drop(ends);
    output
}

/// It has not been issued yet, so nothing of it happens, and it ends without the driver's thread.
pub(crate) fn a_cancel_before_it_was_issued_counts(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let ours = ours.adopted();
    let (reads, writes) = while_busy(|| {
        let reads: Vec<_> = (0..3).map(|_| ours.submit_read(vec![0; 4])).collect();
        let writes: Vec<_> = (0..3).map(|_| ours.submit_write("never")).collect();
        thread::sleep(MOMENT);
        assert!(reads.iter().all(|op| !op.is_complete()) && writes.iter().all(|op| !op.is_complete()));
        reads[0].cancel();
        writes[0].cancel();
        assert!(reads[0].is_complete() && writes[0].is_complete() && !reads[1].is_complete());
        ours.cancel_all();
        assert!(reads.iter().all(|op| op.is_complete()) && writes.iter().all(|op| op.is_complete()));
        (reads, writes)
    });
    for (read, write) in reads.into_iter().zip(writes) {
        check_abort(read.wait().0);
        let result = write.wait().0;
        assert_eq!(transferred(result.as_ref().unwrap_err()), Some(0), "not a byte of it went");
        check_abort(result);
    }
    assert_eq!(theirs.bytes_available().unwrap(), 0);
    // Those that were dropped, the end included.
    let (read, clone) = while_busy(|| {
        drop(ours.submit_write("never"));
        let (read, clone) = (ours.submit_read(vec![0; 4]), ours.try_clone().unwrap());
        ours.submit_write("detached").detach();
        drop((ours, clone));
        (read, ())
    });
    let () = clone;
    check_abort(read.wait().0);
    let mut all = Vec::new();
    (&theirs).read_to_end(&mut all).unwrap();
    assert_eq!(all, b"detached");
}

/// First in, first out, in the driver's thread and in others.
pub(crate) fn a_thread_that_blocks_keeps_its_place(backend: Backend) {
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        let reader = reader.adopted();
        thread::scope(|scope| {
            let (first, blocked, last) = while_busy(|| {
                let first = reader.submit_read(vec![0; 1]);
                let blocked = scope.spawn(|| way.read(&reader, 1).unwrap());
                until_reads_in_flight(&reader, 2);
                let last = reader.submit_read(vec![0; 1]);
                (&writer).write_all(b"abc").unwrap();
                thread::sleep(MOMENT);
                assert!(!blocked.is_finished(), "{way:?}: it came before what was there");
                (first, blocked, last)
            });
            assert_eq!((first.wait().1, blocked.join().unwrap(), last.wait().1), (vec![b'a'], vec![b'b'], vec![b'c']));
        });
    }
}

/// A thread that waits for its turn to issue hears of a cancel, and of the time.
pub(crate) fn waiting_for_ones_turn_ends(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let reader = reader.adopted();
    let before = while_busy(|| {
        let before = reader.submit_read(vec![0; 1]);
        let start = Instant::now();
        assert_eq!(kind(reader.read_timeout(&mut [0; 1], MOMENT)), ErrorKind::TimedOut);
        assert!((MOMENT..Duration::from_secs(5)).contains(&start.elapsed()), "{:?}", start.elapsed());
        thread::scope(|scope| {
            let blocked = scope.spawn(|| (&reader).read(&mut [0; 1]));
            until_reads_in_flight(&reader, 2);
            let last = reader.submit_read(vec![0; 1]);
            reader.cancel_all();
            check_abort(blocked.join().unwrap());
            drop(last);
        });
        before
    });
    check_abort(before.wait().0);
    // They leave nothing behind that would be in the way.
    soon("the last one", || format!("{reader:?}").contains("reads_in_flight: 0"));
    let read = reader.submit_read(vec![0; 8]);
    (&writer).write_all(b"goes on").unwrap();
    assert_eq!(read.wait().0.unwrap(), 7);
}
