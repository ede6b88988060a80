//! What the library does in several steps, each of which the system may refuse.

use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::thread;
use std::time::Duration;

use anonpipe::{Adopted, Driver, End, Overlapped, Reader, Writer};

use crate::Backend;
#[cfg(unix)]
use crate::harness::MOMENT;
use crate::harness::soon;
#[cfg(unix)]
use crate::system::in_a_fork;
use crate::system::{Handle, handles};
use crate::transfer_ways::{Way, transferred};

/// Makes what is needed before anything is refused, and returns what is then called: at first with
/// a step of it refused, and again when nothing is.
type Prepare = fn(Backend) -> Box<dyn FnMut() -> io::Result<()>>;

pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    /// How its errors begin: what could not be done, and to which end.
    says: &'static [&'static str],
    prepare: Prepare,
}

/// What an action cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// A runtime's reactor serves it. Without that, the process's driver does.
    ReactorOrDriver,
    Descriptors,
    /// The process's driver: descriptors, and a thread.
    Driver,
}

const CREATE: &str = "cannot create a pipe: ";
const ADOPT: &str = "cannot adopt a handle: ";
const CLONE: &str = "cannot clone the client end of an inbound pipe: ";
const READ: &str = "cannot read from the server end of an inbound pipe: ";
const WRITE: &str = "cannot write to the client end of an inbound pipe: ";

const ALWAYS: &[Action] = &[
    Action {
        name: "an inbound pair",
        needs: Needs::Descriptors,
        says: &[CREATE],
        prepare: |backend| Box::new(move || inbound(backend)),
    },
    Action {
        name: "an outbound pair",
        needs: Needs::Descriptors,
        says: &[CREATE],
        prepare: |backend| Box::new(move || outbound(backend)),
    },
    Action {
        name: "a duplex pair",
        needs: Needs::Descriptors,
        says: &[CREATE],
        prepare: |backend| Box::new(move || duplex(backend)),
    },
    Action { name: "a submitted read", needs: Needs::Driver, says: &[READ], prepare: submitted_read },
    Action { name: "a submitted write", needs: Needs::Driver, says: &[WRITE], prepare: submitted_write },
    Action { name: "a blocked read", needs: Needs::Descriptors, says: &[READ], prepare: blocked_read },
    Action { name: "a blocked write", needs: Needs::Descriptors, says: &[WRITE], prepare: blocked_write },
    Action {
        name: "a driver of the caller's",
        needs: Needs::Descriptors,
        says: &["cannot make a driver: ", "cannot turn a driver: ", READ],
        prepare: callers_driver,
    },
    Action {
        name: "a driver that is dropped",
        needs: Needs::Descriptors,
        says: &["cannot make a driver: ", READ],
        prepare: abandoned_driver,
    },
    Action { name: "a clone of a blocking end", needs: Needs::Descriptors, says: &[CLONE], prepare: clone_of_blocking },
    Action { name: "an adopted end", needs: Needs::Nothing, says: &[ADOPT], prepare: adopted },
];

#[cfg(not(all(feature = "tokio", feature = "futures-io")))]
const OF_TASKS: &[Action] = &[];

#[cfg(all(feature = "tokio", feature = "futures-io"))]
const OF_TASKS: &[Action] = &[
    Action { name: "a task's read", needs: Needs::Driver, says: &[READ], prepare: tasks::read },
    Action {
        name: "a task's read in a runtime",
        needs: Needs::ReactorOrDriver,
        says: &[READ],
        prepare: tasks::read_in_a_runtime,
    },
    Action { name: "a task's write", needs: Needs::Driver, says: &[WRITE], prepare: tasks::write },
    Action {
        name: "closing a writer",
        needs: Needs::Descriptors,
        says: &["cannot close the client end of an inbound pipe: "],
        prepare: tasks::close,
    },
];

pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    ALWAYS.iter().chain(OF_TASKS)
}

/// Makes the system refuse something.
pub(crate) trait Refusing {
    /// From here on.
    fn begin(&mut self);

    /// No more. Returns the code of what may have been refused; `None` if nothing was.
    fn end(&mut self) -> Option<i32>;

    /// How many handles more are there for good, because something else is used instead.
    fn costs(&self) -> usize {
        0
    }
}

/// What came of an action while the system was refusing.
pub(crate) struct Tried {
    pub(crate) failed: bool,
    pub(crate) was_refused: bool,
}

impl Action {
    /// Does it while the system is `refusing`, checks the error, and does it again, twice. In the
    /// end no more than `allowed` handles may be left: those of the process's driver.
    pub(crate) fn try_with(&self, backend: Backend, refusing: &mut impl Refusing, allowed: usize) -> Tried {
        let before = handles();
        let mut act = (self.prepare)(backend);
        let prepared = handles();
        refusing.begin();
        let result = act();
        let refused = refusing.end();
        let failed = result.is_err();
        if let Err(error) = result {
            let code = refused.unwrap_or_else(|| panic!("{}: nothing was refused: {error:?}", self.name));
            self.check(&error, code);
        }
        if self.makes_nothing_that_stays() {
            assert_eq!(handles(), prepared, "{}: handles are left after the failure", self.name);
        }
        for _ in 0..2 {
            act().unwrap_or_else(|error| panic!("{}: not even when nothing is refused: {error:?}", self.name));
        }
        drop(act);
        let allowed = allowed + refusing.costs();
        soon(&format!("{}: no handles left but {allowed}", self.name), || handles() <= before + allowed);
        Tried { failed, was_refused: refused.is_some() }
    }

    /// Does it once while the system is `refusing`, which it cannot do without.
    #[cfg(windows)]
    pub(crate) fn fails_with(&self, backend: Backend, refusing: &mut impl Refusing) {
        let mut act = (self.prepare)(backend);
        refusing.begin();
        let result = act();
        let refused = refusing.end().unwrap_or_else(|| panic!("{}: nothing was refused", self.name));
        self.check(&result.expect_err("it works without"), refused);
    }

    /// Does it once, and makes what a first use makes for good.
    #[cfg(windows)]
    pub(crate) fn works(&self, backend: Backend) {
        (self.prepare)(backend)().expect("nothing is refused");
    }

    /// How many handles are left when nothing was refused: those of the process's driver, and what
    /// this thread waits with. Finds out in a process that has neither.
    #[cfg(unix)]
    pub(crate) fn usually_left(&self, backend: Backend) -> usize {
        let left = in_a_fork(self.name, || {
            let before = handles();
            let mut act = (self.prepare)(backend);
            act().expect("nothing was refused");
            if self.needs == Needs::ReactorOrDriver {
                submitted_read(backend)().expect("nothing was refused");
            }
            drop(act);
            // The driver may still be about to close what it has completed.
            thread::sleep(MOMENT);
            u8::try_from(handles() - before).expect("a few")
        });
        usize::from(left)
    }

    /// Whether it starts no driver, and waits for nothing.
    fn makes_nothing_that_stays(&self) -> bool {
        self.says == [CREATE] || self.says == [ADOPT] || self.says == [CLONE]
    }

    /// The error says what could not be done, to which end, why, and what to do; and nothing that
    /// callers take for something else.
    fn check(&self, error: &io::Error, code: i32) {
        let text = error.to_string();
        let ours = anonpipe::Error::of(error).unwrap_or_else(|| panic!("{}: not ours: {error:?}", self.name));
        assert!(self.says.iter().any(|says| text.starts_with(says)), "{}: {text}", self.name);
        assert_eq!(ours.raw_os_error(), Some(code), "{}: {text}", self.name);
        assert!(text.contains(&io::Error::from_raw_os_error(code).to_string()), "{}: {text}", self.name);
        // The system's own text ends with its number, in brackets.
        let advice = text.rsplit_once(" (").expect("brackets").1;
        assert!(advice.len() > 20 && advice.ends_with(')'), "{}: {text}", self.name);
        let misread = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::BrokenPipe, ErrorKind::TimedOut];
        assert!(!misread.contains(&error.kind()), "{}: {:?}: {text}", self.name, error.kind());
    }
}

fn inbound(backend: Backend) -> io::Result<()> {
    let (reader, mut writer) = backend.options().capacity(50_000).client(End::blocking()).inbound()?;
    writer.write_all(b"abc").expect("room");
    assert_eq!(Way::Std.read(&reader, 8).expect("bytes"), b"abc");
    Ok(())
}

fn outbound(backend: Backend) -> io::Result<()> {
    let (writer, _reader) = backend.options().client(End::blocking().inheritable(true)).outbound()?;
    (&writer).write_all(b"abc").expect("room");
    Ok(())
}

fn duplex(backend: Backend) -> io::Result<()> {
    let (ours, theirs) = backend.options().capacity(50_000).duplex()?;
    (&ours).write_all(b"abc").expect("room");
    assert_eq!(theirs.bytes_available().expect("a number"), 3);
    Ok(())
}

/// A read that has to wait, and so needs a driver.
fn read_submitted(reader: &Reader<Overlapped>, writer: &Writer<Overlapped>) -> io::Result<()> {
    let op = reader.submit_read(vec![7; 8]);
    if op.is_complete() {
        let (result, buffer) = op.wait();
        assert_eq!(buffer, [7; 8], "the buffer comes back as it was");
        return result.map(|count| panic!("{count} bytes, where there are none"));
    }
    (&*writer).write_all(b"abc").expect("room");
    let (result, buffer) = op.wait();
    assert_eq!((result?, &buffer[..3]), (3, &b"abc"[..]));
    Ok(())
}

fn submitted_read(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (reader, writer) = backend.pipe();
    Box::new(move || read_submitted(&reader, &writer))
}

const MUCH: usize = 20_000;

/// Reads what there is; with an error, that must be what the error says, if it is known.
fn drained(reader: &Reader<Overlapped>, result: io::Result<usize>) -> io::Result<()> {
    let available = || reader.bytes_available().expect("a number");
    let expected = match &result {
        Ok(UNKNOWN) => available(),
        Ok(count) => *count,
        Err(error) => transferred(error).unwrap_or_else(available),
    };
    let mut count = 0;
    while count < expected {
        // Never read what is not there: a read that waits may be refused, too.
        soon("bytes", || available() > 0);
        count += Way::Std.read(reader, MUCH).expect("bytes").len();
    }
    assert_eq!((count, available()), (expected, 0), "{result:?}");
    result.map(drop)
}

fn submitted_write(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (reader, writer) = backend.small_pipe();
    Box::new(move || {
        let op = writer.submit_write(vec![1; MUCH]);
        if op.is_complete() {
            return drained(&reader, op.wait().0);
        }
        drained(&reader, Ok(MUCH))?;
        assert_eq!(op.wait().0?, MUCH);
        Ok(())
    })
}

/// As on Windows, for a write that was cancelled.
const UNKNOWN: usize = usize::MAX;

fn unless_the_time_is_up(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(transferred(&error).unwrap_or(UNKNOWN)),
        Err(error) => Err(error),
        Ok(count) => panic!("{count} bytes, and there was no time"),
    }
}

fn blocked_read(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (reader, _writer) = backend.pipe();
    Box::new(move || {
        let _keep = &_writer;
        unless_the_time_is_up(reader.read_timeout(&mut [0; 8], Duration::from_millis(1))).map(drop)
    })
}

fn blocked_write(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (reader, writer) = backend.small_pipe();
    Box::new(move || {
        drained(&reader, unless_the_time_is_up(writer.write_timeout(&[1; MUCH], Duration::from_millis(1))))
    })
}

fn callers_driver(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let mut pairs = pairs(backend);
    Box::new(move || {
        let (reader, writer) = pairs.pop().expect("a pair for each call");
        let driver = Driver::new()?;
        driver.turn(Some(Duration::ZERO))?;
        reader.attach(&driver)?;
        read_submitted(&reader, &writer)
    })
}

/// A thread of the library's goes on for the caller's. If it cannot be started, the thread that
/// waits does.
fn abandoned_driver(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let mut pairs = pairs(backend);
    Box::new(move || {
        let (reader, writer) = pairs.pop().expect("a pair for each call");
        let driver = Driver::new()?;
        reader.attach(&driver)?;
        drop(driver);
        read_submitted(&reader, &writer)
    })
}

fn pairs(backend: Backend) -> Vec<(Reader<Overlapped>, Writer<Overlapped>)> {
    (0..3).map(|_| backend.pipe()).collect()
}

fn clone_of_blocking(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (_reader, writer) = backend.options().client(End::blocking()).inbound().expect("a pair");
    Box::new(move || {
        let _keep = &_reader;
        writer.try_clone()?.write_all(b"x")
    })
}

fn adopted(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
    let (reader, _writer) = backend.pipe();
    let mut handle = Some(Handle::try_from(reader).expect("it was never used"));
    Box::new(move || {
        let _keep = &_writer;
        match Reader::adopt(handle.take().expect("it came back")) {
            Ok(Adopted::Overlapped(reader)) => {
                handle = Some(reader.try_into().expect("it was never used"));
                Ok(())
            }
            Ok(Adopted::Blocking(_)) => panic!("it is overlapped"),
            Err(failed) => {
                let (error, back) = failed.into_parts();
                handle = Some(back);
                Err(error)
            }
        }
    })
}

#[cfg(all(feature = "tokio", feature = "futures-io"))]
mod tasks {
    use std::cell::Cell;

    use super::*;
    use crate::executors::{Family, current_thread};

    /// Until the other future was polled often enough to wait: a task may ask for a second poll
    /// first.
    async fn until_it_waits() {
        for _ in 0..5 {
            smol::future::yield_now().await;
        }
    }

    /// A read that has to wait, of a task that is joined with its peer.
    async fn read_and_write(
        family: Family,
        reader: &mut Reader<Overlapped>,
        writer: &Writer<Overlapped>,
    ) -> io::Result<()> {
        let mut buffer = [0; 8];
        let (read, ()) = futures::join!(family.read(reader, &mut buffer), async {
            until_it_waits().await;
            (&*writer).write_all(b"abc").expect("room");
        });
        if read.is_err() {
            Way::Std.read(reader, 8).expect("what was written");
        }
        assert_eq!(read?, 3);
        Ok(())
    }

    pub(super) fn read(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
        let (mut reader, writer) = backend.pipe();
        Box::new(move || pollster::block_on(read_and_write(Family::Futures, &mut reader, &writer)))
    }

    /// There the runtime's reactor is asked first.
    pub(super) fn read_in_a_runtime(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
        let (mut reader, writer) = backend.pipe();
        let runtime = current_thread();
        Box::new(move || runtime.block_on(read_and_write(Family::Tokio, &mut reader, &writer)))
    }

    /// Writes that have to wait, of a task that is joined with its peer.
    pub(super) fn write(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
        let (reader, mut writer) = backend.small_pipe();
        Box::new(move || {
            let (count, is_done) = (Cell::new(0), Cell::new(false));
            let write = async {
                let mut result = Ok(());
                // Windows accepts two before one has to wait.
                for _ in 0..3 {
                    if result.is_ok() {
                        result = Family::Futures.write_all(&mut writer, &[1; MUCH]).await;
                    }
                }
                if result.is_ok() {
                    result = Family::Futures.flush(&mut writer).await;
                }
                is_done.set(true);
                result
            };
            let read = async {
                // Read only what is there: a read that waits may be refused, too.
                while !is_done.get() || reader.bytes_available().expect("a number") > 0 {
                    until_it_waits().await;
                    if reader.bytes_available().expect("a number") > 0 {
                        count.set(count.get() + Way::Std.read(&reader, MUCH).expect("bytes").len());
                    }
                }
            };
            let (result, ()) = pollster::block_on(async { futures::join!(write, read) });
            result?;
            // More, if a write before had failed and some of it was still under way.
            assert!(count.get() >= 3 * MUCH, "{} bytes", count.get());
            Ok(())
        })
    }

    pub(super) fn close(backend: Backend) -> Box<dyn FnMut() -> io::Result<()>> {
        let (_reader, mut writer) = backend.pipe();
        Box::new(move || {
            let _keep = &_reader;
            pollster::block_on(Family::Futures.close(&mut writer))
        })
    }
}
