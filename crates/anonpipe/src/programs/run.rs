//! Runs a program, and compares every answer with what is promised.

mod finish;

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::promise::{Call, Promise};
use super::{End, Program, Step, World};
use crate::channel::System as _;
use crate::contract::{Error, Half};
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

struct Run<W: World> {
    pending: Vec<Pending<W>>,
    handles: Vec<Handle<W>>,
    /// The end in blocking mode, if there is one.
    blocking: Option<(W::Blocking, usize)>,
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
        blocking: None,
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
            End::Blocking(end) => run.blocking = Some((end, side)),
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
        for step in steps {
            self.note(|| format!("{step:?}"));
            self.step(*step)?;
        }
        self.note(|| "the end".into());
        self.finish()
    }

    /// Lets go of everything, also after a failure.
    fn end(mut self) {
        self.pending.clear();
        self.handles.clear();
        self.blocking = None;
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
            Half::Write => self.promises[1 - side].write_ended(number, call, outcome),
        }
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

    /// The state of a task that polls: its bell, and how it may end.
    fn waiting(&mut self, half: Half, index: usize, units: u8, runtime: bool) -> (Waiting, bool) {
        let handle = &mut self.handles[index];
        let cancels = self.cancels[handle.side][half as usize];
        let before = if half == Half::Read { handle.reads.take() } else { handle.writes.take() };
        let since = before.map_or(cancels, |before| before.cancels);
        (Waiting { bell: Arc::default(), runtime, cancels: since, units }, cancels != since)
    }

    fn poll_read(&mut self, index: usize, units: u8, runtime: bool) -> Result<bool, String> {
        let (waiting, cancelled) = self.waiting(Half::Read, index, units, runtime);
        let side = self.handles[index].side;
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let waker = Waker::from(Arc::clone(&waiting.bell));
        let end = &mut self.handles[index].end;
        let polled = self.world.poll(runtime, |woken_by| {
            end.poll_read(woken_by, &mut Context::from_waker(&waker), &mut [IoSliceMut::new(&mut buffer)])
        });
        match polled {
            Poll::Ready(outcome) => {
                self.ended(Half::Read, side, number, Call::Task { cancelled }, &outcome, &buffer).map(|()| true)
            }
            Poll::Pending => {
                self.promises[side].read_would_block(number);
                self.handles[index].reads = Some(waiting);
                Ok(false)
            }
        }
    }

    fn poll_write(&mut self, index: usize, units: u8, runtime: bool) -> Result<bool, String> {
        let (waiting, cancelled) = self.waiting(Half::Write, index, units, runtime);
        let side = self.handles[index].side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(true) };
        let waker = Waker::from(Arc::clone(&waiting.bell));
        let end = &mut self.handles[index].end;
        let polled = self.world.poll(runtime, |woken_by| {
            end.poll_write(woken_by, &mut Context::from_waker(&waker), &[IoSlice::new(&bytes)])
        });
        match polled {
            Poll::Ready(Ok(count)) => {
                self.handles[index].accepted.push(number);
                let cancelled_since = Call::Task { cancelled: true };
                self.ended(Half::Write, side, number, cancelled_since, &Ok(count), &[]).map(|()| true)
            }
            Poll::Ready(Err(error)) => {
                self.promises[1 - side].write_would_block(number);
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                if accepted.is_empty() {
                    let call = Call::Task { cancelled };
                    return self.ended(Half::Write, side, number, call, &Err(error), &[]).map(|()| true);
                }
                // It may be that of an accepted write.
                self.note(|| format!("  Write {number} of end {side}, or one before: {error}"));
                self.promises[1 - side].one_failed(accepted, Some(number), &error).map(|()| true)
            }
            Poll::Pending => {
                self.promises[1 - side].write_would_block(number);
                self.handles[index].writes = Some(waiting);
                Ok(false)
            }
        }
    }

    fn accepted_failed(&mut self, index: usize) {
        let accepted = std::mem::take(&mut self.handles[index].accepted);
        self.promises[1 - self.handles[index].side].accepted_writes_went(&accepted, false);
    }

    fn poll_flush(&mut self, index: usize) -> Result<(), String> {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = self.handles[index].end.poll_flush(&mut Context::from_waker(&waker));
        self.told_to_wait(index, polled.is_pending(), bell);
        self.flushed(index, polled)
    }

    /// The task that waits for a write is the one that polled last.
    fn told_to_wait(&mut self, index: usize, waits: bool, bell: Arc<Bell>) {
        let waiting = self.handles[index].writes.as_mut();
        if let Some(waiting) = waiting.filter(|waiting| waits && !waiting.bell.rang()) {
            waiting.bell = bell;
        }
    }

    fn flushed(&mut self, index: usize, polled: Poll<io::Result<()>>) -> Result<(), String> {
        self.note(|| format!("  {polled:?}"));
        match polled {
            Poll::Ready(Ok(())) => {
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                self.promises[1 - self.handles[index].side].accepted_writes_went(&accepted, true);
            }
            Poll::Ready(Err(error)) => {
                if self.handles[index].accepted.is_empty() && !self.promises[1 - self.handles[index].side].may_fail() {
                    return Err(format!("a flush of nothing failed: {error}"));
                }
                let accepted = std::mem::take(&mut self.handles[index].accepted);
                self.promises[1 - self.handles[index].side].one_failed(accepted, None, &error)?;
            }
            Poll::Pending if self.handles[index].accepted.is_empty() => {
                return Err("a flush of nothing waits".into());
            }
            Poll::Pending => {}
        }
        Ok(())
    }

    fn poll_close(&mut self, index: usize) -> Result<(), String> {
        // Whether this is so or not, the end of file may come once the close is over.
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = self.handles[index].end.poll_close(&mut Context::from_waker(&waker));
        self.told_to_wait(index, polled.is_pending(), bell);
        if polled.is_ready() {
            // If nothing was closed, nothing is checked of it any more.
            let (side, access) = (self.handles[index].side, self.handles[index].access);
            self.handles[index].closed = true;
            let failed = matches!(polled, Poll::Ready(Err(_)));
            if failed {
                self.accepted_failed(index);
            }
            if access == Access::Both || self.duplex {
                self.promises[1 - side].no_writer = true;
            }
            self.check_writers(side);
            if failed {
                return Ok(());
            }
        }
        self.flushed(index, polled)
    }

    /// The calls of blocked threads may end up in the end that is in blocking mode.
    fn blocked(&self, half: Half, on: u8) -> Option<Option<usize>> {
        let is_for = |side: &usize| self.duplex || (*side == 0) == (half == Half::Read);
        let has_blocking = self.blocking.as_ref().is_some_and(|(_, side)| is_for(side));
        match self.handle(half, on) {
            Some(index) if !has_blocking || on.is_multiple_of(2) => Some(Some(index)),
            _ => has_blocking.then_some(None),
        }
    }

    fn read(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.blocked(Half::Read, on) {
            None => return Ok(()),
            Some(Some(index)) => index,
            Some(None) => return self.read_for_long(units),
        };
        let side = self.handles[index].side;
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = self.handles[index].end.read_timeout(&mut buffer, milliseconds::<W>(timeout));
        self.ended(Half::Read, side, number, Call::Blocked, &outcome, &buffer)
    }

    /// Reads from the end in blocking mode, if there is certainly something to read.
    fn read_for_long(&mut self, units: u8) -> Result<(), String> {
        let Some((end, side)) = &mut self.blocking else { return Ok(()) };
        let side = *side;
        if self.promises[side].available() == 0 {
            return Ok(());
        }
        let (number, length) = self.promises[side].read_begins(units);
        let mut buffer = vec![0xFF; length];
        let outcome = W::read(end, &mut buffer);
        self.ended(Half::Read, side, number, Call::Patient, &outcome, &buffer)
    }

    fn write(&mut self, on: u8, units: u8, timeout: u8) -> Result<(), String> {
        let index = match self.blocked(Half::Write, on) {
            None => return Ok(()),
            Some(Some(index)) => index,
            Some(None) => return self.write_for_long(units),
        };
        let side = self.handles[index].side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = self.handles[index].end.write_timeout(&bytes, milliseconds::<W>(timeout));
        self.ended(Half::Write, side, number, Call::Blocked, &outcome, &[])
    }

    /// Writes to the end in blocking mode, whose pipe has room for whole programs.
    fn write_for_long(&mut self, units: u8) -> Result<(), String> {
        let Some((end, side)) = &mut self.blocking else { return Ok(()) };
        let side = *side;
        let Some((number, bytes)) = self.promises[1 - side].write_begins(units) else { return Ok(()) };
        let outcome = W::write(end, &bytes);
        self.ended(Half::Write, side, number, Call::Patient, &outcome, &[])
    }

    fn cancel_all(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on) else { return };
        let handle = &self.handles[index];
        let (side, access, has_the_pipe) = (handle.side, handle.access, handle.has_the_pipe());
        if access != Access::Write {
            self.all_are_cancelled(Half::Read, side);
        }
        if access != Access::Read && has_the_pipe {
            self.all_are_cancelled(Half::Write, side);
        }
        self.handles[index].end.cancel_all();
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

    fn clone(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on).filter(|_| self.handles.len() < MOST_HANDLES) else {
            return;
        };
        let handle = &self.handles[index];
        let mut clone = Handle::new(handle.end.clone_handle(), handle.side, handle.access);
        clone.closed = handle.closed;
        self.handles.push(clone);
    }

    fn drop_handle(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on) else { return };
        // The last handles of an end go only now and then: there is little left to do without them.
        let side = self.handles[index].side;
        if on < 10 && self.handles.iter().filter(|handle| handle.side == side).count() == 1 {
            return;
        }
        self.drop_at(index);
    }

    fn drop_at(&mut self, index: usize) {
        let handle = self.handles.remove(index);
        let side = handle.side;
        self.note(|| format!("  a handle of end {side}"));
        let reads = |handles: &[Handle<W>]| handles.iter().any(|other| other.side == side && other.is_for(Half::Read));
        if handle.is_for(Half::Read) && !reads(&self.handles) {
            // Dropping the last reader cancels its reads.
            self.all_are_cancelled(Half::Read, side);
            self.promises[side].reader_goes();
        }
        if !handle.accepted.is_empty() {
            // Whether they went is not known any more, if something fails.
            let promise = &mut self.promises[1 - side];
            if promise.may_fail() {
                promise.accepted_writes_went(&handle.accepted, false);
            } else {
                promise.writes_are_on_their_own(&handle.accepted);
            }
        }
        drop(handle);
        self.check_writers(side);
        if !self.handles.iter().any(|other| other.side == side && other.has_the_pipe()) {
            self.promises[side].reader_goes();
        }
    }

    /// The end of file may come if an end that only writes has no handle that is open, or a duplex
    /// end has none.
    fn check_writers(&mut self, side: usize) {
        let blocks = self.blocking.as_ref().is_some_and(|(_, of)| *of == side);
        let is_open = |handle: &Handle<W>| handle.has_the_pipe() && (self.duplex || handle.is_for(Half::Write));
        if !blocks && !self.handles.iter().any(|handle| handle.side == side && is_open(handle)) {
            self.promises[1 - side].no_writer = true;
        }
    }

    fn split(&mut self, on: u8) {
        let is_whole = |index: &usize| self.handles[*index].access == Access::Both && !self.handles[*index].closed;
        let Some(index) = Self::any(self.handles.len(), on).filter(is_whole) else { return };
        let Handle { end, side, reads, writes, accepted, .. } = self.handles.remove(index);
        let (reading, writing) = end.split();
        self.handles.push(Handle { reads, ..Handle::new(reading, side, Access::Read) });
        self.handles.push(Handle { writes, accepted, ..Handle::new(writing, side, Access::Write) });
    }

    fn join(&mut self, on: u8) {
        if !self.duplex {
            return;
        }
        let Some(index) = Self::any(self.handles.len(), on) else { return };
        let side = self.handles[index].side;
        let with = |access: Access| {
            self.handles.iter().position(|handle| handle.access == access && handle.side == side && !handle.closed)
        };
        let (Some(reading), Some(writing)) = (with(Access::Read), with(Access::Write)) else { return };
        let (first, second) = (reading.max(writing), reading.min(writing));
        let (first, second) = (self.handles.remove(first), self.handles.remove(second));
        let (reading, writing) = if first.access == Access::Read { (first, second) } else { (second, first) };
        let (reads, writes, accepted) = (reading.reads, writing.writes, writing.accepted);
        let end = reading.end.join(writing.end);
        self.handles.push(Handle { reads, writes, accepted, ..Handle::new(end, side, Access::Both) });
    }

    fn shut_down(&mut self, on: u8) -> Result<(), String> {
        let Some(index) = self.handle(Half::Write, on).filter(|_| self.duplex) else { return Ok(()) };
        let side = self.handles[index].side;
        match self.handles[index].end.shutdown_write() {
            Ok(()) => self.promises[1 - side].no_writer = true,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) if self.promises[1 - side].may_fail() => drop(error),
            Err(error) => return Err(format!("a half-close failed: {error}")),
        }
        Ok(())
    }

    fn convert(&mut self, on: u8) -> Result<(), String> {
        let Some(index) = Self::any(self.handles.len(), on) else { return Ok(()) };
        let handle = self.handles.remove(index);
        let (side, access, closed) = (handle.side, handle.access, handle.closed);
        let is_only = !self.handles.iter().any(|other| other.side == side && other.has_the_pipe());
        match handle.end.take_handle(W::take) {
            Ok(taken) => {
                if !is_only {
                    return Err("a handle was converted that has clones".into());
                }
                self.promises[1 - side].accepted_writes_went(&handle.accepted, true);
                let end = self.world.adopt(taken, access);
                self.handles.insert(index, Handle { closed, ..Handle::new(end, side, access) });
                // Elsewhere another thread may be about to tell the outcome.
                let is_left = |pending: &Pending<W>| {
                    W::IN_MEMORY && pending.side == side && !pending.operation.submitted().is_complete()
                };
                if self.pending.iter().any(is_left) {
                    return Err("a handle was converted with operations in flight".into());
                }
            }
            Err(failed) => {
                let (error, end) = failed.into_parts();
                self.note(|| format!("  {error}"));
                // A handle that was moved has no task that waits, but its wait may have been
                // cancelled.
                let at_rest = |waiting: Option<Waiting>| waiting.inspect(|waiting| waiting.bell.wake_by_ref());
                self.handles.insert(
                    index,
                    Handle {
                        closed,
                        reads: at_rest(handle.reads),
                        writes: at_rest(handle.writes),
                        accepted: handle.accepted,
                        ..Handle::new(end, side, access)
                    },
                );
                let refused = [io::ErrorKind::ResourceBusy, io::ErrorKind::BrokenPipe, io::ErrorKind::Unsupported];
                if !refused.contains(&error.kind()) {
                    if self.handles[index].accepted.is_empty() && !self.promises[1 - side].may_fail() {
                        return Err(format!("a conversion failed: {error}"));
                    }
                    self.accepted_failed(index);
                } else if Error::of(&error).is_some_and(|error| error.raw_os_error().is_some()) {
                    self.accepted_failed(index);
                }
            }
        }
        Ok(())
    }

    fn attach(&mut self, on: u8) -> Result<(), String> {
        let Some(index) = Self::any(self.handles.len(), on) else { return Ok(()) };
        let driver = self.world.driver();
        match self.handles[index].end.attach(driver) {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::ResourceBusy | io::ErrorKind::BrokenPipe | io::ErrorKind::Unsupported => Ok(()),
                _ if self.promises[self.handles[index].side].may_fail() => Ok(()),
                io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(format!("an end cannot be attached: {error}, {:?}", error.kind())),
            },
        }
    }

    /// A forked process has only copies, and every call on them is refused.
    fn fork(&mut self, on: u8) -> Result<(), String> {
        let Some(index) = Self::any(self.handles.len(), on) else { return Ok(()) };
        let handle = &self.handles[index];
        let closed = handle.closed;
        let outcome = self.world.in_child(|| {
            let read = handle.end.read_timeout(&mut [0xFF; 4], Duration::ZERO);
            let written = handle.end.write_timeout(&[0xFF; 4], Duration::ZERO);
            (read, written)
        });
        let Some(outcome) = outcome else { return Ok(()) };
        let is_refused = |outcome: &io::Result<usize>| {
            let error = outcome.as_ref().err().map(io::Error::kind);
            error == Some(io::ErrorKind::Unsupported) || (closed && error == Some(io::ErrorKind::BrokenPipe))
        };
        if is_refused(&outcome.0) && is_refused(&outcome.1) {
            Ok(())
        } else {
            Err(format!("a forked process transferred something: {outcome:?}"))
        }
    }
}
