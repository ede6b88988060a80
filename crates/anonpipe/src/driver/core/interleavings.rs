//! A driver is dropped while its ends are in use or go, explored by loom: nothing waits for ever,
//! and no thread stays. (Loom reports a thread that never ends.)

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;

use super::{Core, DriverRef};
use crate::channel::{self, Submitted, System};
use crate::sim::explore::explore;
use crate::sim::{completion, read, readiness, write};

#[test]
fn an_abandoned_driver_ends_with_its_last_reference() {
    explore(|| {
        let core = Arc::new(Core::<readiness::Sim>::new().unwrap());
        let (one, other) = (core.make_ref(), core.make_ref());
        let dropping = thread::spawn(move || drop(one));
        core.abandon();
        drop(other);
        dropping.join().unwrap();
    });
}

/// Wakes the thread that waits in [`park_until_complete`].
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits as an executor does, without turning the driver.
fn park_until_complete<S: System>(mut pending: Submitted<Vec<u8>, S>) -> Vec<u8> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready((outcome, mut buffer)) = pending.poll(&mut context) {
            buffer.truncate(outcome.unwrap());
            return buffer;
        }
        thread::park();
    }
}

fn what_is_in_flight_is_served<S: System<Driver = DriverRef<S>>>(pipe: fn() -> (Arc<S::Channel>, Arc<S::Channel>)) {
    let (reader, writer) = pipe();
    let core = Arc::new(Core::<S>::new().unwrap());
    channel::attach::<S>(&reader, core.make_ref()).unwrap();
    let pending = read::<S>(&reader, 4);
    let writing = thread::spawn(move || {
        write::<S>(&writer, b"data").detach();
        writer
    });
    core.abandon();
    assert_eq!(park_until_complete(pending), b"data");
    let _writer = writing.join().unwrap();
}

#[test]
fn an_abandoned_driver_serves_what_is_in_flight_on_readiness() {
    explore(|| what_is_in_flight_is_served::<readiness::Sim>(|| readiness::pipe(8)));
}

#[test]
fn an_abandoned_driver_serves_what_is_in_flight_on_completion() {
    explore(|| what_is_in_flight_is_served::<completion::Sim>(|| completion::pipe(8, true)));
}
