//! Drivers complete operations: each is a system's source of notifications, and the thread that
//! turns it.
//!
//! Each process has one driver of its own. The first operation that has to wait for the system
//! makes it, and its thread; programs that only block, or only make pairs, have neither. Programs
//! with an event loop make a [`Driver`], turn it themselves, and attach ends to it.

mod core;
mod handle;
mod native;
mod timers;
mod turn_lock;

pub(crate) use self::core::Listener;
#[cfg(test)]
pub(crate) use self::core::{Core, DriverRef};
pub use handle::Driver;
#[cfg(unix)]
pub(crate) use native::channel_of_input;
pub(crate) use native::{Native, channel_of, pipe_of};
pub(crate) use timers::TimerKey;

/// References to the drivers of that system.
pub(crate) type NativeDriver = self::core::DriverRef<Native>;
