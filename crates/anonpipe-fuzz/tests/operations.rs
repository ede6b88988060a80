//! The corpus of the target `operations`.

#![cfg(target_os = "linux")]

mod replay;

#[test]
fn operations() {
    replay::replay("operations", anonpipe_fuzz::operations);
}
