//! From the command's standard output or error to our own.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use anonpipe::{Duplex, Op, Overlapped, Reader};

use crate::output::{Chunk, Output, Stream};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// How many chunks of a stream there are: one is being filled, the others are on their way out. With none left, nothing is
/// read, and the command has to wait.
const CHUNKS: usize = 4;

/// The end that one of the command's streams comes out of.
pub(crate) enum Outlet {
    Pipe(Reader<Overlapped>),
    Duplex(Rc<Duplex<Overlapped>>),
}

impl Outlet {
    fn submit(&self, buffer: Vec<u8>) -> Op<Vec<u8>> {
        match self {
            Self::Pipe(reader) => reader.submit_read(buffer),
            Self::Duplex(duplex) => duplex.submit_read(buffer),
        }
    }

    fn bytes_available(&self) -> io::Result<usize> {
        match self {
            Self::Pipe(reader) => reader.bytes_available(),
            Self::Duplex(duplex) => duplex.bytes_available(),
        }
    }
}

/// Reads one of the command's streams and hands it on.
pub(crate) struct Pump {
    stream: Stream,
    /// `None` after the end.
    outlet: Option<Outlet>,
    op: Option<Op<Vec<u8>>>,
    free: Vec<Vec<u8>>,
    /// What is still to be read, once that is limited.
    budget: Option<usize>,
}

impl Pump {
    pub(crate) fn new(stream: Stream, outlet: Outlet) -> Self {
        let free = (0..CHUNKS).map(|_| vec![0; CHUNK]).collect();
        Self { stream, outlet: Some(outlet), op: None, free, budget: None }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.outlet.is_none()
    }

    /// Takes back a buffer that [`Output`] is done with.
    pub(crate) fn recycle(&mut self, buffer: Vec<u8>) {
        self.free.push(buffer);
    }

    /// Reads no more than what is there by now.
    pub(crate) fn limit(&mut self) {
        if let (Some(outlet), None) = (&self.outlet, self.budget) {
            self.budget = Some(outlet.bytes_available().unwrap_or(0));
            // It waits for data that nobody may ever send. If data was quicker, it comes with that.
            if let Some(op) = &self.op {
                op.cancel();
            }
        }
    }

    /// Reads nothing more.
    pub(crate) fn close(&mut self) {
        self.op = None;
        self.outlet = None;
    }

    /// Goes as far as it can without waiting.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, output: &Output) {
        loop {
            if let Some(op) = &mut self.op {
                let Poll::Ready((result, buffer)) = Pin::new(op).poll(context) else { return };
                self.op = None;
                self.take(result, buffer, output);
            }
            if self.budget == Some(0) {
                self.close();
            }
            let Some(outlet) = &self.outlet else { return };
            let Some(buffer) = self.free.pop() else { return };
            self.op = Some(outlet.submit(buffer));
        }
    }

    fn take(&mut self, result: io::Result<usize>, buffer: Vec<u8>, output: &Output) {
        match result {
            Ok(count @ 1..) => {
                if let Some(budget) = &mut self.budget {
                    *budget = budget.saturating_sub(count);
                }
                output.send(Chunk { stream: self.stream, buffer, length: count });
            }
            // Cancelled by `limit`: the rest is what was there.
            Err(error) if self.budget.is_some() && is_cancelled(&error) => self.free.push(buffer),
            // The end of file; or a failure that a stream cannot go on after, such as the reset of a duplex pipe whose other
            // end was closed with our data unread.
            Ok(0) | Err(_) => self.close(),
        }
    }
}

fn is_cancelled(error: &io::Error) -> bool {
    anonpipe::Error::of(error).is_some_and(anonpipe::Error::is_cancelled)
}
