//! What the programs of this package have in common: pipes to talk over, two sides that talk, and
//! rounds that compare two libraries.

pub mod pairs;
pub mod rounds;
pub mod talk;
