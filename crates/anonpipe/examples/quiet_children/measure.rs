//! Starts the children, looks at this process while they are quiet, and has them end.

use std::env;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::CHILD;
use crate::child::{Library, last_words, persistently};
use crate::listen::Listened;
use crate::resources;

/// How long `spawn_blocking` has for an answer, and the last words of one child to arrive.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// How long nothing happens before this process is looked at.
const QUIET: Duration = Duration::from_secs(1);

/// How long all reads have to begin, and all children to end.
const LIMIT: Duration = Duration::from_secs(30);

/// Longer than [`measure`] takes for as many children.
pub(crate) fn limit(children: u32) -> Duration {
    2 * QUIET + LIMIT + 2 * ANSWER + LIMIT + children * Duration::from_millis(500)
}

/// One look at this process.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) threads: u64,
    pub(crate) bytes: u64,
}

impl Usage {
    fn now() -> io::Result<Self> {
        Ok(Self { threads: resources::threads()?, bytes: resources::memory()? })
    }
}

/// What was seen.
pub(crate) struct Measured {
    pub(crate) library: Library,
    pub(crate) children: u32,
    pub(crate) before: Usage,
    pub(crate) quiet: Usage,
    /// How long `spawn_blocking` took while the children were quiet, if it answered.
    pub(crate) answer: Option<Duration>,
    /// How long the last words took of one child that ended while the others stayed quiet, if they
    /// arrived by then.
    pub(crate) one: Option<Duration>,
    /// How many children's last words had arrived on both streams when all had ended.
    pub(crate) heard: u32,
    /// How long it took until all were heard and gone, if that came to an end.
    pub(crate) ending: Option<Duration>,
}

impl Measured {
    /// Whether nothing was missed and nothing late.
    pub(crate) fn is_good(&self) -> bool {
        self.answer.is_some() && self.one.is_some() && self.heard == self.children && self.ending.is_some()
    }
}

/// Measures in this process, whose runtime must be a new one.
pub(crate) async fn measure(library: Library, children: u32) -> io::Result<Measured> {
    // Three streams each and what tokio has to learn of a child's end, and something for the
    // runtime.
    resources::allow_files(children * 4 + 100)?;
    sleep(QUIET).await;
    let before = Usage::now()?;

    let reads = Arc::new(AtomicU32::new(0));
    let mut all = Vec::new();
    for number in 0..children {
        let started = persistently(|| {
            let mut command = Command::new(env::current_exe()?);
            command.args([CHILD, &number.to_string()]);
            library.start(command)
        });
        let started = started.map_err(|error| io::Error::other(format!("starting child {number}: {error}")))?;
        all.push(Listened::new(started, number, &reads));
    }
    let begin = async {
        while reads.load(Ordering::Relaxed) < children {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LIMIT, begin).await.map_err(|_| io::Error::other("not every read began"))?;
    sleep(QUIET).await;
    let quiet = Usage::now()?;

    let start = Instant::now();
    let answer = timeout(ANSWER, tokio::task::spawn_blocking(Instant::now)).await.is_ok().then(|| start.elapsed());

    let start = Instant::now();
    let one = match all.last_mut() {
        Some(last) => timeout(ANSWER, heard(last)).await.unwrap_or(Ok(false))?.then(|| start.elapsed()),
        None => None,
    };
    let (heard, ending) = end(all).await?;
    Ok(Measured { library, children, before, quiet, answer, one, heard, ending })
}

/// Has a child end, and tells whether its last words arrived, nothing else and nothing twice.
async fn heard(listened: &mut Listened) -> io::Result<bool> {
    let words = last_words(listened.number);
    Ok(*listened.hear().await? == words)
}

/// Has all children end, and returns how many were heard and how long it took until all were heard
/// and gone.
async fn end(mut all: Vec<Listened>) -> io::Result<(u32, Option<Duration>)> {
    let start = Instant::now();
    all.iter_mut().for_each(Listened::tell);
    let mut count = 0;
    for listened in &mut all {
        let rest = LIMIT.saturating_sub(start.elapsed());
        count += u32::from(timeout(rest, heard(listened)).await.unwrap_or(Ok(false))?);
    }
    // Those have said everything, so their ends are near: no thread has to wait for each.
    let mut ended = true;
    for listened in &mut all {
        while !listened.child.has_ended()? {
            if start.elapsed() > LIMIT {
                ended = false;
                listened.child.kill()?;
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok((count, ended.then(|| start.elapsed())))
}
