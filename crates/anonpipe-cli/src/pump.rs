//! From the command's standard output or error to our own.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use anonpipe::{Duplex, Op, Overlapped, Reader};

use crate::output::{Chunk, Output, Stream};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// How many chunks of a stream there are: one is being filled, the others are on their way out.
/// With none left, nothing is read, and the command has to wait.
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

/// How much more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    /// What is there when the read under way has come to its end, by data or by a cancel. To ask
    /// before would be too early: what it has got by then is no longer in the pipe, and what it
    /// gets later is.
    WhatIsThere,
    Bytes(usize),
}

/// Reads one of the command's streams and hands it on.
pub(crate) struct Pump {
    stream: Stream,
    /// `None` after the end.
    outlet: Option<Outlet>,
    op: Option<Op<Vec<u8>>>,
    free: Vec<Vec<u8>>,
    limit: Limit,
}

impl Pump {
    pub(crate) fn new(stream: Stream, outlet: Outlet) -> Self {
        let free = (0..CHUNKS).map(|_| vec![0; CHUNK]).collect();
        Self { stream, outlet: Some(outlet), op: None, free, limit: Limit::None }
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
        if self.limit == Limit::None {
            self.limit = Limit::WhatIsThere;
            // It waits for data that may never come. If data was quicker, it comes with that.
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
            if let (Limit::WhatIsThere, Some(outlet)) = (self.limit, &self.outlet) {
                self.limit = Limit::Bytes(outlet.bytes_available().unwrap_or(0));
            }
            if self.limit == Limit::Bytes(0) {
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
                if let Limit::Bytes(bytes) = &mut self.limit {
                    *bytes = bytes.saturating_sub(count);
                }
                output.send(Chunk { stream: self.stream, buffer, length: count });
            }
            // Cancelled by `limit`: the rest is what was there.
            Err(error) if self.limit != Limit::None && is_cancelled(&error) => self.free.push(buffer),
            // The end of file; or a failure that a stream cannot go on after, such as the reset of
            // a duplex pipe whose other end was closed with our data unread.
            Ok(0) | Err(_) => self.close(),
        }
    }
}

fn is_cancelled(error: &io::Error) -> bool {
    anonpipe::Error::of(error).is_some_and(anonpipe::Error::is_cancelled)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::bell::Bell;
    use crate::output::{Format, Plan};

    /// A read got 20 bytes, and its result was not looked at; then 10 more came.
    #[test]
    fn what_was_read_before_the_limit_does_not_count() {
        let bell = Arc::new(Bell::default());
        let path = std::env::temp_dir().join(format!("anonpipe-pump-{}", std::process::id()));
        let copy = std::fs::File::create(&path).expect("a file");
        let output = Output::start(Plan { format: Format::Nothing, copies: [Some(copy), None] }, &bell);
        let output = output.expect("a thread");
        let (reader, mut writer) = anonpipe::pipe().expect("a pipe");
        let mut pump = Pump::new(Stream::Stdout, Outlet::Pipe(reader));
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let late = Instant::now() + Duration::from_secs(20);
        let wait = |condition: &dyn Fn() -> bool| {
            while !condition() {
                assert!(Instant::now() < late, "it hangs");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        pump.poll(&mut context, &output);
        writer.write_all(&[b'1'; 20]).expect("written");
        wait(&|| pump.op.as_ref().is_some_and(Op::is_complete));
        writer.write_all(&[b'2'; 10]).expect("written");
        pump.limit();
        while !pump.is_finished() {
            assert!(Instant::now() < late, "it hangs");
            pump.poll(&mut context, &output);
        }
        wait(&|| {
            std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() >= 20) && {
                output.report();
                output.is_idle()
            }
        });
        let text = std::fs::read(&path).expect("readable");
        std::fs::remove_file(&path).expect("ours");
        assert_eq!(text.len(), 30);
    }
}
