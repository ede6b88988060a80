//! Every input in the corpus once, without a sanitizer, as an ordinary test. Each target has a
//! process of its own, because inputs count the process's descriptors and threads.
//!
//! To see what an input does, say which one, and how:
//!
//! ```sh
//! ANONPIPE_FUZZ_PRINT=1 ANONPIPE_FUZZ_INPUT=fuzz/artifacts/c_api/crash-… \
//!   cargo test -p anonpipe-fuzz --test c_api -- --nocapture
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// The input to run in place of the corpus.
pub(crate) fn only_input() -> Option<PathBuf> {
    let input = std::env::var_os("ANONPIPE_FUZZ_INPUT")?;
    // Cargo runs tests in the package's folder.
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(input))
}

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("the corpus can be read").path()).collect();
    inputs.sort();
    inputs
}

pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let inputs = only_input().map_or_else(|| corpus(target), |input| vec![input]);
    assert!(!inputs.is_empty(), "the corpus of {target} is empty");
    for input in inputs {
        println!("{}", input.display());
        run(&fs::read(&input).expect("the input can be read"));
    }
}
