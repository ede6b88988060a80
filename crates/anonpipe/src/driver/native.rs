//! The system that this build is for, and the driver of each of its processes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::core::{Core, DriverRef};
use crate::channel::System;
use crate::contract::{Direction, EndSpec, Failure, IoMode, Spec};
use crate::sync::SystemClock;
use crate::sys::{self, BorrowedPipe, OwnedPipe, PerProcess};

/// The system that this build is for.
#[derive(Debug)]
pub(crate) enum Native {}

#[cfg(unix)]
impl crate::channel::readiness::System for Native {
    type Descriptor = sys::Descriptor;
}

#[cfg(windows)]
impl crate::channel::completion::System for Native {
    type Issuer = sys::Issuer;
}

impl System for Native {
    type Process = sys::Process;
    type Handle = sys::OwnedPipe;
    type Slot = sys::Slot;
    type Poller = sys::Poller;
    type Clock = SystemClock;
    #[cfg(unix)]
    type Channel = crate::channel::readiness::Channel<Self>;
    #[cfg(windows)]
    type Channel = crate::channel::completion::Channel<Self>;
    type Driver = DriverRef<Self>;

    fn process_driver() -> io::Result<DriverRef<Self>> {
        process_driver()
    }

    fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("anonpipe-driver".into());
        sys::with_signals_left_to_the_program(|| thread.spawn(run)).map(drop)
    }

    fn unread_writer() -> Result<Arc<Channel>, Failure> {
        unread_writer()
    }
}

/// The process's driver, once it was needed.
#[derive(Default)]
struct State {
    core: Option<Arc<Core<Native>>>,
    /// Whether the driver's thread runs.
    started: bool,
}

/// The driver of this process; the first call that succeeds starts it.
fn process_driver() -> io::Result<DriverRef<Native>> {
    static STATE: PerProcess<Mutex<State>> = PerProcess::new();

    let mut state = STATE.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let core = match &state.core {
        Some(core) => Arc::clone(core),
        None => Arc::clone(state.core.insert(Arc::new(Core::new()?))),
    };
    if !state.started {
        let turned = Arc::clone(&core);
        Native::start_thread(move || turned.turn_for_good())?;
        state.started = true;
    }
    Ok(core.make_ref())
}

type Channel = <Native as System>::Channel;

#[cfg(windows)]
pub(crate) fn pipe_of(channel: &Channel) -> BorrowedPipe<'_> {
    std::os::windows::io::AsHandle::as_handle(channel.issuer())
}

#[cfg(unix)]
pub(crate) fn pipe_of(channel: &Channel) -> BorrowedPipe<'_> {
    std::os::fd::AsFd::as_fd(channel.descriptor())
}

/// `exclusive`: no other handle to this end exists.
#[cfg(windows)]
pub(crate) fn channel_of(pipe: OwnedPipe, exclusive: bool) -> Channel {
    Channel::new(sys::Issuer::new(pipe), exclusive)
}

/// On Unix, making a channel changes nothing that other handles share.
#[cfg(unix)]
pub(crate) fn channel_of(pipe: OwnedPipe, _exclusive: bool) -> Channel {
    Channel::new(sys::Descriptor::new(pipe))
}

/// A channel that only reads, from what may be something else than a pipe or a socket.
#[cfg(unix)]
pub(crate) fn channel_of_input(fd: OwnedPipe) -> Channel {
    Channel::new(sys::Descriptor::of_any(fd))
}

fn unread_writer() -> Result<Arc<Channel>, Failure> {
    static WRITER: PerProcess<Mutex<Option<Arc<Channel>>>> = PerProcess::new();

    let mut kept = WRITER.get_or_make(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(channel) = &*kept {
        return Ok(Arc::clone(channel));
    }
    let end = EndSpec { mode: IoMode::Overlapped, inheritable: false };
    let spec = Spec { direction: Direction::Inbound, server: end, client: end, capacity: None };
    let (_, writer) = sys::create(&spec, &sys::PlatformOptions::default())?;
    Ok(Arc::clone(kept.insert(Arc::new(channel_of(writer, /* exclusive */ true)))))
}
