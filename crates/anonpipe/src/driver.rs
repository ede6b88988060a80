//! Who completes operations: a system's source of notifications, and the thread that turns it.
//!
//! The process has one driver of its own, made with its thread by the first operation that has to
//! wait for the system; programs that only block or only make pairs have neither. Programs with an
//! event loop make a [`Driver`], turn it themselves, and attach ends to it.

mod core;
mod handle;
mod native;
mod turn_lock;

#[cfg(test)]
pub(crate) use self::core::{Core, DriverRef};
pub use handle::Driver;
pub(crate) use native::Native;

/// The channels of the system that this is built for.
pub(crate) type NativeChannel = <Native as crate::channel::System>::Channel;

/// References to its drivers.
#[cfg(feature = "tokio")]
pub(crate) type NativeDriver = self::core::DriverRef<Native>;
