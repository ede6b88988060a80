//! Reads and writes of a pipe that do not wait, even if another owner of the open file description,
//! such as a child that inherited the end, has cleared its `O_NONBLOCK`.
//!
//! On Linux a flag of the call says "do not wait". Where the flag is missing, `O_NONBLOCK` is
//! checked before each call: on other systems, on Android (for which rustix does not have the
//! call), on kernels before 6.5, for a FIFO that was opened by its name, and for a pipe that was
//! ever spliced. If `O_NONBLOCK` is cleared, `poll` says whether there is something to read, or
//! room for `PIPE_BUF` bytes, and no more than that is written. What remains is the moment between
//! the check and the call.
//!
//! # References
//!
//! - [readv(2)](https://man7.org/linux/man-pages/man2/readv.2.html)
//! - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
//! - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
//! - [POSIX, write](https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html)

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use rustix::io::{Errno, readv, writev};

use super::{is_nonblocking, ready_for};

/// What is known of one descriptor's calls that do not wait.
#[derive(Debug, Default)]
pub(super) struct AtOnce {
    #[cfg(target_os = "linux")]
    in_the_call: in_the_call::Support,
}

impl AtOnce {
    pub(super) fn read(&self, fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(result) = self.in_the_call.read(fd, buffers) {
            return result;
        }
        if !is_nonblocking(fd) && ready_for(fd, PollFlags::IN)?.is_empty() {
            return Err(Errno::AGAIN);
        }
        readv(fd, buffers)
    }

    pub(super) fn write(&self, fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(result) = self.in_the_call.write(fd, buffers) {
            return result;
        }
        if is_nonblocking(fd) {
            return writev(fd, buffers);
        }
        if ready_for(fd, PollFlags::OUT)?.is_empty() {
            return Err(Errno::AGAIN);
        }
        writev(fd, &cut(buffers, ROOM))
    }
}

/// How many bytes a pipe that polls as writable takes without waiting: `PIPE_BUF` (*documented*,
/// pipe(7); POSIX asks for 512).
const ROOM: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 4096 } else { 512 };

/// The first `most` bytes.
fn cut<'a>(buffers: &'a [IoSlice<'_>], most: usize) -> Vec<IoSlice<'a>> {
    let mut room = most;
    let mut first = Vec::new();
    for buffer in buffers {
        let bytes = &buffer[..buffer.len().min(room)];
        room -= bytes.len();
        first.push(IoSlice::new(bytes));
        if room == 0 {
            break;
        }
    }
    first
}

/// Linux's `RWF_NOWAIT`. Each file answers for itself, and the answer can change: after a `splice`
/// a pipe never knows the flag again.
#[cfg(target_os = "linux")]
mod in_the_call {
    use std::io::{IoSlice, IoSliceMut};
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2};

    use super::super::answers;

    /// No offset: pipes have none.
    const NOWHERE: u64 = u64::MAX;

    #[derive(Debug, Default)]
    pub(super) struct Support {
        missing: AtomicBool,
    }

    impl Support {
        /// `None`: this descriptor does not know the flag (*observed*, `EOPNOTSUPP` on Linux 5.10
        /// and 6.1, and after a splice on 6.18).
        pub(super) fn read(&self, fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Option<Result<usize, Errno>> {
            self.unless_missing(|| preadv2(fd, buffers, NOWHERE, ReadWriteFlags::NOWAIT))
        }

        /// See [`read`](Self::read).
        pub(super) fn write(&self, fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Option<Result<usize, Errno>> {
            self.unless_missing(|| pwritev2(fd, buffers, NOWHERE, ReadWriteFlags::NOWAIT))
        }

        fn unless_missing(&self, call: impl FnOnce() -> Result<usize, Errno>) -> Option<Result<usize, Errno>> {
            if self.missing.load(Ordering::Relaxed) {
                return None;
            }
            let result = call();
            if answers::has_unknown_flags(&result) {
                self.missing.store(true, Ordering::Relaxed);
                return None;
            }
            Some(result)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::cut;

    #[test]
    fn slices_are_cut_to_what_fits() {
        let buffers = [&b"abc"[..], b"", b"defg"].map(IoSlice::new);
        let flat = |most| cut(&buffers, most).iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>();
        assert_eq!([0, 2, 3, 5, 7, 100].map(flat), ["", "ab", "abc", "abcde", "abcdefg", "abcdefg"].map(Vec::from));
    }
}
