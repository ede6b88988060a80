//! Handles to an end: more and fewer of them, and what they become.

use std::io;
use std::task::Wake as _;
use std::time::Duration;

use super::{Handle, MOST_HANDLES, Pending, Run, Waiting, World};
use crate::contract::{Error, Half};
use crate::end::{Access, EndHandle};

impl<W: World> Run<W> {
    pub(super) fn clone(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on).filter(|_| self.handles.len() < MOST_HANDLES) else {
            return;
        };
        let handle = &self.handles[index];
        let mut clone = Handle::new(handle.end.clone_handle(), handle.side, handle.access);
        clone.closed = handle.closed;
        self.handles.push(clone);
    }

    pub(super) fn drop_handle(&mut self, on: u8) {
        let Some(index) = Self::any(self.handles.len(), on) else { return };
        // The last handles of an end go only now and then: there is little left to do without them.
        let side = self.handles[index].side;
        if on < 10 && self.handles.iter().filter(|handle| handle.side == side).count() == 1 {
            return;
        }
        self.drop_at(index);
    }

    pub(super) fn drop_at(&mut self, index: usize) {
        let handle = self.handles.remove(index);
        let end = self.goes(handle);
        drop(end);
    }

    /// A handle goes, which was taken out: what is promised from now on. Returns what is dropped.
    pub(super) fn goes(&mut self, handle: Handle<W>) -> EndHandle<W::System> {
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
        self.check_writers(side);
        if !self.handles.iter().any(|other| other.side == side && other.has_the_pipe()) {
            self.promises[side].reader_goes();
        }
        handle.end
    }

    /// The end of file may come if an end that only writes has no handle that is open, or a duplex
    /// end has none.
    pub(super) fn check_writers(&mut self, side: usize) {
        let blocks = self.blocking[side].is_some();
        let is_open = |handle: &Handle<W>| handle.has_the_pipe() && (self.duplex || handle.is_for(Half::Write));
        if !blocks && !self.handles.iter().any(|handle| handle.side == side && is_open(handle)) {
            self.promises[1 - side].no_writer = true;
        }
    }

    pub(super) fn split(&mut self, on: u8) {
        let is_whole = |index: &usize| self.handles[*index].access == Access::Both && !self.handles[*index].closed;
        let Some(index) = Self::any(self.handles.len(), on).filter(is_whole) else { return };
        let Handle { end, side, reads, writes, accepted, .. } = self.handles.remove(index);
        let (reading, writing) = end.split();
        self.handles.push(Handle { reads, ..Handle::new(reading, side, Access::Read) });
        self.handles.push(Handle { writes, accepted, ..Handle::new(writing, side, Access::Write) });
    }

    pub(super) fn join(&mut self, on: u8) {
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

    pub(super) fn shut_down(&mut self, on: u8) -> Result<(), String> {
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

    pub(super) fn convert(&mut self, on: u8) -> Result<(), String> {
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

    pub(super) fn attach(&mut self, on: u8) -> Result<(), String> {
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
    pub(super) fn fork(&mut self, on: u8) -> Result<(), String> {
        let Some(index) = Self::any(self.handles.len(), on) else { return Ok(()) };
        let handle = &self.handles[index];
        let closed = handle.closed;
        let is_refused = |outcome: &io::Result<usize>| {
            let error = outcome.as_ref().err().map(io::Error::kind);
            error == Some(io::ErrorKind::Unsupported) || (closed && error == Some(io::ErrorKind::BrokenPipe))
        };
        let passes = self.world.in_child(|has_copies| {
            let read = handle.end.read_timeout(&mut [0xFF; 4], Duration::ZERO);
            let written = handle.end.write_timeout(&[0xFF; 4], Duration::ZERO);
            let submitted = match handle.access {
                Access::Write => handle.end.submit_write(vec![0xFF; 4]),
                _ => handle.end.submit_read(vec![0xFF; 4]),
            };
            let submitted = { submitted }.wait(None).map(|(outcome, _)| outcome);
            if has_copies {
                // The parent, which goes on, does not notice.
                handle.end.cancel_all();
                drop(handle.end.clone_handle());
            }
            is_refused(&read) && is_refused(&written) && submitted.as_ref().is_some_and(is_refused)
        });
        if passes { Ok(()) } else { Err("a forked process transferred something, or came to grief".into()) }
    }
}
