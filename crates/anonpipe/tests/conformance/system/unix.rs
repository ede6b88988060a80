//! Descriptors, threads and limits of this process.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The system's handle to an end.
pub(crate) type Handle = OwnedFd;

/// What refusing a read or write in the wrong direction looks like.
pub(crate) const WRONG_DIRECTION: i32 = libc::EBADF;

/// Something that has a handle.
pub(crate) trait HasHandle: AsFd {
    fn number(&self) -> usize {
        usize::try_from(self.as_fd().as_raw_fd()).expect("an open descriptor")
    }

    /// Whether a child inherits it, as the system says.
    fn is_inherited(&self) -> bool {
        // SAFETY: the descriptor is borrowed, so it is open; F_GETFD has no argument.
        let flags = unsafe { libc::fcntl(self.as_fd().as_raw_fd(), libc::F_GETFD) };
        assert!(flags >= 0, "F_GETFD");
        flags & libc::FD_CLOEXEC == 0
    }

    /// Whether its operations do not block, as the system says.
    fn is_overlapped(&self) -> bool {
        // SAFETY: the descriptor is borrowed, so it is open; F_GETFL has no argument.
        let flags = unsafe { libc::fcntl(self.as_fd().as_raw_fd(), libc::F_GETFL) };
        assert!(flags >= 0, "F_GETFL");
        flags & libc::O_NONBLOCK != 0
    }
}

impl<T: AsFd> HasHandle for T {}

/// How many descriptors this process has.
pub(crate) fn handles() -> usize {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    // One of them is that of the folder.
    std::fs::read_dir(folder).expect("the list of descriptors").count() - 1
}

/// How many threads this process has.
#[cfg(target_os = "linux")]
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("the list of threads").count()
}

/// Other systems have no portable way to tell: the number of lines that ps prints for this process, less its heading.
#[cfg(not(target_os = "linux"))]
pub(crate) fn threads() -> usize {
    let flag = if cfg!(target_vendor = "apple") { "-M" } else { "-H" };
    let process = std::process::id().to_string();
    let output = std::process::Command::new("ps").args([flag, "-p", &process]).output().expect("ps");
    String::from_utf8_lossy(&output.stdout).lines().count() - 1
}

/// Lets `SIGPIPE` kill, as it does in programs that are not written in Rust.
pub(crate) fn default_sigpipe() {
    // SAFETY: no handler is installed, only the default action restored.
    let old = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert_ne!(old, libc::SIG_ERR, "signal");
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: it initialises the set it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised on the line above.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE) };
    // SAFETY: as above.
    unsafe { set.assume_init() }
}

/// Has a `SIGPIPE` wait for this thread.
pub(crate) fn raise_sigpipe_blocked() {
    let set = only_sigpipe();
    // SAFETY: the set is initialised; the old mask is not asked for.
    let done = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_eq!(done, 0, "pthread_sigmask");
    // SAFETY: the signal is blocked in this thread, which is the one that gets it.
    assert_eq!(unsafe { libc::raise(libc::SIGPIPE) }, 0, "raise");
}

/// Whether a `SIGPIPE` waits for this thread or for the process.
pub(crate) fn is_sigpipe_pending() -> bool {
    let mut set = only_sigpipe();
    // SAFETY: the set is writable.
    assert_eq!(unsafe { libc::sigpending(&raw mut set) }, 0, "sigpending");
    // SAFETY: filled by the call above.
    unsafe { libc::sigismember(&raw const set, libc::SIGPIPE) == 1 }
}

/// While it lives, this process gets no more descriptors than a few.
pub(crate) struct NoMoreDescriptors {
    old: libc::rlimit,
    /// In the gaps between the descriptors, which there are when something was inherited.
    _fillers: Vec<OwnedFd>,
}

impl NoMoreDescriptors {
    /// Leaves room for `spare` more.
    pub(crate) fn but(spare: usize) -> Self {
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the struct is writable.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old) }, 0, "getrlimit");
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").expect("a descriptor"));
        let mut fillers = vec![null()];
        // The lowest free one is given out first, so there is no gap when as many in a row were free.
        while fillers.len() < 64 || fillers[fillers.len() - 64].number() + 63 != fillers[fillers.len() - 1].number() {
            fillers.push(null());
        }
        let last = fillers.split_off(fillers.len() - 64);
        let current = libc::rlim_t::try_from(last[0].number() + spare).expect("a small number");
        drop(last);
        set_limit(&libc::rlimit { rlim_cur: current, ..old });
        Self { old, _fillers: fillers }
    }
}

impl Drop for NoMoreDescriptors {
    fn drop(&mut self) {
        set_limit(&self.old);
    }
}

fn set_limit(limit: &libc::rlimit) {
    // SAFETY: the struct is initialised.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) }, 0, "setrlimit");
}

/// A child of [`fork`].
pub(crate) struct Fork(libc::pid_t);

impl Fork {
    /// Waits for its end.
    pub(crate) fn succeeded(self) -> bool {
        let mut status = 0;
        // SAFETY: a child of ours that nobody else waits for, and somewhere to put its status.
        let ended = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        ended == self.0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

/// Forks; `None` in the child, which ends by itself should it hang.
pub(crate) fn fork() -> Option<Fork> {
    // SAFETY: the rule has a process of its own, whose other thread only waits, so no lock is held by anybody else.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: a number.
            unsafe { libc::alarm(20) };
            None
        }
        child => {
            assert!(child > 0, "fork");
            Some(Fork(child))
        }
    }
}

/// Ends a child of [`fork`], without what the parent has for its own end.
pub(crate) fn exit(success: bool) -> ! {
    // SAFETY: a number.
    unsafe { libc::_exit(i32::from(!success)) }
}

/// Clears `O_NONBLOCK`.
pub(crate) fn make_blocking(end: &impl AsFd) {
    // SAFETY: the descriptor is borrowed, so it is open; the flags are numbers.
    let set = unsafe { libc::fcntl(end.as_fd().as_raw_fd(), libc::F_SETFL, 0) };
    assert_eq!(set, 0, "F_SETFL");
}

/// Whether a read of a pipe can be told not to wait, whatever `O_NONBLOCK` says: Linux 6.5 and later.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn pipes_know_nowait(reader: &impl AsFd) -> bool {
    let mut byte = 0_u8;
    let buffer = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: the descriptor is borrowed, so it is open; one buffer of one byte on this stack.
    let read = unsafe { libc::preadv2(reader.as_fd().as_raw_fd(), &raw const buffer, 1, -1, libc::RWF_NOWAIT) };
    read >= 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn pipes_know_nowait(_: &impl AsFd) -> bool {
    false
}
