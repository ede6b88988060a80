//! The program's own standard input, as something that can be waited for.

mod stdin;

pub use stdin::{Stdin, stdin};
