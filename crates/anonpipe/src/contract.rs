//! The words that every layer may use. Imports nothing of ours, so every module may import it.

mod error;
mod info;
mod outcome;
mod panics;
mod piece_size;
mod spec;
mod turn;

pub(crate) use error::{Action, Failure};
pub use error::{ConversionError, Error};
pub use info::{Direction, Info, IoMode, Role};
pub(crate) use info::{EndName, Probe};
pub(crate) use outcome::{Half, Outcome, nothing_to_do};
pub(crate) use panics::swallow_panic;
pub(crate) use piece_size::PieceSize;
#[cfg_attr(not(windows), allow(unused_imports, reason = "elsewhere the system has a default of its own"))]
pub(crate) use spec::DEFAULT_CAPACITY;
pub(crate) use spec::{EndSpec, MAX_CAPACITY, Spec};
pub(crate) use turn::{Process, Turn};
