//! Ending a child step by step.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::channel::System as _;
use crate::driver::{Native, NativeDriver};
use crate::process::Child;
use crate::process::call::{Call, Steps};
use crate::process::exit::Exit;
use crate::process::life::Life;
use crate::sync::{Mutex, MutexGuard, lock};

impl Child {
    /// Ends the child step by step: sends the end of file on its standard input, and waits for
    /// `grace`; asks it to [terminate](Self::terminate) if it has a
    /// [group](crate::process::Command::own_group), and waits for `grace`; kills it, with its group
    /// if it has one. Returns its exit status.
    ///
    /// If the child ends by the end of file, what it has started goes on. If it had to be asked,
    /// what it has started was asked as well, and is killed after the time of grace. The steps are
    /// taken whether or not the call is awaited, and also if it is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Exit::wait`]; the system's error, if no thread can be started that would take the
    /// steps.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::time::Duration;
    ///
    /// use anonpipe::process::{Command, Stdio};
    ///
    /// let child = Command::new("cat")
    ///     .stdin(Stdio::piped())
    ///     .own_group(true)
    ///     .spawn()?;
    /// let status = child.shutdown(Duration::from_secs(5)).wait()?;
    /// assert!(status.success(), "the end of file was enough");
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "it tells of the child's end"]
    pub fn shutdown(mut self, grace: Duration) -> Call<'static, io::Result<ExitStatus>> {
        self.stdin = None;
        let life = Arc::clone(self.life());
        let failed = Shutdown::begin(self, grace).err();
        Call::new(Await { exit: Exit::of(&life), life, failed })
    }
}

/// The steps under way. Its own waker takes them: when the child has ended, and when time is up.
struct Shutdown {
    life: Arc<Life>,
    driver: NativeDriver,
    grace: Duration,
    state: Mutex<State>,
}

struct State {
    /// Kept, so that its number is its own until it has ended.
    child: Option<Child>,
    next: Step,
    /// When the next step is due.
    due: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Terminate,
    Kill,
    /// There is nothing more to be done than to wait.
    Wait,
}

impl Shutdown {
    fn begin(child: Child, grace: Duration) -> io::Result<()> {
        let life = Arc::clone(child.life());
        life.look()?;
        let driver = match life.attached() {
            Some(driver) => driver,
            None => Native::process_driver()?,
        };
        let next = if life.system().has_group() { Step::Terminate } else { Step::Kill };
        let due = Native::now();
        let state = Mutex::new(State { child: Some(child), next, due });
        let this = Arc::new(Self { life, driver, grace, state });
        this.put_off(&mut this.state());
        this.go_on();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The next step is due after the time of grace.
    fn put_off(self: &Arc<Self>, state: &mut State) {
        // A time beyond the clock's end never comes.
        if let Some(due) = Native::deadline_in(self.grace) {
            state.due = due;
            self.driver.wake_at(due, Waker::from(Arc::clone(self)));
        } else {
            state.next = Step::Wait;
        }
    }

    /// Takes the next step if it is due, and lets the child go when there is none.
    fn go_on(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let has_ended = self.life.poll(&waker).is_ready();
        let mut state = self.state();
        if !(has_ended && state.next == Step::Terminate) && state.due <= Native::now() {
            self.take_step(&mut state);
        }
        // What it has started was asked to end, too, and has until the kill to do so.
        let was_asked = state.next == Step::Kill && self.life.system().has_group();
        let done = if has_ended && !was_asked { state.child.take() } else { None };
        drop(state);
        drop(done);
    }

    fn take_step(self: &Arc<Self>, state: &mut State) {
        let Some(child) = &mut state.child else { return };
        // What fails is made up for by the last step, and that leaves the child as it is.
        match state.next {
            Step::Terminate if child.terminate().is_ok() => {
                state.next = Step::Kill;
                self.put_off(state);
            }
            Step::Terminate | Step::Kill => {
                state.next = Step::Wait;
                let _ = child.kill_all();
            }
            Step::Wait => {}
        }
    }
}

impl Wake for Shutdown {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }
}

/// Waits for the end; the steps are taken elsewhere.
struct Await {
    exit: Exit,
    life: Arc<Life>,
    failed: Option<io::Error>,
}

impl Steps for Await {
    type Output = io::Result<ExitStatus>;

    fn poll(&mut self, waker: &Waker) -> Poll<Self::Output> {
        match self.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => self.exit.poll_by(waker),
        }
    }

    fn driver(&self) -> Option<NativeDriver> {
        self.life.attached()
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Self::Output> {
        match self.failed.take() {
            Some(error) => Some(Err(error)),
            None => self.life.wait(deadline),
        }
    }
}
