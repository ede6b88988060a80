//! What the fuzz targets do with an input.
//!
//! An input is a sequence of calls. A target makes them on real pipes, and panics if an answer
//! breaks the contract. `fuzz/` runs the targets under libFuzzer, and `tests/` runs the
//! inputs in `fuzz/corpus` as an ordinary test.

#![cfg(target_os = "linux")]

mod c_api;
mod fence;
mod ledger;
mod operations;
mod pipes;
mod plain;
mod size;

pub use c_api::{c_api, called};
pub use operations::operations;
