//! The system that this build is for, and the driver of each of its processes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::core::{Core, DriverRef, start};
use crate::channel::System;
use crate::sys::{self, PerProcess};

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
    #[cfg(unix)]
    type Channel = crate::channel::readiness::Channel<Self>;
    #[cfg(windows)]
    type Channel = crate::channel::completion::Channel<Self>;
    type Driver = DriverRef<Self>;

    fn process_driver() -> io::Result<DriverRef<Self>> {
        process_driver()
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
        start(move || {
            loop {
                turned.turn_patiently(turned.turn_lock.notices());
            }
        })?;
        state.started = true;
    }
    Ok(core.make_ref())
}
