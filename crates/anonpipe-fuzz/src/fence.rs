//! What must hold around every input: nothing stays open, no thread stays, and no step hangs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};

/// How long something may take that has to happen. A sanitized program on a busy machine is slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What a process has open, and how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Resources {
    descriptors: usize,
    threads: usize,
}

impl Resources {
    fn now() -> Self {
        let count = |folder| fs::read_dir(folder).expect("/proc is there").count();
        Self { descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }
    }
}

/// Runs `body`, and panics if it left a descriptor or a thread.
pub(crate) fn fenced(body: impl FnOnce()) {
    static WARM: OnceLock<()> = OnceLock::new();
    WARM.get_or_init(warm_up);
    let before = Resources::now();
    body();
    let begun = Instant::now();
    loop {
        let after = Resources::now();
        if after == before {
            return;
        }
        // The driver's thread may be about to let go of something.
        assert!(begun.elapsed() < LIMIT, "{before:?} before the input, {after:?} after it");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Starts what the library keeps: its thread, what a blocked thread has, a closed writer's pipe.
fn warm_up() {
    end_at_sigpipe();
    let (reader, mut writer) = anonpipe::pipe().expect("a pipe");
    let waiting = reader.submit_read(vec![0; 1]);
    let timeout = reader.read_timeout(&mut [0], Duration::from_millis(1));
    assert!(timeout.is_err(), "there is nothing to read");
    writer.write_all(b"x").expect("there is a reader");
    assert!(waiting.wait().0.is_ok());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = futures_io::AsyncWrite::poll_close(std::pin::Pin::new(&mut writer), &mut context);
    assert!(matches!((&reader).read(&mut [0]), Ok(0)), "the writer is closed");
}

/// No input makes more calls.
const MOST_STEPS: usize = 300;

/// Takes the steps that `input` says, one after the other.
pub(crate) fn each_step<S: for<'a> Arbitrary<'a> + std::fmt::Debug>(input: &[u8], mut take: impl FnMut(&S)) {
    let mut input = Unstructured::new(input);
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        let Ok(step) = S::arbitrary(&mut input) else { break };
        bounded(&step, || take(&step));
    }
}

/// Runs one step, and panics if it took longer than [`LIMIT`]. One that never ends is for the
/// time limit of the whole input.
pub(crate) fn bounded<T>(what: impl std::fmt::Debug, step: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    if prints() {
        eprintln!("{what:?}");
    }
    let result = step();
    assert!(begun.elapsed() < LIMIT, "{what:?} took {:?}", begun.elapsed());
    result
}

/// Has the process fail if a write raises `SIGPIPE`.
fn end_at_sigpipe() {
    extern "C" fn fail(_: libc::c_int) {
        // SAFETY: it may be called at any time, in a signal handler too.
        unsafe { libc::abort() };
    }
    let fail: extern "C" fn(libc::c_int) = fail;
    // SAFETY: the handler calls nothing that a signal handler must not.
    let before = unsafe { libc::signal(libc::SIGPIPE, fail as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Whether the steps are to be printed.
fn prints() -> bool {
    static PRINTS: OnceLock<bool> = OnceLock::new();
    *PRINTS.get_or_init(|| std::env::var_os("ANONPIPE_FUZZ_PRINT").is_some())
}
