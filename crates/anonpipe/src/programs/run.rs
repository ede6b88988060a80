//! Runs a program, and compares every answer with what is promised.

mod blocked;
mod finish;
mod handles;
mod meanwhile;
mod tasks;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::promise::{Call, Promise};
use super::{End, Program, Step, World};
use crate::channel::System as _;
use crate::contract::Half;
use crate::end::{Access, EndHandle};
use crate::op::Operation;

/// The most handles to one pipe.
const MOST_HANDLES: usize = 7;

/// Whether a waiting operation or task was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Bell {
    fn rang(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A task that was told to wait.
struct Waiting {
    bell: Arc<Bell>,
    runtime: bool,
    /// How often everything was cancelled when the wait began.
    cancels: usize,
    units: u8,
}

/// A handle in overlapped mode.
struct Handle<W: World> {
    end: EndHandle<W::System>,
    side: usize,
    access: Access,
    closed: bool,
    reads: Option<Waiting>,
    writes: Option<Waiting>,
    /// What was accepted from this handle's task, and may still fail.
    accepted: Vec<usize>,
}

impl<W: World> Handle<W> {
    fn new(end: EndHandle<W::System>, side: usize, access: Access) -> Self {
        Self { end, side, access, closed: false, reads: None, writes: None, accepted: Vec::new() }
    }

    /// A writer that was closed has given up its pipe.
    fn has_the_pipe(&self) -> bool {
        !(self.closed && self.access == Access::Write)
    }

    fn is_for(&self, half: Half) -> bool {
        match half {
            Half::Read => self.access != Access::Write,
            Half::Write => self.access != Access::Read && !self.closed,
        }
    }
}

fn milliseconds<W: World>(timeout: u8) -> Duration {
    W::MILLISECOND * timeout.into()
}

struct Pending<W: World> {
    operation: Operation<Vec<u8>, W::System>,
    half: Half,
    side: usize,
    number: usize,
    bell: Option<Arc<Bell>>,
}

pub(crate) struct Run<W: World> {
    pending: Vec<Pending<W>>,
    handles: Vec<Handle<W>>,
    /// The ends in blocking mode.
    blocking: [Option<W::Blocking>; 2],
    duplex: bool,
    /// Of the stream that each end reads.
    promises: [Promise; 2],
    /// How often all operations of a half of an end were cancelled.
    cancels: [[usize; 2]; 2],
    calls: usize,
    log: Option<Vec<String>>,
    world: W,
}

/// Runs a program. Returns how many calls it made.
///
/// # Errors
///
/// The promise that was broken.
pub(crate) fn run<W: World>(program: &Program, log: bool) -> Result<usize, String> {
    let setup = &program.setup;
    let (world, ends) = W::begin(setup);
    let promise = || Promise::new(world.unit(), setup.faults && W::IN_MEMORY);
    let promises = [promise(), promise()];
    let mut run = Run::<W> {
        pending: Vec::new(),
        handles: Vec::new(),
        blocking: [None, None],
        duplex: setup.duplex,
        promises,
        cancels: [[0; 2]; 2],
        calls: 0,
        log: log.then(Vec::new),
        world,
    };
    for (side, end) in ends.into_iter().enumerate() {
        let access = match (setup.duplex, side) {
            (true, _) => Access::Both,
            (false, 0) => Access::Read,
            (false, _) => Access::Write,
        };
        match end {
            End::Overlapped(end) => run.handles.push(Handle::new(end, side, access)),
            End::Blocking(end) => run.blocking[side] = Some(end),
        }
    }
    let result = run.go(&program.steps);
    if let (Err(_), Some(log)) = (&result, &run.log) {
        println!("{}", log.join("\n"));
    }
    let calls = run.calls;
    run.end();
    result.map(|()| calls)
}

impl<W: World> Run<W> {
    fn go(&mut self, steps: &[Step]) -> Result<(), String> {
        let mut rest = steps;
        while let Some(place) = rest.iter().position(|step| *step == Step::EndThread) {
            let (first, others) = rest.split_at(place + 1);
            W::take_steps(self, first)?;
            rest = others;
        }
        self.take_steps(rest)?;
        self.note(|| "the end".into());
        self.finish()
    }

    pub(crate) fn take_steps(&mut self, steps: &[Step]) -> Result<(), String> {
        let mut steps = steps.iter().peekable();
        while let Some(step) = steps.next() {
            let other = steps.peek().and_then(|next| self.begin_meanwhile(*step, **next));
            if other.is_some() {
                self.note(|| format!("meanwhile {:?}, while", steps.peek()));
                steps.next();
            }
            self.note(|| format!("{step:?}"));
            let result = self.step(*step);
            if let Some(other) = other {
                self.end_meanwhile(other);
            }
            result?;
        }
        Ok(())
    }

    /// Lets go of everything, also after a failure.
    fn end(mut self) {
        self.pending.clear();
        self.handles.clear();
        self.blocking = [None, None];
        self.world.settle();
        self.world.end();
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(what());
        }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        self.calls += 1;
        let step = if self.blocking.iter().all(Option::is_some) { step.of_a_blocked_thread() } else { step };
        match step {
            Step::SubmitRead { on, units } => self.submit(Half::Read, on, units),
            Step::SubmitWrite { on, units } => self.submit(Half::Write, on, units),
            Step::Poll { on } => self.operation(on).map_or(Ok(()), |index| self.poll(index).map(drop))?,
            Step::Wait { on, timeout } => self.operation(on).map_or(Ok(()), |index| self.wait(index, timeout))?,
            Step::Cancel { on } => self.cancel(on),
            Step::DropOperation { on } => self.let_go(on, false),
            Step::Detach { on } => self.let_go(on, true),
            Step::PollRead { on, units, runtime } => {
                if let Some(index) = self.handle(Half::Read, on) {
                    self.poll_read(index, units, runtime)?;
                }
            }
            Step::PollWrite { on, units, runtime } => {
                if let Some(index) = self.handle(Half::Write, on) {
                    self.poll_write(index, units, runtime)?;
                }
            }
            Step::PollFlush { on } => self.handle(Half::Write, on).map_or(Ok(()), |index| self.poll_flush(index))?,
            Step::PollClose { on } => self.handle(Half::Write, on).map_or(Ok(()), |index| self.poll_close(index))?,
            Step::Read { on, units, timeout } => self.read(on, units, timeout)?,
            Step::Write { on, units, timeout } => self.write(on, units, timeout)?,
            Step::CancelAll { on } => self.cancel_all(on),
            Step::Clone { on } => self.clone(on),
            Step::DropHandle { on } => self.drop_handle(on),
            Step::Split { on } => self.split(on),
            Step::Join { on } => self.join(on),
            Step::ShutDown { on } => self.shut_down(on)?,
            Step::Convert { on } => self.convert(on)?,
            Step::Attach { on } => self.attach(on)?,
            Step::Fork { on } => self.fork(on)?,
            Step::EndThread => {
                if self.world.end_thread() {
                    for promise in &mut self.promises {
                        promise.thread_ended = true;
                    }
                }
            }
            Step::Turn => self.world.turn(),
        }
        Ok(())
    }

    fn any(count: usize, on: u8) -> Option<usize> {
        usize::from(on).checked_rem(count)
    }

    /// A handle that has this half.
    fn handle(&self, half: Half, on: u8) -> Option<usize> {
        let suitable = || (0..self.handles.len()).filter(|index| self.handles[*index].is_for(half));
        suitable().nth(Self::any(suitable().count(), on)?)
    }

    fn operation(&self, on: u8) -> Option<usize> {
        Self::any(self.pending.len(), on)
    }

    /// What is promised about the stream that is transferred by this half of this end.
    fn promise(&mut self, half: Half, side: usize) -> &mut Promise {
        &mut self.promises[if half == Half::Read { side } else { 1 - side }]
    }

    fn submit(&mut self, half: Half, on: u8, units: u8) {
        let Some(index) = self.handle(half, on) else { return };
        let side = self.handles[index].side;
        let promise = self.promise(half, side);
        let (number, bytes) = match half {
            Half::Read => {
                let (number, length) = promise.read_begins(units);
                (number, vec![0xFF; length])
            }
            Half::Write => match promise.write_begins(units) {
                Some(begun) => begun,
                None => return,
            },
        };
        let end = &self.handles[index].end;
        let operation = if half == Half::Read { end.submit_read(bytes) } else { end.submit_write(bytes) };
        self.note(|| format!("  {half:?} {number} of end {side}"));
        self.pending.push(Pending { operation, half, side, number, bell: None });
    }

    /// Polls an operation. Returns whether it is over.
    fn poll(&mut self, index: usize) -> Result<bool, String> {
        let pending = &mut self.pending[index];
        let bell = Arc::new(Bell::default());
        match pending.operation.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&bell)))) {
            Poll::Pending => {
                pending.bell = Some(bell);
                Ok(false)
            }
            Poll::Ready((outcome, buffer)) => self.operation_ended(index, &outcome, &buffer).map(|()| true),
        }
    }

    fn wait(&mut self, index: usize, timeout: u8) -> Result<(), String> {
        match self.pending[index].operation.wait(W::System::deadline_in(milliseconds::<W>(timeout))) {
            None => Ok(()),
            Some((outcome, buffer)) => self.operation_ended(index, &outcome, &buffer),
        }
    }

    fn operation_ended(&mut self, index: usize, outcome: &io::Result<usize>, buffer: &[u8]) -> Result<(), String> {
        let Pending { half, side, number, .. } = self.pending.swap_remove(index);
        self.ended(half, side, number, Call::Operation, outcome, buffer)
    }

    fn ended(
        &mut self,
        half: Half,
        side: usize,
        number: usize,
        call: Call,
        outcome: &io::Result<usize>,
        buffer: &[u8],
    ) -> Result<(), String> {
        self.note(|| {
            let told = outcome.as_ref().map_err(ToString::to_string);
            format!("  {half:?} {number} of end {side}: {told:?}")
        });
        match half {
            Half::Read => self.promises[side].read_ended(number, call, outcome, buffer),
            Half::Write => {
                let is_known = self.knows_what_went(side, &[number]);
                self.promises[1 - side].write_ended(number, call, outcome, is_known)
            }
        }
    }

    /// Whether it is known how much went of each of these writes of an end.
    fn knows_what_went(&self, side: usize, writes: &[usize]) -> bool {
        let stream = 1 - side;
        writes.iter().all(|write| self.world.knows_what_went(stream, self.promises[stream].bytes_of(*write)))
    }

    fn cancel(&mut self, on: u8) {
        let Some(index) = self.operation(on) else { return };
        let Pending { half, side, number, .. } = self.pending[index];
        match half {
            Half::Read => self.promises[side].cancel_read(number),
            Half::Write => self.promises[1 - side].cancel_write(number),
        }
        self.pending[index].operation.submitted().cancel();
    }

    fn let_go(&mut self, on: u8, detach: bool) {
        let Some(index) = self.operation(on) else { return };
        let Pending { operation, half, side, number, .. } = self.pending.swap_remove(index);
        match half {
            Half::Read => self.promises[side].read_is_let_go(number),
            Half::Write => self.promises[1 - side].write_is_let_go(number, detach),
        }
        if detach {
            operation.detach();
        }
    }

    fn cancel_all(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on) else { return };
        self.are_cancelled(index);
        self.handles[index].end.cancel_all();
    }

    /// What a handle reads and writes is cancelled.
    fn are_cancelled(&mut self, index: usize) {
        let handle = &self.handles[index];
        let (side, access, has_the_pipe) = (handle.side, handle.access, handle.has_the_pipe());
        if access != Access::Write {
            self.all_are_cancelled(Half::Read, side);
        }
        if access != Access::Read && has_the_pipe {
            self.all_are_cancelled(Half::Write, side);
        }
    }

    fn all_are_cancelled(&mut self, half: Half, side: usize) {
        self.cancels[side][half as usize] += 1;
        match half {
            Half::Read => self.promises[side].cancel_reads(),
            Half::Write => {
                let of_this_end = self.handles.iter().filter(|handle| handle.side == side);
                let accepted: Vec<_> = of_this_end.flat_map(|handle| handle.accepted.iter().copied()).collect();
                self.promises[1 - side].cancel_writes(&accepted);
            }
        }
    }
}
