//! A child's life: what is known of its end, who waits for that, and who is told.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::call::block_until;
use crate::channel::{DriverShare as _, System as _};
use crate::contract::{Action, Failure, Process as _, swallow_panic};
use crate::driver::{Listener, Native, NativeDriver};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::sys::{self, FIRST_PAUSE, LONGEST_PAUSE, Watch};

/// A child as the system knows it, what is known of its end, and those who wait for that. Shared by
/// [`Child`](super::Child), [`Exit`](super::Exit) and the thread that is told of the end.
pub(super) struct Life {
    child: sys::process::Child,
    /// The process whose child it is.
    process: sys::Process,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    end: Option<End>,
    wakers: Vec<Waker>,
    /// The caller's driver, if the child is attached to one.
    attached: Option<NativeDriver>,
    /// The driver that was asked to tell of the end, and the key that leads here.
    watch: Option<(NativeDriver, usize)>,
    /// Itself, until it has ended and can be reaped: the caller has dropped its child.
    orphan: Option<Arc<Life>>,
    /// Reap it when it has ended: no call needs its number any more.
    is_let_go: bool,
}

/// How it ended; or why that cannot be known.
type End = Result<ExitStatus, (io::ErrorKind, String)>;

impl Life {
    pub(super) fn new(child: sys::process::Child) -> Arc<Self> {
        Arc::new(Self { child, process: sys::Process::current(), state: Mutex::default() })
    }

    pub(super) fn system(&self) -> &sys::process::Child {
        &self.child
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    /// Before anything that takes a lock, which in a fork may be held for ever.
    pub(super) fn check_process(&self, action: Action) -> io::Result<()> {
        if self.is_of_this_process() {
            return Ok(());
        }
        let why = "it is a child of the process that this one was forked from";
        Err(Failure::refused(io::ErrorKind::Unsupported, why).into_io(action, None))
    }

    /// How it has ended, if it has.
    pub(super) fn look(self: &Arc<Self>) -> io::Result<Option<ExitStatus>> {
        self.check_process(Action::WaitForChild)?;
        self.find_end().map(result).transpose()
    }

    fn find_end(self: &Arc<Self>) -> Option<End> {
        if let Some(end) = &self.state().end {
            return Some(end.clone());
        }
        let end = match self.child.try_status() {
            Ok(None) => return None,
            Ok(Some(status)) => Ok(status),
            Err(error) => Err((error.kind(), error.to_string())),
        };
        Some(self.settle(end))
    }

    /// Notes how it has ended, and tells those who wait. The first answer counts.
    fn settle(self: &Arc<Self>, end: End) -> End {
        let mut state = self.state();
        let end = state.end.get_or_insert(end).clone();
        let (wakers, watch) = (std::mem::take(&mut state.wakers), state.watch.take());
        let (orphan, is_let_go) = (state.orphan.take(), state.is_let_go);
        let attached = state.attached.clone();
        drop(state);
        if let Some(watch) = watch {
            self.end_watch(&watch);
        }
        self.child.on_end();
        if is_let_go {
            self.child.reap();
        }
        for waker in wakers {
            swallow_panic(|| waker.wake());
        }
        // Where the system's threads tell of the end, the one that turns the driver may be waiting.
        if let Some(driver) = attached.filter(|_| cfg!(windows)) {
            driver.notify();
        }
        drop(orphan);
        end
    }

    /// Reaps it, if it has ended and no call will need its number: not one that leads a group.
    pub(super) fn finish(&self) {
        if !self.child.has_group() {
            self.child.reap();
        }
    }

    pub(super) fn attach(self: &Arc<Self>, driver: NativeDriver) -> io::Result<()> {
        self.check_process(Action::AttachChild)?;
        let mut state = self.state();
        if state.watch.is_some() && state.end.is_none() {
            let why = "another driver waits for it already: attach it before the first wait";
            return Err(Failure::refused(io::ErrorKind::ResourceBusy, why).into_io(Action::AttachChild, None));
        }
        state.attached = Some(driver);
        Ok(())
    }

    /// The driver that the caller turns, if the child is attached to one.
    pub(super) fn attached(&self) -> Option<NativeDriver> {
        self.state().attached.clone()
    }

    /// How it has ended; until then, `waker` is called when it has.
    pub(super) fn poll(self: &Arc<Self>, waker: &Waker) -> Poll<io::Result<ExitStatus>> {
        if let Err(error) = self.check_process(Action::WaitForChild) {
            return Poll::Ready(Err(error));
        }
        if let Some(end) = self.find_end() {
            return Poll::Ready(result(end));
        }
        let mut state = self.state();
        if state.end.is_none() && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        drop(state);
        match self.begin_watch() {
            Ok(Some(end)) => Poll::Ready(result(end)),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(Failure::from(error).into_io(Action::WaitForChild, None))),
        }
    }

    pub(super) fn forget_waker(&self, waker: &Waker) {
        if self.is_of_this_process() {
            let mut state = self.state();
            let (gone, rest) = std::mem::take(&mut state.wakers).into_iter().partition(|known| known.will_wake(waker));
            state.wakers = rest;
            drop(state);
            // It may drop a task, and with it another wait for this child.
            drop::<Vec<Waker>>(gone);
        }
    }

    /// Blocks until it has ended, or `deadline` has come.
    pub(super) fn wait(self: &Arc<Self>, deadline: Option<Instant>) -> Option<io::Result<ExitStatus>> {
        if let Some(driver) = self.is_of_this_process().then(|| self.attached()).flatten() {
            return block_until(Some(driver), deadline, |waker| self.poll(waker));
        }
        if let Some(known) = self.look().transpose() {
            return Some(known);
        }
        // Only what `look` finds counts: another thread may have been quicker.
        let waited = self.child.wait(deadline);
        match (self.look().transpose(), waited) {
            (None, Err(error)) => Some(Err(Failure::from(error).into_io(Action::WaitForChild, None))),
            (known, _) => known,
        }
    }

    /// Has a driver tell of the end, if none does yet. Returns the end if it has come.
    fn begin_watch(self: &Arc<Self>) -> io::Result<Option<End>> {
        let mut state = self.state();
        if state.end.is_none() && state.watch.is_none() {
            let driver = match &state.attached {
                Some(driver) => driver.clone(),
                None => Native::process_driver()?,
            };
            let this = Arc::downgrade(self);
            let key = driver.listen(Weak::clone(&this) as Weak<dyn Listener>);
            let tell = move || {
                if let Some(life) = this.upgrade() {
                    life.on_event();
                }
            };
            // The lock is held, so that an event that comes at once finds the key.
            let watching = self.child.watch(driver.poller(), key, tell);
            if watching.is_err() {
                driver.take_back_key(key);
            }
            if watching? == Watch::Asking {
                Asker { life: Arc::downgrade(self), pause: FIRST_PAUSE }.ask_later(&driver);
            }
            state.watch = Some((driver, key));
        }
        drop(state);
        // It may have ended before it was watched.
        Ok(self.find_end())
    }

    fn end_watch(&self, (driver, key): &(NativeDriver, usize)) {
        self.child.unwatch(driver.poller());
        driver.take_back_key(*key);
    }

    /// The [`Child`](super::Child) is dropped: the process goes on, and is reaped when it has
    /// ended.
    pub(super) fn let_go(self: &Arc<Self>) {
        if !self.is_of_this_process() {
            return;
        }
        self.state().is_let_go = true;
        if self.find_end().is_some() {
            return self.child.reap();
        }
        if !self.child.needs_care() {
            return;
        }
        let mut state = self.state();
        state.orphan = Some(Arc::clone(self));
        // Its owner need not turn a driver any more.
        let elsewhere = if state.attached.take().is_some() { state.watch.take() } else { None };
        drop(state);
        if let Some(watch) = elsewhere {
            self.end_watch(&watch);
        }
        // If that fails for want of memory or threads, the system reaps it with this process.
        if !matches!(self.begin_watch(), Ok(None)) {
            self.state().orphan = None;
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            let watch = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).watch.take();
            if let Some(watch) = watch {
                self.end_watch(&watch);
            }
        }
    }
}

impl Listener for Life {
    fn on_event(self: Arc<Self>) {
        if self.find_end().is_none() {
            // Told a moment too early.
            let driver = self.state().watch.as_ref().map(|(driver, _)| driver.clone());
            if let Some(driver) = driver {
                Asker { life: Arc::downgrade(&self), pause: FIRST_PAUSE }.ask_later(&driver);
            }
        }
    }
}

/// Asks a child again and again whether it has ended, where the system does not tell.
struct Asker {
    life: Weak<Life>,
    pause: Duration,
}

impl Asker {
    fn ask_later(self, driver: &NativeDriver) {
        let time = Native::now() + self.pause;
        driver.wake_at(time, Waker::from(Arc::new(self)));
    }
}

impl Wake for Asker {
    fn wake(self: Arc<Self>) {
        let Some(life) = self.life.upgrade() else { return };
        if life.find_end().is_none() {
            let driver = life.state().watch.as_ref().map(|(driver, _)| driver.clone());
            if let Some(driver) = driver {
                let pause = (self.pause * 2).min(LONGEST_PAUSE);
                Self { life: Weak::clone(&self.life), pause }.ask_later(&driver);
            }
        }
    }
}

fn result(end: End) -> io::Result<ExitStatus> {
    end.map_err(|(kind, why)| Failure::refused(kind, why).into_io(Action::WaitForChild, None))
}
