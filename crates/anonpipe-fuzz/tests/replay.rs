//! Every input in the corpus once, without a sanitizer, as an ordinary test.
//!
//! To see what an input does, say which one, and how:
//!
//! ```sh
//! ANONPIPE_FUZZ_PRINT=1 ANONPIPE_FUZZ_INPUT=fuzz/artifacts/c_api/crash-… \
//!   cargo test -p anonpipe-fuzz --test replay c_api -- --nocapture
//! ```

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Inputs count the process's descriptors, so they run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn inputs(target: &str) -> Vec<PathBuf> {
    if let Some(input) = std::env::var_os("ANONPIPE_FUZZ_INPUT") {
        // Cargo runs tests in the package's folder.
        return vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(input)];
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
    inputs.sort();
    inputs
}

fn replay(target: &str, run: fn(&[u8])) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let inputs = inputs(target);
    assert!(!inputs.is_empty(), "the corpus of {target} is empty");
    for input in inputs {
        println!("{}", input.display());
        run(&fs::read(&input).expect("the input can be read"));
    }
}

#[test]
fn operations() {
    replay("operations", anonpipe_fuzz::operations);
}

/// The functions that the header declares on this system.
fn declared() -> BTreeSet<String> {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../anonpipe-capi/include/anonpipe.h");
    let header = fs::read_to_string(header).expect("the header can be read");
    let (_overview, declarations) = header.split_once("*/").expect("the overview ends");
    let code: Vec<_> = declarations.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let names = code.iter().filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next());
    names.filter(|name| name.starts_with("anonpipe_")).map(str::to_owned).collect()
}

#[test]
fn c_api() {
    replay("c_api", anonpipe_fuzz::c_api);
    if std::env::var_os("ANONPIPE_FUZZ_INPUT").is_none() {
        let called: BTreeSet<_> = anonpipe_fuzz::called().into_keys().map(str::to_owned).collect();
        assert_eq!(called, declared(), "the corpus calls every function, and the header declares every one");
    }
}
