//! The C library: anonpipe's pairs and operations behind a C interface.
//!
//! Its documentation is the header, `include/anonpipe.h`, which cbindgen makes from this crate: so
//! the comments on what is exported are written for C programmers. There is no logic of pipes here.
//! Each function checks its arguments, calls the Rust library, and turns the result into a code;
//! none lets a panic out.

#![allow(unsafe_code, reason = "the other side of every function here is C, and promises what the header asks for")]
#![allow(non_camel_case_types, reason = "names of C")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the header has no Rust headings: it says \"Requires\", and tests/header.rs looks"
)]

pub mod end;
mod fork;
pub mod handle;
pub mod io;
pub mod op;
pub mod options;
pub mod result;
pub mod text;
#[cfg(windows)]
#[expect(non_snake_case, reason = "names of Windows")]
pub mod win32;
