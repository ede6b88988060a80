//! What to do when the system has no more to give: descriptors, handles, memory, threads.
//!
//! # References
//!
//! - [errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)
//! - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
//! - [pthread_create(3)](https://man7.org/linux/man-pages/man3/pthread_create.3.html)
//! - [System Error Codes](https://learn.microsoft.com/en-us/windows/win32/debug/system-error-codes)

const NO_MEMORY: &str = "there is no memory left for this: free some, and try again";

/// What to do about a system's error code that says that something has run out. `None`: the code
/// says something else.
#[cfg(unix)]
pub(super) fn for_want_of(code: i32) -> Option<&'static str> {
    match code {
        libc::EMFILE => {
            Some("the process has as many descriptors as it may have: close some, or raise its limit, `ulimit -n`")
        }
        libc::ENFILE => Some("all processes together have as many descriptors as the system allows: close some"),
        // Reads and writes that would have to wait are no failures, so it was a thread.
        libc::EAGAIN => Some(
            "the system refuses the thread that completes operations: end some threads, or raise the limit of the user, \
             `ulimit -u`, or of the container",
        ),
        libc::ENOSPC => {
            Some("the user waits for as many descriptors as the system allows: see fs.epoll.max_user_watches")
        }
        libc::ENOMEM | libc::ENOBUFS => Some(NO_MEMORY),
        _ => None,
    }
}

/// As above.
#[cfg(windows)]
pub(super) fn for_want_of(code: i32) -> Option<&'static str> {
    use windows_sys::Win32::Foundation::{
        ERROR_COMMITMENT_LIMIT, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_ENOUGH_QUOTA,
        ERROR_OUTOFMEMORY, ERROR_TOO_MANY_OPEN_FILES,
    };

    match code.cast_unsigned() {
        ERROR_TOO_MANY_OPEN_FILES => Some("the process has as many handles as it may have: close some"),
        ERROR_NOT_ENOUGH_MEMORY | ERROR_OUTOFMEMORY | ERROR_COMMITMENT_LIMIT => Some(NO_MEMORY),
        ERROR_NO_SYSTEM_RESOURCES | ERROR_NOT_ENOUGH_QUOTA => {
            Some("the system has no memory left for pipes: have fewer bytes on the way, and try again")
        }
        _ => None,
    }
}
