//! What the wakers of tasks may do.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use anonpipe::{Overlapped, Reader, Writer};
use futures::io::{AsyncRead, AsyncWrite};

use crate::Backend;
use crate::executors::Family;
use crate::harness::soon;
use crate::manual_polls::{MUCH, at_once_or_pending};
use crate::system::Handle;
use crate::wakers::{Call, nosy_waker, uses};

/// The same as for an operation's waker, for a task that waits by the async traits.
pub(crate) fn a_tasks_waker_may_use_its_end_wherever_it_is_called(backend: Backend) {
    let runtime = crate::executors::multi_thread();
    for in_runtime in [false, true] {
        let _entered = in_runtime.then(|| runtime.enter());
        let (ours, theirs) = backend.duplex();
        let mut task = ours.try_clone().unwrap();
        let ours = Arc::new(ours);
        let mut buffer = [0; 4];
        for _ in 0..4 {
            let waker = nosy_waker(uses(&ours));
            let mut context = Context::from_waker(&waker);
            if in_runtime {
                let mut buffer = tokio::io::ReadBuf::new(&mut buffer);
                assert!(tokio::io::AsyncRead::poll_read(Pin::new(&mut task), &mut context, &mut buffer).is_pending());
            } else {
                assert!(AsyncRead::poll_read(Pin::new(&mut task), &mut context, &mut buffer).is_pending());
            }
        }
        while {
            let waker = nosy_waker(uses(&ours));
            let mut context = Context::from_waker(&waker);
            AsyncWrite::poll_write(Pin::new(&mut task), &mut context, &[7; 100_000]).is_ready()
        } {}
        (&theirs).write_all(b"wake").unwrap();
        let mut read = vec![0; 4];
        (&theirs).read_exact(&mut read).unwrap();
        drop(task);
        ours.cancel_all();
    }
}

/// A task's waker, too, on the thread that calls it: a conversion does not wait for a thread that
/// merely looks at the end.
pub(crate) fn a_tasks_waker_may_convert_the_end(backend: Backend) {
    let runtime = crate::executors::multi_thread();
    for in_runtime in [false, true] {
        let _entered = runtime.enter();
        let (mut reader, writer) = backend.pipe();
        let mut poll = |waker: &Waker| {
            let mut buffer = [0; 4];
            let mut context = Context::from_waker(waker);
            if in_runtime {
                let mut buffer = tokio::io::ReadBuf::new(&mut buffer);
                tokio::io::AsyncRead::poll_read(Pin::new(&mut reader), &mut context, &mut buffer).is_pending()
            } else {
                AsyncRead::poll_read(Pin::new(&mut reader), &mut context, &mut buffer).is_pending()
            }
        };
        // The first polls may ask to be called again at once.
        for _ in 0..2 {
            assert!(poll(Waker::noop()));
        }
        let end = Arc::new(Mutex::new(None::<anonpipe::Reader<Overlapped>>));
        let converted = Arc::new(Mutex::new(None));
        let call: Box<dyn FnOnce() + Send> = Box::new({
            let (end, converted) = (Arc::clone(&end), Arc::clone(&converted));
            move || {
                let end = end.lock().unwrap().take().unwrap();
                let result = Handle::try_from(end).map(drop).map_err(|failed| failed.into_parts().0);
                *converted.lock().unwrap() = Some(result);
            }
        });
        assert!(poll(&Waker::from(Arc::new(Call(Mutex::new(Some(call)))))));
        *end.lock().unwrap() = Some(reader);
        let start = Instant::now();
        (&writer).write_all(b"wake").unwrap();
        soon("the conversion", || converted.lock().unwrap().is_some());
        assert!(start.elapsed() < Duration::from_millis(900), "it waited for itself");
        if let Some(Err(error)) = converted.lock().unwrap().take() {
            // Windows: the end was bound to our port by the task's wait, for good.
            assert_eq!(std::env::consts::OS, "windows", "{error}");
        }
    }
}

/// Keeps something alive as long as itself, as the waker of a task of a hand-written executor does.
struct Holds<T>(#[allow(dead_code, reason = "held, never looked at")] Mutex<T>);

impl<T: Send> Wake for Holds<T> {
    fn wake(self: Arc<Self>) {}
}

fn waker_that_holds<T: Send + 'static>(thing: T) -> Waker {
    Waker::from(Arc::new(Holds(Mutex::new(thing))))
}

/// The end goes from one task to another. The first poll there drops the first task's waker, and
/// with it perhaps the task and all that it owns, such as another handle to the same end. Under a
/// lock that the drop of this handle takes as well, this would be a deadlock (tokio-rs/tokio#5429).
pub(crate) fn the_waker_of_whoever_had_it_before_may_own_a_handle(backend: Backend) {
    for family in Family::BOTH {
        let ((mut reader, _writer), (_reader, mut writer)) = (backend.pipe(), backend.small_pipe());
        let (mut others, mut buffer) = ((reader.try_clone().unwrap(), writer.try_clone().unwrap()), [0; 4]);
        while at_once_or_pending(|context| family.poll_write(&mut others.1, context, &[7; MUCH])) {}
        while at_once_or_pending(|context| family.poll_write(&mut writer, context, &[7; MUCH])) {}
        let mut wait = |ends: (&mut Reader<Overlapped>, &mut Writer<Overlapped>), wakers: [&Waker; 2]| {
            // The first polls may ask to be repeated at once, and do not wait.
            for _ in 0..4 {
                let read = family.poll_read(ends.0, &mut Context::from_waker(wakers[0]), &mut buffer);
                let write = family.poll_write(ends.1, &mut Context::from_waker(wakers[1]), &[7; MUCH]);
                assert!(read.is_pending() && write.is_pending());
            }
        };
        wait((&mut others.0, &mut others.1), [Waker::noop(); 2]);
        let first = (waker_that_holds(others.0), waker_that_holds(others.1));
        wait((&mut reader, &mut writer), [&first.0, &first.1]);
        drop(first);
        wait((&mut reader, &mut writer), [Waker::noop(); 2]);
    }
    // An operation's.
    let (reader, _writer) = backend.pipe();
    let mut op = reader.submit_read(vec![0; 4]);
    let first = waker_that_holds(reader);
    assert!(Pin::new(&mut op).poll(&mut Context::from_waker(&first)).is_pending());
    drop(first);
    let _ = Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop()));
}
