//! The corpus of the target `c_api`, and whether it calls everything.

#![cfg(target_os = "linux")]

mod replay;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
    replay::replay("c_api", anonpipe_fuzz::c_api);
    if replay::only_input().is_none() {
        let called: BTreeSet<_> = anonpipe_fuzz::called().into_keys().map(str::to_owned).collect();
        assert_eq!(called, declared(), "the corpus calls every function, and the header declares every one");
    }
}
