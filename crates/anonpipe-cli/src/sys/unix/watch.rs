//! Signals, as bytes in a pipe of ours: the handler writes, and the main thread has a read in
//! flight.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use anonpipe::{Op, Overlapped, Reader};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};

use super::Child;
use crate::bell::Bell;

/// What is passed on: to the child's group, which a terminal no longer reaches, except for the last
/// two.
const FORWARDED: [i32; 7] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2];

pub(crate) struct Watch {
    reader: Reader<Overlapped>,
    op: Op<Vec<u8>>,
    arrived: Vec<(i32, Arc<AtomicBool>)>,
}

impl Watch {
    pub(crate) fn new(_bell: &Arc<Bell>) -> io::Result<Self> {
        let (reader, writer) = anonpipe::pipe()?;
        // Non-blocking, as a handler needs it: when it is full, there are wake-ups enough in it.
        let writer = OwnedFd::try_from(writer)?;
        let mut arrived = Vec::new();
        for signal in FORWARDED {
            // If it was ignored when we were started (nohup, a shell's background job), that is
            // meant for the command, too.
            if is_ignored(signal) {
                continue;
            }
            let flag = Arc::new(AtomicBool::new(false));
            // In this order, so that the flag is up when the byte arrives.
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
            arrived.push((signal, flag));
        }
        signal_hook::low_level::pipe::register(SIGCHLD, writer)?;
        // Our parent may have had them blocked. (The child starts with none blocked, std sees to
        // that.)
        unblock(arrived.iter().map(|(signal, _)| *signal).chain([SIGCHLD]))?;
        let op = reader.submit_read(vec![0; 64]);
        Ok(Self { reader, op, arrived })
    }

    /// Nothing to do: a child's end is a signal.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "it is work on other systems")]
    pub(crate) fn follow(&mut self, _child: &Child) -> io::Result<()> {
        Ok(())
    }

    /// The signals that have arrived; arranges for a wake-up by the next one.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Vec<i32> {
        while let Poll::Ready((result, buffer)) = Pin::new(&mut self.op).poll(context) {
            self.op = self.reader.submit_read(buffer);
            if result.is_err() {
                break;
            }
        }
        let arrived = self.arrived.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        arrived.map(|(signal, _)| *signal).collect()
    }

    /// Stops this process as the terminal asked for, after the child; when we go on, so does the
    /// child.
    pub(crate) fn pass_on(signal: i32, child: &mut Child) {
        if matches!(signal, SIGUSR1 | SIGUSR2) {
            // No other process in the group expects them.
            return child.signal_alone(signal);
        }
        child.signal(signal);
        if signal == SIGTSTP {
            // It says that it succeeded for all that have a default.
            let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
        }
        // One that is stopped, such as by a read of the terminal, does not notice before it goes
        // on.
        child.signal(SIGCONT);
    }
}

/// Whether a signal that was passed on asks us to end, too.
pub(crate) fn ends_us(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT)
}

#[expect(unsafe_code, reason = "no library of ours sets the signal mask")]
fn unblock(signals: impl Iterator<Item = i32>) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is large enough to be filled.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call before has filled it; it fails only for a bad address.
    let mut set = unsafe { set.assume_init() };
    for signal in signals {
        // SAFETY: the set is initialized, and ours.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: the set is initialized; the old mask is not asked for, which a null pointer says.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Whether a signal is ignored, as it was when we were started.
#[expect(unsafe_code, reason = "no library asks for a signal's disposition without setting it")]
fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, the call only writes the current one to `action`, which is
    // large enough for it.
    let result = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has filled `action`.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction == libc::SIG_IGN
}
