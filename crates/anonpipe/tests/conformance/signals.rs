//! Signals: `SIGPIPE`, and the signals of the driver's thread. Each rule has a process of its own.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anonpipe::{Driver, End, Overlapped, Reader, Writer, wait_any};

use crate::Backend;
use crate::harness::{MOMENT, until_writes_in_flight};
#[cfg(target_os = "linux")]
use crate::system::blocked_signals;
use crate::system::{InterruptibleThread, default_sigpipe, is_sigpipe_pending, raise_sigpipe_blocked};
use crate::transfer_ways::{Way, kind};

/// `SIGPIPE` kills, as in a C program. It must neither arrive nor stay pending.
pub(crate) fn writing_to_nobody_raises_no_signal(backend: Backend) {
    default_sigpipe();
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        drop(reader);
        assert_eq!(kind(way.write(&writer, b"x")), ErrorKind::BrokenPipe, "{way:?}");
        assert!(!is_sigpipe_pending(), "{way:?}");
        // Pending writes, which the driver finds broken.
        let (reader, writer) = backend.small_pipe();
        thread::scope(|scope| {
            let write = scope.spawn(|| way.write(&writer, &[0; 300_000]));
            until_writes_in_flight(&writer, 1);
            drop(reader);
            assert_eq!(kind(write.join().unwrap()), ErrorKind::BrokenPipe, "{way:?}");
        });
        assert!(!is_sigpipe_pending(), "{way:?}");
        let (ours, theirs) = backend.duplex();
        let (_reader, writer) = ours.split();
        drop(theirs);
        assert_eq!(kind(way.write(&writer, b"x")), ErrorKind::BrokenPipe, "{way:?}: a socket");
    }
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    drop(reader);
    assert_eq!(kind(writer.write(b"x")), ErrorKind::BrokenPipe);
    assert!(!is_sigpipe_pending());
    let (ours, mut theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    drop(ours);
    assert_eq!(kind(theirs.write(b"x")), ErrorKind::BrokenPipe);
    assert!(!is_sigpipe_pending());
}

/// A signal that was pending before is not ours, and stays.
pub(crate) fn a_pending_signal_stays_pending(backend: Backend) {
    default_sigpipe();
    raise_sigpipe_blocked();
    assert!(is_sigpipe_pending());
    let (reader, mut writer) = backend.options().client(End::blocking()).inbound().unwrap();
    drop(reader);
    assert_eq!(kind(writer.write(b"x")), ErrorKind::BrokenPipe);
    assert!(is_sigpipe_pending(), "it was not ours to take");
}

/// The flag that keeps `SIGPIPE` from us is not set on a child's end: `yes` dies of the signal, as
/// on any socket.
pub(crate) fn a_childs_duplex_end_raises_the_signal(backend: Backend) {
    use std::os::unix::process::ExitStatusExt;

    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "read go; exec yes"]).stdin(std::process::Stdio::piped()).stdout(theirs);
    let mut child = command.spawn().unwrap();
    drop((command, ours));
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
}

/// The driver's thread runs the program's wakers and frees its buffers, so the program's handlers
/// for faults (such as `SIGSEGV`) are called on that thread, too. All other signals are for the
/// program's own threads.
#[cfg(target_os = "linux")]
pub(crate) fn the_drivers_thread_blocks_no_faults(backend: Backend) {
    let (reader, _writer) = backend.pipe();
    let mut read = reader.submit_read(vec![0; 1]);
    assert!(read.wait_timeout(MOMENT).is_none());
    let blocked = blocked_signals("anonpipe-driver").expect("the driver's thread");
    let is_blocked = |signal: i32| blocked & (1 << (signal - 1)) != 0;
    for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
        assert!(!is_blocked(fault), "signal {fault}: {blocked:#x}");
    }
    for others in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGALRM, libc::SIGCHLD, libc::SIGUSR1] {
        assert!(is_blocked(others), "signal {others}: {blocked:#x}");
    }
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(own.lines().any(|line| line.strip_prefix("SigBlk:").is_some_and(|set| set.trim() == "0000000000000000")));
}

/// Signals interrupt a thread again and again, in each system call that waits. The caller does not
/// notice: no call fails with `Interrupted`, and none ends before its time.
pub(crate) fn an_interrupted_call_goes_on(backend: Backend) {
    let data = |mut writer: &Writer<Overlapped>| assert_eq!(writer.write(b"data").unwrap(), 4);
    for way in Way::ALL {
        let (reader, writer) = backend.pipe();
        let read = amid_signals(|| way.read(&reader, 8), || data(&writer));
        assert_eq!(read.unwrap(), b"data", "{way:?}");
        let (reader, writer) = backend.small_pipe();
        let written = amid_signals(|| way.write(&writer, &[1; LARGE]), || read_all(&reader));
        assert_eq!(written.unwrap(), LARGE, "{way:?}");
    }
    let (mut blocking, writer) = backend.options().server(End::blocking()).inbound().unwrap();
    assert_eq!(amid_signals(|| blocking.read(&mut [0; 8]), || data(&writer)).unwrap(), 4);
    let (reader, mut blocking) = backend.options().client(End::blocking()).inbound().unwrap();
    let write_all = || {
        let mut left = LARGE;
        while left > 0 {
            // What was written when the signal came counts. `write_all` would hide an interruption.
            left -= blocking.write(&[1; LARGE][..left])?;
        }
        Ok(LARGE)
    };
    assert_eq!(amid_signals(write_all, || read_all(&reader)).unwrap(), LARGE);

    let driver = Driver::new().unwrap();
    let (reader, writer) = backend.pipe();
    reader.attach(&driver).unwrap();
    let read = reader.submit_read(vec![0; 8]);
    let turn = || {
        while !read.is_complete() {
            driver.turn(None)?;
        }
        Ok(())
    };
    amid_signals(turn, || data(&writer)).unwrap();
    assert_eq!(read.wait().0.unwrap(), 4);
    let (reader, writer) = backend.pipe();
    let (one, other) = (reader.submit_read(vec![0; 8]), reader.submit_read(vec![0; 8]));
    let first = amid_signals(|| Ok(wait_any(&[&other, &one], None)), || data(&writer));
    assert_eq!(first.unwrap(), Some(1));

    // A deadline stays where it was.
    let (reader, _writer) = backend.pipe();
    let began = Instant::now();
    let late = amid_signals(|| reader.read_timeout(&mut [0; 8], 5 * MOMENT), || {});
    assert_eq!(kind(late), ErrorKind::TimedOut);
    assert!(began.elapsed() >= 5 * MOMENT, "it ended early");
}

/// So much that a write of it waits in every pipe.
const LARGE: usize = 3 << 20;

fn read_all(mut reader: &Reader<Overlapped>) {
    reader.read_exact(&mut vec![0; LARGE]).unwrap();
}

/// Makes a call on a thread of its own, and interrupts that thread: first until the call surely
/// waits, then while `then` has the call end.
fn amid_signals<T: Send>(call: impl FnOnce() -> io::Result<T> + Send, then: impl FnOnce() + Send) -> io::Result<T> {
    let (told, heard) = channel();
    let (is_over, may_end) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            told.send(InterruptibleThread::current()).unwrap();
            let result = call();
            is_over.store(true, Ordering::Release);
            // What is interrupted must be alive.
            while !may_end.load(Ordering::Acquire) {
                thread::yield_now();
            }
            result
        });
        let thread = heard.recv().unwrap();
        for _ in 0..10 {
            thread.interrupt();
            thread::sleep(MOMENT / 20);
        }
        let then = scope.spawn(then);
        while !is_over.load(Ordering::Acquire) {
            thread.interrupt();
            thread::sleep(Duration::from_micros(50));
        }
        may_end.store(true, Ordering::Release);
        then.join().unwrap();
        caller.join().unwrap()
    })
}
