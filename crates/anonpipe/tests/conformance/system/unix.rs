//! Descriptors, threads and limits of this process.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use super::Thing;

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

/// Takes the descriptor out as a number, which must be `number`, and owns it again.
#[track_caller]
pub(crate) fn taken_out_raw(end: impl IntoRawFd, number: usize) -> Handle {
    let raw = end.into_raw_fd();
    assert_eq!(usize::try_from(raw), Ok(number), "another descriptor came out");
    // SAFETY: it was given to us, to close.
    unsafe { Handle::from_raw_fd(raw) }
}

/// Whether this is Wine, which answers some questions differently from Windows.
pub(crate) fn is_wine() -> bool {
    false
}

/// How many descriptors this process has.
pub(crate) fn handles() -> usize {
    // One of them is that of the folder.
    open_descriptors().count() - 1
}

/// The numbers of the descriptors that a child inherits.
pub(crate) fn inherited() -> Vec<usize> {
    let numbers: Vec<_> = open_descriptors().collect();
    let is_inherited = |number: &usize| {
        let descriptor = i32::try_from(*number).expect("a descriptor");
        // SAFETY: the call refuses a number that is no descriptor; F_GETFD has no argument.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        flags >= 0 && flags & libc::FD_CLOEXEC == 0
    };
    numbers.into_iter().filter(is_inherited).collect()
}

/// The numbers of all descriptors, and that of the list.
fn open_descriptors() -> impl Iterator<Item = usize> {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let entries = std::fs::read_dir(folder).expect("the list of descriptors");
    entries.map(|entry| {
        let name = entry.expect("a descriptor").file_name();
        name.to_str().and_then(|name| name.parse().ok()).expect("a number")
    })
}

/// The descriptors of this process, and on Linux what each is open to.
pub(crate) fn open_handles() -> Vec<Thing> {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let entries = std::fs::read_dir(folder).expect("the list of descriptors");
    let entries: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // One of them was that of the folder, and is closed.
    let is_open = |number| {
        // SAFETY: the call refuses a number that is no descriptor; F_GETFD has no argument.
        unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
    };
    let numbers = entries.iter().filter_map(|name| name.parse().ok()).filter(|number| is_open(*number));
    let thing = |number: i32| {
        let target = std::fs::read_link(format!("{folder}/{number}"));
        let is = target.map(|target| target.display().to_string()).unwrap_or_default();
        Thing { number: usize::try_from(number).expect("a descriptor"), is }
    };
    numbers.map(thing).collect()
}

/// The threads of this process, and on Linux their names.
pub(crate) fn running_threads() -> Vec<Thing> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let numbers = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    let thing = |number: usize| {
        let name = std::fs::read_to_string(format!("/proc/self/task/{number}/comm"));
        Thing { number, is: name.unwrap_or_default().trim_end().to_owned() }
    };
    numbers.map(thing).collect()
}

/// How many threads this process has.
#[cfg(target_os = "linux")]
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("the list of threads").count()
}

/// Other systems have no portable way to tell: the number of lines that ps prints for this process,
/// less its heading.
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

/// Counts the interruptions of [`interruptible_thread`].
static INTERRUPTIONS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

extern "C" fn count_interruption(_: libc::c_int) {
    INTERRUPTIONS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
}

/// A thread that a signal can interrupt: the signal's handler is called, and the system call that
/// the thread is in fails with `EINTR`.
pub(crate) struct InterruptibleThread(libc::pthread_t);

impl InterruptibleThread {
    /// The calling thread. From now on `SIGUSR1` interrupts, and restarts no system call.
    pub(crate) fn current() -> Self {
        // SAFETY: a struct of numbers, of which zeros are valid: no flags, so no SA_RESTART, and no
        // signal blocked.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = count_interruption as *const () as usize;
        // SAFETY: the handler only adds to an atomic; the old action is not asked for.
        let done = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
        assert_eq!(done, 0, "sigaction");
        // SAFETY: takes nothing, and cannot fail.
        Self(unsafe { libc::pthread_self() })
    }

    /// Interrupts the thread, which must be alive, and waits until its handler has run.
    pub(crate) fn interrupt(&self) {
        let before = INTERRUPTIONS.load(std::sync::atomic::Ordering::SeqCst);
        // SAFETY: the thread is alive, says the caller.
        assert_eq!(unsafe { libc::pthread_kill(self.0, libc::SIGUSR1) }, 0, "pthread_kill");
        while INTERRUPTIONS.load(std::sync::atomic::Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
    }
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
        // The lowest free one is given out first, so there is no gap when as many in a row were
        // free.
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

/// Lets this process have `wanted` descriptors, or as many as it may have. Returns the number.
pub(crate) fn room_for_handles(wanted: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is writable.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0, "getrlimit");
    let wanted = libc::rlim_t::try_from(wanted).expect("a number of descriptors");
    // Only a privileged process may raise the limit of the limit.
    for (current, most) in [(wanted, limit.rlim_max.max(wanted)), (limit.rlim_max, limit.rlim_max)] {
        let raised = libc::rlimit { rlim_cur: current, rlim_max: most };
        // SAFETY: the struct is initialised.
        if limit.rlim_cur < current && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            limit = raised;
        }
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Refuses threads to this process, which is another user's from then on: the limit does not bind
/// `root`.
#[cfg(target_os = "linux")]
pub(crate) struct NoMoreThreads(libc::rlimit);

#[cfg(target_os = "linux")]
impl NoMoreThreads {
    pub(crate) fn new() -> Self {
        /// A user without processes.
        const OTHER: libc::uid_t = 61_234;
        // SAFETY: takes nothing, and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            // SAFETY: a number.
            assert_eq!(unsafe { libc::setuid(OTHER) }, 0, "setuid");
            // SAFETY: numbers. Without it, the process may not look into its own /proc any more.
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }, 0, "PR_SET_DUMPABLE");
        }
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the struct is writable.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut old) }, 0, "getrlimit");
        Self(old)
    }

    fn set(limit: &libc::rlimit) {
        // SAFETY: the struct is initialised.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, limit) }, 0, "setrlimit");
    }
}

#[cfg(target_os = "linux")]
impl crate::steps::Refusing for NoMoreThreads {
    fn begin(&mut self) {
        Self::set(&libc::rlimit { rlim_cur: 0, ..self.0 });
    }

    fn end(&mut self) -> Option<i32> {
        Self::set(&self.0);
        Some(libc::EAGAIN)
    }
}

/// A child of [`fork`].
pub(crate) struct Fork(libc::pid_t);

impl Fork {
    /// Waits for its end.
    pub(crate) fn succeeded(self) -> bool {
        self.code() == Some(0)
    }

    /// Waits for its end, and returns the code that it ended with, unless a signal ended it.
    fn code(self) -> Option<u8> {
        let mut status = 0;
        // SAFETY: a child of ours that only this code waits for, and somewhere to put its status.
        let ended = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        (ended == self.0 && libc::WIFEXITED(status)).then(|| u8::try_from(libc::WEXITSTATUS(status)).ok())?
    }
}

/// Forks; `None` in the child, which ends by itself should it hang.
pub(crate) fn fork() -> Option<Fork> {
    let limit = u32::try_from(crate::harness::patience().as_secs()).expect("a few seconds");
    // SAFETY: the rule has a process of its own, whose other thread only waits, so no lock is held
    // by other code.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: a number.
            unsafe { libc::alarm(limit) };
            None
        }
        child => {
            assert!(child > 0, "fork");
            Some(Fork(child))
        }
    }
}

/// Has a child of [`fork`] call `check`, and returns what that returned. A child that hangs or
/// panics has said so.
#[track_caller]
pub(crate) fn in_a_fork(what: &str, check: impl FnOnce() -> u8) -> u8 {
    const PANICKED: u8 = u8::MAX;
    let Some(child) = fork() else {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(PANICKED);
        // SAFETY: a number.
        unsafe { libc::_exit(code.into()) }
    };
    let code = child.code().filter(|code| *code != PANICKED);
    code.unwrap_or_else(|| panic!("{what}: the child failed, or hung"))
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

/// Sets `O_NONBLOCK`.
pub(crate) fn make_nonblocking(end: &impl AsFd) {
    // SAFETY: the descriptor is borrowed, so it is open; the flags are numbers.
    let set = unsafe { libc::fcntl(end.as_fd().as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0, "F_SETFL");
}

/// Whether `O_NONBLOCK` is set.
pub(crate) fn is_nonblocking(end: &impl AsFd) -> bool {
    HasHandle::is_overlapped(&end.as_fd())
}

/// A FIFO in the folder for temporary files, which is removed when this is dropped.
#[cfg(target_os = "linux")]
pub(crate) struct FifoFile(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl FifoFile {
    pub(crate) fn new() -> Self {
        use std::os::unix::ffi::OsStrExt;
        use std::sync::atomic::{AtomicUsize, Ordering};

        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("anonpipe-fifo-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let text = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path without zeros");
        // SAFETY: a string that ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(text.as_ptr(), 0o600) }, 0, "mkfifo: {}", std::io::Error::last_os_error());
        Self(path)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

#[cfg(target_os = "linux")]
impl Drop for FifoFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Both ends of a FIFO that was opened by its name, non-blocking.
#[cfg(target_os = "linux")]
pub(crate) fn fifo() -> (OwnedFd, OwnedFd) {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;

    let fifo = FifoFile::new();
    let open = |options: &mut OpenOptions| options.custom_flags(libc::O_NONBLOCK).open(fifo.path()).expect("the FIFO");
    let reader = open(OpenOptions::new().read(true));
    (reader.into(), open(OpenOptions::new().write(true)).into())
}

/// A pipe in packet mode, non-blocking.
#[cfg(target_os = "linux")]
pub(crate) fn packet_pipe() -> (OwnedFd, OwnedFd) {
    use std::os::fd::FromRawFd;

    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_DIRECT | libc::O_NONBLOCK | libc::O_CLOEXEC) }, 0);
    // SAFETY: the call succeeded, so both are new and ours.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (reader, writer)
}

/// The signals that a thread of this process has blocked, as a set of bits; signal 1 is the lowest.
#[cfg(target_os = "linux")]
pub(crate) fn blocked_signals(thread: &str) -> Option<u64> {
    std::fs::read_dir("/proc/self/task").expect("the list of threads").find_map(|task| {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        (field("Name:") == Some(thread)).then(|| u64::from_str_radix(field("SigBlk:")?, 16).ok())?
    })
}
