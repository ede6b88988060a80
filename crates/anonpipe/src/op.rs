//! One operation's life: submitted, pending, completed.
//!
//! An operation is a [`Record`](crate::channel::Record), which its channel and its handle share.
//! [`Op`] is the caller's handle; [`Operation`] is the same for any system.

mod any;
mod fairness;
mod handle;
#[cfg(all(test, loom))]
mod interleavings;
mod operation;

pub(crate) use any::sealed as any_op;
pub use any::{AnyOp, wait_any};
pub(crate) use fairness::fairly;
pub use handle::Op;
pub(crate) use operation::Operation;
