//! What the wakers of tasks may do that wait by the async traits.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use anonpipe::Overlapped;
use futures::io::{AsyncRead, AsyncWrite};

use crate::Backend;
use crate::harness::soon;
use crate::system::Handle;
use crate::wakers::{Call, nosy_waker, uses};

/// The same for a task that waits by the async traits.
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

/// A task's waker, too, on the thread that calls it: a conversion waits for nobody who merely looks at the end.
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
