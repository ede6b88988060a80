//! The completion port.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{GetLastError, INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED, PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

use super::channel::Channel;
use super::event::milliseconds_until;
use crate::driver::{Lease, Turn};
use crate::op::Flow;

/// A completion port, and the channels that are bound to it.
///
/// A packet's key is looked up here, and its `OVERLAPPED` among the channel's operations in flight. Neither is ever followed
/// as a pointer: a file object's binding goes with the handle to its next owner, in this process or in another, whose
/// packets then arrive here as well.
pub(crate) struct Driver {
    pub(super) port: OwnedHandle,
    channels: Mutex<HashMap<usize, Weak<Channel>>>,
    next_key: AtomicUsize,
    /// Channels on which operations wait to be issued by the thread that turns this; a packet with
    /// the key [`HANDED_OVER`] for each.
    handed_over: Mutex<VecDeque<(Weak<Channel>, Flow)>>,
    /// The thread that turned it last.
    thread: AtomicU32,
}

/// The key of [`Driver::notify`]. No channel has it.
const NOTICE: usize = 0;

/// The key of [`Driver::hand_over`]. The channels' keys never come so far.
const HANDED_OVER: usize = usize::MAX;

impl Driver {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: makes a new port, bound to nothing.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the handle is new and ours.
        let port = unsafe { OwnedHandle::from_raw_handle(port) };
        Ok(Self {
            port,
            channels: Mutex::default(),
            next_key: AtomicUsize::new(NOTICE + 1),
            handed_over: Mutex::default(),
            thread: AtomicU32::new(0),
        })
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<usize, Weak<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread that turns this issue what waits on a channel.
    pub(super) fn hand_over(&self, channel: &Arc<Channel>, flow: Flow) -> io::Result<()> {
        let mut handed_over = self.handed_over.lock().unwrap_or_else(PoisonError::into_inner);
        handed_over.push_back((Arc::downgrade(channel), flow));
        let posted = self.post(HANDED_OVER, ptr::null_mut());
        if posted.is_err() {
            handed_over.pop_back();
        }
        posted
    }

    /// Whether the calling thread is the one that turns this.
    pub(super) fn is_turned_by_this_thread(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == this_thread()
    }

    fn issue_handed_over(&self) {
        let next = self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some((Some(channel), flow)) = next.map(|(channel, flow)| (channel.upgrade(), flow)) {
            Channel::issue_waiting(channel, flow);
        }
    }

    fn post(&self, key: usize, overlapped: *mut OVERLAPPED) -> io::Result<()> {
        // SAFETY: a packet is three numbers; the port is open.
        let done = unsafe { PostQueuedCompletionStatus(self.port.as_raw_handle(), 0, key, overlapped) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn this_thread() -> u32 {
    // SAFETY: takes nothing, and cannot fail.
    unsafe { GetCurrentThreadId() }
}

/// Binds a handle to the port of `lease`: its packets lead to `channel` until the registration is dropped.
pub(super) fn bind(lease: Lease, channel: &Arc<Channel>, handle: BorrowedHandle<'_>) -> io::Result<Registration> {
    let driver = lease.system();
    let key = driver.next_key.fetch_add(1, Ordering::Relaxed);
    driver.channels().insert(key, Arc::downgrade(channel));
    let port = driver.port.as_raw_handle();
    let registration = Registration { lease, key };
    // SAFETY: two open handles.
    let port = unsafe { CreateIoCompletionPort(handle.as_raw_handle(), port, key, 0) };
    if port.is_null() { Err(io::Error::last_os_error()) } else { Ok(registration) }
}

impl Turn for Driver {
    fn turn(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.thread.store(this_thread(), Ordering::Relaxed);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let (mut count, mut key, mut overlapped) = (0, 0, ptr::null_mut());
        // SAFETY: the port is open, and the outputs live on this stack.
        let done = unsafe {
            GetQueuedCompletionStatus(
                self.port.as_raw_handle(),
                &raw mut count,
                &raw mut key,
                &raw mut overlapped,
                milliseconds_until(deadline),
            )
        };
        // A failed operation's packet is a packet, too.
        // SAFETY: takes nothing, and cannot fail.
        let said = if done == 0 { Err(unsafe { GetLastError() }) } else { Ok(()) };
        match said {
            Err(WAIT_TIMEOUT) if overlapped.is_null() => return Ok(()),
            Err(code) if overlapped.is_null() => return Err(io::Error::from_raw_os_error(code.cast_signed())),
            _ => {}
        }
        if key == HANDED_OVER {
            self.issue_handed_over();
            return Ok(());
        }
        let channel = self.channels().get(&key).and_then(Weak::upgrade);
        if let Some(channel) = channel {
            Channel::on_completion(channel, overlapped, Some(said));
        }
        Ok(())
    }

    fn notify(&self) {
        // Out of memory, at worst; then others are in greater trouble.
        let _ = self.post(NOTICE, ptr::null_mut());
    }
}

/// A channel's place in the driver's table.
pub(super) struct Registration {
    lease: Lease,
    key: usize,
}

impl Registration {
    /// Sends a packet that leads to the channel.
    pub(super) fn post(&self, overlapped: *mut OVERLAPPED) -> io::Result<()> {
        self.lease.system().post(self.key, overlapped)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.lease.system().channels().remove(&self.key);
    }
}

/// There are no signals on Windows.
pub(crate) fn with_signals_left_to_the_program<T>(spawn: impl FnOnce() -> T) -> T {
    spawn()
}
