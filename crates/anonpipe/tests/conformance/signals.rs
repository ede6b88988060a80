//! Signals: `SIGPIPE`, and the signals of the driver's thread. Each rule has a process of its own.

use std::io::{ErrorKind, Write};
use std::thread;

use anonpipe::End;

use crate::Backend;
#[cfg(target_os = "linux")]
use crate::harness::MOMENT;
use crate::harness::until_writes_in_flight;
#[cfg(target_os = "linux")]
use crate::system::blocked_signals;
use crate::system::{default_sigpipe, is_sigpipe_pending, raise_sigpipe_blocked};
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
