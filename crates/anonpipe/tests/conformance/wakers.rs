//! What wakers may do, and who is woken. They are the caller's code, called wherever an operation
//! completes.

use std::future::Future;
#[cfg(windows)]
use std::io::Read;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(windows)]
use anonpipe::Writer;
use anonpipe::{Duplex, Op, Overlapped, wait_any};

use crate::Backend;
use crate::harness::{MOMENT, patience, soon};
use crate::system::Handle;
#[cfg(windows)]
use crate::test_data;
use crate::transfer_ways::{LONG, is_cancelled};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn await_with_another_waker_each_time(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut op = pin!(reader.submit_read(vec![0; 4]));
    let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
    for count in &counts {
        let waker = Waker::from(Arc::clone(count));
        assert!(op.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    writer.submit_write("wake").wait().0.unwrap();
    soon("the last waker", || counts[2].0.load(Ordering::SeqCst) == 1);
    assert_eq!(counts[0].0.load(Ordering::SeqCst) + counts[1].0.load(Ordering::SeqCst), 0, "an old waker was called");
    assert!(op.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

struct Panic;

impl Wake for Panic {
    fn wake(self: Arc<Self>) {
        // Past the hook, which would print.
        resume_unwind(Box::new("a waker that panics"));
    }
}

pub(crate) fn a_panicking_waker_harms_nobody_else(backend: Backend) {
    let (bad_reader, bad_writer) = backend.pipe();
    let (reader, writer) = backend.pipe();
    for _ in 0..3 {
        let mut bad = pin!(bad_reader.submit_read(vec![0; 4]));
        assert!(bad.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Panic)))).is_pending());
        let mut good = reader.submit_read(vec![0; 4]);
        let _ = catch_unwind(AssertUnwindSafe(|| (&bad_writer).write_all(b"bang")));
        (&writer).write_all(b"fine").unwrap();
        let (result, buffer) = good.wait_timeout(patience()).expect("still driven");
        assert_eq!((result.unwrap(), &buffer[..]), (4, &b"fine"[..]));
        soon("the operation whose waker panics", || bad.is_complete());
    }
}

/// Calls a closure, once.
pub(crate) struct Call(pub(crate) Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        let call = self.0.lock().unwrap().take();
        if let Some(call) = call {
            call();
        }
    }
}

/// Has `call` called when `op` completes.
fn when_complete(op: &mut Op<Vec<u8>>, call: impl FnOnce() + Send + 'static) {
    let waker = Waker::from(Arc::new(Call(Mutex::new(Some(Box::new(call))))));
    assert!(Pin::new(op).poll(&mut Context::from_waker(&waker)).is_pending());
}

/// Some executors poll right where they are woken.
pub(crate) fn a_waker_may_submit_and_wait(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let mut op = reader.submit_read(vec![0; 1]);
    let next = Arc::new(Mutex::new(None));
    when_complete(&mut op, {
        let (reader, writer, next) = (Arc::clone(&reader), Arc::clone(&writer), Arc::clone(&next));
        move || {
            let second = reader.submit_read(vec![0; 4]);
            writer.submit_write("next").wait().0.unwrap();
            *next.lock().unwrap() = Some(second);
        }
    });
    (&*writer).write_all(b"x").unwrap();
    assert_eq!(op.wait().0.unwrap(), 1);
    soon("the second read", || next.lock().unwrap().is_some());
    let mut second = next.lock().unwrap().take().unwrap();
    assert_eq!(second.wait_timeout(LONG).unwrap().0.unwrap(), 4);
}

/// Also with other operations of the same end completing in the same moment.
pub(crate) fn a_waker_may_convert_the_end(backend: Backend) {
    for reads in [1, 3] {
        let (reader, writer) = backend.pipe();
        let mut ops: Vec<_> = (0..reads).map(|_| reader.submit_read(vec![0; 4])).collect();
        let converted = Arc::new(Mutex::new(None));
        when_complete(&mut ops[0], {
            let converted = Arc::clone(&converted);
            move || {
                *converted.lock().unwrap() =
                    Some(Handle::try_from(reader).map(drop).map_err(|failed| failed.into_parts().0))
            }
        });
        drop(writer);
        for op in ops {
            // The end of file; or cancelled, if the conversion was refused and its end dropped.
            let (result, _) = op.wait();
            assert!(is_cancelled(&result) || result.is_ok_and(|count| count == 0));
        }
        soon("the conversion", || converted.lock().unwrap().is_some());
        if let Some(Err(error)) = converted.lock().unwrap().take() {
            // Windows: the others are still in flight, or the end is bound to our port. Unix knows
            // all of them to be over.
            assert_eq!(std::env::consts::OS, "windows", "{error}");
        }
    }
}

pub(crate) fn a_waker_may_drop_everything(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let mut op = ours.submit_read(vec![0; 4]);
    let (another, third) = (ours.submit_read(vec![0; 4]), ours.submit_write(vec![0; 1_000_000]));
    let dropped = Arc::new(AtomicUsize::new(0));
    when_complete(&mut op, {
        let dropped = Arc::clone(&dropped);
        move || {
            drop((another, ours, third));
            dropped.store(1, Ordering::SeqCst);
        }
    });
    (&theirs).write_all(b"now").unwrap();
    soon("the waker", || dropped.load(Ordering::SeqCst) == 1);
    assert_eq!(op.wait().0.unwrap(), 3);
}

pub(crate) fn wait_any_takes_no_waker_away(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut op = reader.submit_read(vec![0; 4]);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(Pin::new(&mut op).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(wait_any(&[&op], Some(Duration::from_millis(1))), None);
    (&writer).write_all(b"wake").unwrap();
    soon("the operation", || op.is_complete());
    soon("the task that polled before", || count.0.load(Ordering::SeqCst) == 1);
    assert_eq!(op.wait().0.unwrap(), 4);
}

pub(crate) fn two_threads_wait_for_the_same_operation(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let op = reader.submit_read(vec![0; 4]);
    let start = Instant::now();
    thread::scope(|scope| {
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let wait = scope.spawn(|| wait_any(&[&op], Some(patience())));
                thread::sleep(MOMENT);
                wait
            })
            .collect();
        (&writer).write_all(b"both").unwrap();
        for wait in waits {
            assert_eq!(wait.join().unwrap(), Some(0));
        }
    });
    assert!(start.elapsed() < patience(), "one of them was forgotten until its time was up");
    assert_eq!(op.wait().0.unwrap(), 4);
}

/// A waker whose clones, wakes and drops call a closure, as an executor's may do anything that safe
/// code can do.
pub(crate) fn nosy_waker(call: Box<dyn Fn() + Send + Sync>) -> Waker {
    type Nosy = Box<dyn Fn() + Send + Sync>;

    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            // SAFETY: from `Arc::into_raw` below, and this waker has a share of it.
            (unsafe { &*data.cast::<Nosy>() })();
            // SAFETY: as above; the new waker's share.
            unsafe { Arc::increment_strong_count(data.cast::<Nosy>()) };
            RawWaker::new(data, &VTABLE)
        },
        // SAFETY: as above; this is the end of the share.
        |data| (unsafe { Arc::from_raw(data.cast::<Nosy>()) })(),
        // SAFETY: as above; the share stays.
        |data| (unsafe { &*data.cast::<Nosy>() })(),
        // SAFETY: as above; this is the end of the share.
        |data| (unsafe { Arc::from_raw(data.cast::<Nosy>()) })(),
    );
    let data = Arc::into_raw(Arc::new(call)).cast();
    // SAFETY: the functions above keep the contract of a waker: each has a share of the `Arc`.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}

/// A waker uses the end that its task waits for. It must not be called under a lock of ours, or it
/// would wait for itself.
pub(crate) fn uses(end: &Arc<Duplex<Overlapped>>) -> Box<dyn Fn() + Send + Sync> {
    let (end, inside) = (Arc::clone(end), AtomicUsize::new(0));
    Box::new(move || {
        if inside.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = format!("{end:?}");
            drop(end.submit_read(vec![0; 4]));
            end.submit_write("").detach();
            assert!(end.read_timeout(&mut [], Duration::ZERO).is_ok());
        }
        inside.fetch_sub(1, Ordering::SeqCst);
    })
}

pub(crate) fn a_waker_may_use_its_end_wherever_it_is_called(backend: Backend) {
    let (ours, theirs) = backend.duplex();
    let ours = Arc::new(ours);
    let mut op = ours.submit_read(vec![0; 4]);
    // Cloned, and another time in the place of one that is dropped.
    for _ in 0..2 {
        let waker = nosy_waker(uses(&ours));
        assert!(Pin::new(&mut op).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    (&theirs).write_all(b"wake").unwrap();
    assert_eq!(op.wait().0.unwrap(), 4);
    // It may even end the operation that is being polled.
    let cancels = Arc::clone(&ours);
    let waker = nosy_waker(Box::new(move || cancels.cancel_all()));
    let mut op = ours.submit_read(vec![0; 4]);
    let polled = Pin::new(&mut op).poll(&mut Context::from_waker(&waker));
    let (result, _) = match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => op.wait(),
    };
    assert!(is_cancelled(&result));
}

/// It blocks, though it should not, and may hold up the very thread that the pieces of the large
/// write need.
#[cfg(windows)]
pub(crate) fn a_waker_may_write_behind_a_large_write(backend: Backend) {
    struct Writes(Writer<Overlapped>);

    impl Wake for Writes {
        fn wake(self: Arc<Self>) {
            (&self.0).write_all(b"last").unwrap();
        }
    }

    const LARGE: usize = (3 << 20) + 5;
    let (reader, writer) = backend.small_pipe();
    let mut first = writer.submit_write(test_data::bytes(0, 100_000));
    let waker = Waker::from(Arc::new(Writes(writer.try_clone().unwrap())));
    assert!(Pin::new(&mut first).poll(&mut Context::from_waker(&waker)).is_pending());
    let large = writer.submit_write(test_data::bytes(100_000, LARGE));
    let mut all = vec![0; 100_000 + LARGE + 4];
    (&reader).read_exact(&mut all).unwrap();
    test_data::check(0, &all[..100_000 + LARGE]);
    assert!(all.ends_with(b"last"));
    assert_eq!((first.wait().0.unwrap(), large.wait().0.unwrap()), (100_000, LARGE));
}

/// The caller who drops an operation is not told that it was cancelled: a task that drops the loser
/// of a race would be polled in vain.
pub(crate) fn a_dropped_operation_wakes_nobody(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let count = Arc::new(Count::default());
    for _ in 0..20 {
        let mut op = pin!(reader.submit_read(vec![0; 4]));
        assert!(op.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&count)))).is_pending());
    }
    // The next one is behind all of them.
    writer.submit_write("next").wait().0.unwrap();
    assert_eq!(reader.submit_read(vec![0; 4]).wait().1, b"next");
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
}
