//! Reads what a child says until it ends.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;

use crate::child::{Child, Started, Stream};

/// A child whose standard output and standard error a task reads.
pub(crate) struct Listened {
    pub(crate) number: u32,
    pub(crate) child: Child,
    stdin: Option<Box<dyn Send>>,
    reading: JoinHandle<io::Result<[String; 2]>>,
    said: Option<[String; 2]>,
}

impl Listened {
    /// Starts to read; `reads` counts the child once the first read of each stream has begun.
    pub(crate) fn new(started: Started, number: u32, reads: &Arc<AtomicU32>) -> Self {
        let Started { child, stdin, stdout, stderr } = started;
        let reads = reads.clone();
        let reading = tokio::spawn(async move {
            let mut both = pin!(async { tokio::try_join!(read_all(stdout), read_all(stderr)) });
            let mut begun = false;
            let (output, complaint) = poll_fn(|context| {
                let polled = both.as_mut().poll(context);
                if !std::mem::replace(&mut begun, true) {
                    reads.fetch_add(1, Ordering::Relaxed);
                }
                polled
            })
            .await?;
            Ok([output, complaint])
        });
        Self { number, child, stdin: Some(stdin), reading, said: None }
    }

    /// Tells the child to end, which it learns from the end of its standard input.
    pub(crate) fn tell(&mut self) {
        self.stdin = None;
    }

    /// Tells the child to end, and waits for the end of its output and of its standard error: all
    /// that it said. Can be asked again, also when it was not waited for.
    pub(crate) async fn hear(&mut self) -> io::Result<&[String; 2]> {
        self.tell();
        let said = match self.said.take() {
            Some(said) => said,
            None => (&mut self.reading).await??,
        };
        Ok(self.said.insert(said))
    }
}

async fn read_all(mut stream: Stream) -> io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
