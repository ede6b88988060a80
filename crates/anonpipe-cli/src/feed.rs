//! From our own standard input to the command's.

use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::task::{Context, Poll};
use std::thread;

use anonpipe::{Duplex, Op, Overlapped, Writer};

use crate::bell::Bell;
use crate::output::Output;
use crate::sys;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// One chunk is on its way to the command while the next is being read.
const CHUNKS: usize = 2;

/// The end that the command's standard input hangs on.
pub(crate) enum Inlet {
    Pipe(Writer<Overlapped>),
    Duplex(Rc<Duplex<Overlapped>>),
}

impl Inlet {
    fn submit(&self, chunk: Vec<u8>) -> Op<Vec<u8>> {
        match self {
            Self::Pipe(writer) => writer.submit_write(chunk),
            Self::Duplex(duplex) => duplex.submit_write(chunk),
        }
    }

    /// Gives the command its end of file, where the system has one.
    fn finish(self) {
        if let Self::Duplex(duplex) = self {
            // Windows has none on a duplex pipe, and the help says so.
            let _ = duplex.shutdown_write();
        }
    }
}

/// Writes to the command what a helper thread reads, because a read of our own standard input may
/// block.
pub(crate) struct Feeder {
    /// `None` after the end of the input, or when the command has closed its standard input.
    inlet: Option<Inlet>,
    op: Option<Op<Vec<u8>>>,
    filled: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
}

impl Feeder {
    pub(crate) fn start(inlet: Inlet, bell: &Arc<Bell>, output: &Output) -> io::Result<Self> {
        let (send_filled, filled) = channel();
        let (empty, receive_empty) = channel();
        for _ in 0..CHUNKS {
            let _ = empty.send(Vec::new());
        }
        let (bell, output) = (Arc::clone(bell), output.clone());
        thread::Builder::new().name("stdin".into()).spawn(move || {
            read_input(&receive_empty, send_filled, &bell, &output);
            bell.ring();
        })?;
        Ok(Self { inlet: Some(inlet), op: None, filled, empty })
    }

    /// Goes as far as it can without waiting.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        loop {
            if let Some(op) = &mut self.op {
                let Poll::Ready((result, chunk)) = Pin::new(op).poll(context) else { return };
                self.op = None;
                if result.is_err() {
                    // The command does not want more, which is its right.
                    self.inlet = None;
                }
                // The helper may have seen the end already.
                let _ = self.empty.send(chunk);
            }
            let Some(inlet) = &self.inlet else { return };
            match self.filled.try_recv() {
                Ok(chunk) => self.op = Some(inlet.submit(chunk)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    if let Some(inlet) = self.inlet.take() {
                        inlet.finish();
                    }
                    return;
                }
            }
        }
    }
}

/// The helper: reads as long as there are empty buffers, until the end of the input. Dropping
/// `filled` says that it has come.
fn read_input(empty: &Receiver<Vec<u8>>, filled: Sender<Vec<u8>>, bell: &Bell, output: &Output) {
    // Its buffer is bypassed by reads of this size.
    let mut input = io::stdin().lock();
    while let Ok(mut chunk) = empty.recv() {
        chunk.resize(CHUNK, 0);
        match read_some(&mut input, &mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                chunk.truncate(count);
                if filled.send(chunk).is_err() {
                    break;
                }
                bell.ring();
            }
            Err(error) => {
                output.say(&format!("cannot read standard input, the command sees its end: {error}"));
                break;
            }
        }
    }
    drop(filled);
}

fn read_some(input: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process that shares it made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sys::wait_readable()?,
            other => return other,
        }
    }
}
