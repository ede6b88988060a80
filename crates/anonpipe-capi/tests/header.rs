//! The header that is checked in is what cbindgen makes of the sources.
//!
//! `ANONPIPE_WRITE_HEADER=1 cargo test -p anonpipe-capi --test header` writes it anew.

#![cfg(not(windows))]

use std::path::Path;

#[test]
fn the_header_is_up_to_date() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(top.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In the order in which the header has them.
    for module in ["result", "text", "handle", "options", "end", "io", "op", "win32"] {
        builder = builder.with_src(top.join("src").join(module).with_extension("rs"));
    }
    let mut made = Vec::new();
    builder.generate().expect("cbindgen can read the sources").write(&mut made);
    let made = String::from_utf8(made).expect("the sources are UTF-8");
    let header = top.join("include/anonpipe.h");
    if std::env::var_os("ANONPIPE_WRITE_HEADER").is_some() {
        std::fs::write(&header, &made).expect("the header can be written");
    }
    let checked_in = std::fs::read_to_string(&header).expect("the header is there");
    assert!(checked_in == made, "include/anonpipe.h is not what the sources say; see the head of this test");
}
