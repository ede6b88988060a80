//! Where actors work: threads and executors, some of which end while they do.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use futures::executor::LocalPool;
use futures::future::{Either, select};
use futures::task::LocalSpawnExt;
use smol::Timer;
use tokio::runtime::{Handle, Runtime};

use crate::both::BothActor;
use crate::control::Actor;
use crate::crew;
use crate::executors::{current_thread, multi_thread};
use crate::plan::{Errand, THREADS_OF_RUNTIMES_END, Venue};
use crate::read::ReadingActor;
use crate::tally::Tally;
use crate::write::WritingActor;

/// An actor that came home.
#[derive(Debug)]
pub(crate) enum Home {
    Reader(Box<ReadingActor>),
    Writer(Box<WritingActor>),
    Both(Box<BothActor>),
}

impl Home {
    pub(crate) fn reader(self) -> Box<ReadingActor> {
        if let Self::Reader(actor) = self { actor } else { unreachable!("a reader was sent out") }
    }

    pub(crate) fn writer(self) -> Box<WritingActor> {
        if let Self::Writer(actor) = self { actor } else { unreachable!("a writer was sent out") }
    }

    pub(crate) fn both(self) -> Box<BothActor> {
        if let Self::Both(actor) = self { actor } else { unreachable!("one for both was sent out") }
    }
}

impl From<ReadingActor> for Home {
    fn from(actor: ReadingActor) -> Self {
        Self::Reader(Box::new(actor))
    }
}

impl From<WritingActor> for Home {
    fn from(actor: WritingActor) -> Self {
        Self::Writer(Box::new(actor))
    }
}

impl From<BothActor> for Home {
    fn from(actor: BothActor) -> Self {
        Self::Both(Box::new(actor))
    }
}

/// An actor on its way, which comes home even if the task that it is in is dropped.
struct Traveller<A: Actor + Into<Home>> {
    actor: Option<A>,
    home: Sender<Home>,
    done: bool,
}

impl<A: Actor + Into<Home>> Traveller<A> {
    async fn go(mut self, blocking: bool) {
        self.actor.as_mut().expect("it is on its way").work(blocking).await;
        self.done = true;
    }
}

impl<A: Actor + Into<Home>> Drop for Traveller<A> {
    fn drop(&mut self) {
        if !self.done {
            Tally::Interrupted.one();
        }
        if let Some(actor) = self.actor.take() {
            let _ = self.home.send(actor.into());
        }
    }
}

/// Sends an actor on an errand; it comes `home` when it is done, or when it is interrupted.
pub(crate) fn send_out<A: Actor + Into<Home>>(errand: Errand, actor: A, home: &Sender<Home>) {
    Tally::Phases.one();
    let traveller = Traveller { actor: Some(actor), home: home.clone(), done: false };
    crew::send_out(move || run(errand, traveller));
}

/// On a thread that is there for it.
fn run<A: Actor + Into<Home>>(errand: Errand, traveller: Traveller<A>) {
    let Errand { venue, interrupted, .. } = errand;
    match (venue, interrupted) {
        (Venue::Thread, _) => pollster::block_on(traveller.go(true)),
        (Venue::TokioCurrentThread, None) => current_thread().block_on(traveller.go(false)),
        (Venue::TokioCurrentThread, Some(time)) => {
            let runtime = current_thread();
            runtime.spawn(traveller.go(false));
            runtime.block_on(async { tokio::time::sleep(time).await });
            Tally::Shutdowns.one();
        }
        (Venue::TokioMultiThread, None) => {
            let runtime = multi_thread();
            let task = runtime.spawn(traveller.go(false));
            runtime.block_on(task).expect("a task that is not aborted");
        }
        (Venue::TokioMultiThread, Some(time)) => {
            let runtime = multi_thread();
            runtime.spawn(traveller.go(false));
            thread::sleep(time);
            end(runtime, errand.steps);
        }
        (Venue::TokioShared, None) => drop(shared().spawn(traveller.go(false))),
        (Venue::TokioShared, Some(time)) => {
            let task = shared().spawn(traveller.go(false));
            thread::sleep(time);
            task.abort();
        }
        (Venue::Smol, time) => {
            let executor = smol::Executor::new();
            let task = executor.spawn(traveller.go(false));
            smol::block_on(executor.run(async {
                match time {
                    None => task.await,
                    Some(time) => {
                        Timer::after(time).await;
                        // An executor that is dropped keeps a task that is being woken at that
                        // moment, for ever.
                        task.cancel().await;
                    }
                }
            }));
        }
        (Venue::SmolShared, None) => smol::spawn(traveller.go(false)).detach(),
        (Venue::SmolShared, Some(time)) => {
            let task = smol::spawn(traveller.go(false));
            thread::sleep(time);
            drop(task);
        }
        (Venue::LocalPool, None) => {
            let mut pool = LocalPool::new();
            pool.spawner().spawn_local(traveller.go(false)).expect("the pool is there");
            pool.run();
        }
        (Venue::LocalPool, Some(time)) => {
            let mut pool = LocalPool::new();
            pool.spawner().spawn_local(traveller.go(false)).expect("the pool is there");
            pool.run_until(Timer::after(time));
        }
        (Venue::FuturesBlockOn, _) => futures::executor::block_on(limited(traveller.go(false), interrupted)),
        (Venue::Driver, _) => {
            let driver = anonpipe::Driver::new().expect("a driver");
            driver.block_on(limited(traveller.go(false), interrupted));
        }
    }
}

/// Runs a future to its end, or until the time is up.
async fn limited(future: impl Future<Output = ()>, time: Option<Duration>) {
    match time {
        None => future.await,
        Some(time) => match select(Box::pin(future), Timer::after(time)).await {
            Either::Left(((), _)) | Either::Right((_, _)) => {}
        },
    }
}

/// Ends a runtime, and waits for that or does not.
fn end(runtime: Runtime, choice: usize) {
    if choice.is_multiple_of(2) {
        drop(runtime)
    } else {
        runtime.shutdown_background()
    }
    Tally::Shutdowns.one();
}

/// The runtime that all share, until it is ended; then the next.
static SHARED: Mutex<Option<Runtime>> = Mutex::new(None);

fn shared() -> Handle {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.get_or_insert_with(multi_thread).handle().clone()
}

/// Ends the runtime that all share, with what runs in it.
pub(crate) fn end_shared(choice: usize) {
    if !THREADS_OF_RUNTIMES_END {
        return;
    }
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = shared {
        end(runtime, choice);
    }
}
