//! System calls that are refused one by one.
//!
//! A thread installs a filter, which hands its calls over to another thread. That one refuses one
//! of them, and lets the others go on. A filter stays for good, so the rule has a process for each.
//!
//! # References
//!
//! - [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html)
//! - [seccomp_unotify(2)](https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html)

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;

use crate::steps::Refusing;

/// The calls that the library makes and that a system without descriptors, memory or threads
/// refuses, and the error that says so.
const CALLS: &[(libc::c_long, &str, i32)] = &[
    (libc::SYS_pipe2, "pipe2", libc::EMFILE),
    (libc::SYS_socketpair, "socketpair", libc::ENFILE),
    (libc::SYS_epoll_create1, "epoll_create1", libc::EMFILE),
    (libc::SYS_eventfd2, "eventfd2", libc::EMFILE),
    (libc::SYS_timerfd_create, "timerfd_create", libc::EMFILE),
    (libc::SYS_epoll_ctl, "epoll_ctl", libc::ENOSPC),
    (libc::SYS_fcntl, "fcntl", libc::EMFILE),
    (libc::SYS_ppoll, "ppoll", libc::ENOMEM),
    (libc::SYS_mmap, "mmap", libc::ENOMEM),
    (libc::SYS_mprotect, "mprotect", libc::ENOMEM),
    (libc::SYS_clone, "clone", libc::EAGAIN),
    (libc::SYS_clone3, "clone3", libc::EAGAIN),
];

/// Refuses one of the calls of the thread that made it.
pub(crate) struct NthRefused {
    place: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The thread whose calls count.
    thread: AtomicI32,
    /// How many calls until one is refused, which is the first when this is 1. Zero: none is.
    until: AtomicUsize,
    /// The place in [`CALLS`] of what was refused, counted from 1.
    refused: AtomicUsize,
}

impl NthRefused {
    /// Refuses the call in that place, counted from 1. Fails where the system cannot hand calls
    /// over.
    pub(crate) fn new(place: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        // SAFETY: takes nothing, and cannot fail.
        shared.thread.store(unsafe { libc::gettid() }, Ordering::Relaxed);
        let (send, receive) = std::sync::mpsc::channel();
        let told = Arc::clone(&shared);
        // Before there is a filter, so that this thread has none. It ends with the process.
        thread::spawn(move || {
            if let Ok(listener) = receive.recv() {
                supervise(&listener, &told);
            }
        });
        send.send(install()?).expect("the thread is there");
        Ok(Self { place, shared })
    }

    /// The name of the call that was refused.
    fn refused(&self) -> Option<&'static str> {
        let place = self.shared.refused.load(Ordering::Acquire).checked_sub(1)?;
        Some(CALLS[place].1)
    }
}

impl Drop for NthRefused {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("call {} was refused: {}", self.place, self.refused().unwrap_or("no"));
        }
    }
}

impl Refusing for NthRefused {
    fn begin(&mut self) {
        self.shared.until.store(self.place, Ordering::Release);
    }

    fn end(&mut self) -> Option<i32> {
        self.shared.until.store(0, Ordering::Release);
        let place = self.shared.refused.load(Ordering::Acquire).checked_sub(1)?;
        // That is what glibc says if a thread's stack is refused.
        let of_thread = matches!(CALLS[place].1, "mmap" | "mprotect");
        Some(if of_thread { libc::EAGAIN } else { CALLS[place].2 })
    }

    /// In place of the one descriptor of an eventfd a poller takes the two of a pipe.
    fn costs(&self) -> usize {
        usize::from(self.refused() == Some("eventfd2"))
    }
}

/// Installs the filter for this thread and those that it starts. Returns what hands the calls over.
fn install() -> io::Result<OwnedFd> {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    // The number of the call is at the beginning of what a filter looks at.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (place, (number, ..)) in CALLS.iter().enumerate() {
        let to_the_last = (CALLS.len() - place) as u8;
        let number = u32::try_from(*number).expect("the number of a call");
        program.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number, to_the_last, 0));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: numbers. Without it, only a privileged process may install a filter.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (what, how) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: the program lives on this stack during the call, which copies it.
    let listener = unsafe { libc::syscall(libc::SYS_seccomp, what, how, &raw const program) };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(listener).expect("a descriptor")) })
}

/// Decides about each call. The thread that waits for the answer may hold a lock of the allocator,
/// so nothing is allocated here.
fn supervise(listener: &OwnedFd, shared: &Shared) {
    loop {
        // SAFETY: a struct of numbers; the system wants zeros.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: an open listener, and room for what it says.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) } != 0 {
            continue;
        }
        let error = decide(&call, shared);
        let flags = if error == 0 { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 };
        let mut answer = libc::seccomp_notif_resp { id: call.id, val: 0, error: -error, flags };
        // SAFETY: as above. It fails if the thread is gone, and with it the call.
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    }
}

/// The error for a call; 0 if it goes on.
fn decide(call: &libc::seccomp_notif, shared: &Shared) -> i32 {
    let number = libc::c_long::from(call.data.nr);
    let Some(place) = CALLS.iter().position(|(known, ..)| *known == number) else { return 0 };
    // Taking a descriptor out of a poller needs nothing.
    let takes_out = number == libc::SYS_epoll_ctl && call.data.args[1] == libc::EPOLL_CTL_DEL as u64;
    if call.pid.cast_signed() != shared.thread.load(Ordering::Relaxed) || takes_out {
        return 0;
    }
    match shared.until.load(Ordering::Acquire) {
        0 => 0,
        1 => {
            shared.until.store(0, Ordering::Release);
            shared.refused.store(place + 1, Ordering::Release);
            CALLS[place].2
        }
        more => {
            shared.until.store(more - 1, Ordering::Release);
            0
        }
    }
}
