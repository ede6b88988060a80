//! The header that is checked in is what cbindgen makes of the sources, in the version that
//! Cargo.toml has, and says what every caller needs to know.
//!
//! `ANONPIPE_WRITE_HEADER=1 cargo test -p anonpipe-capi --test header` writes it again.

#![cfg(not(windows))]

use std::fs;
use std::path::{Path, PathBuf};

/// How many functions the library has, on Windows.
const EXPORTED: usize = 23;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What cbindgen makes of the sources.
fn made() -> String {
    let mut config = cbindgen::Config::from_file(file("cbindgen.toml")).expect("cbindgen.toml is valid");
    let version = [
        ("@major@", env!("CARGO_PKG_VERSION_MAJOR")),
        ("@minor@", env!("CARGO_PKG_VERSION_MINOR")),
        ("@patch@", env!("CARGO_PKG_VERSION_PATCH")),
    ];
    config.after_includes = config
        .after_includes
        .map(|text| version.iter().fold(text, |text, (place, number)| text.replacen(place, number, 1)));
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In the order in which the header has them.
    for module in ["result", "text", "handle", "options", "end", "io", "op", "win32"] {
        builder = builder.with_src(file("src").join(module).with_extension("rs"));
    }
    let mut made = Vec::new();
    builder.generate().expect("cbindgen can read the sources").write(&mut made);
    String::from_utf8(made).expect("the sources are UTF-8")
}

#[test]
fn the_header_is_up_to_date() {
    let made = made();
    if std::env::var_os("ANONPIPE_WRITE_HEADER").is_some() {
        fs::write(file("include/anonpipe.h"), &made).expect("the header can be written");
    }
    let checked_in = text("include/anonpipe.h");
    assert!(checked_in == made, "include/anonpipe.h is not what the sources say; see the head of this test");
}

/// clippy's `missing_safety_doc` asks for Rust's headings, so it is off in this crate.
#[test]
fn every_function_that_takes_a_pointer_says_what_it_requires() {
    let header = made();
    let (_overview, declarations) = header.split_once("*/").expect("the overview ends");
    let (mut comment, mut code, mut functions) = (String::new(), String::new(), 0);
    for line in declarations.lines() {
        match line {
            "" => comment.clear(),
            _ if line.starts_with("//") => comment.push_str(line),
            _ if line.starts_with('#') || line.ends_with('{') || line.starts_with('}') => code.clear(),
            _ => code.push_str(line),
        }
        if !code.ends_with(';') {
            continue;
        }
        if code.ends_with(");") {
            functions += 1;
            let takes_pointers = code.split_once('(').is_some_and(|(_, arguments)| arguments.contains('*'));
            assert_eq!(comment.contains("// Requires: "), takes_pointers, "{comment} {code}");
        }
        code.clear();
    }
    assert_eq!(functions, EXPORTED, "each function is looked at");
}

#[test]
fn the_header_is_written_for_c() {
    let made = made();
    for rust in ["# Safety", "# Errors", "`", "](", "\u{2014}"] {
        assert!(!made.contains(rust), "{rust}");
    }
    for (number, line) in made.lines().enumerate() {
        assert!(line.len() <= 100, "line {} is too wide: {line}", number + 1);
    }
}

/// C++ programs compile with warnings that C does not have: tests/c/header.cpp has each macro
/// expanded under them.
#[test]
fn every_macro_is_tried_in_cpp() {
    let program = text("tests/c/header.cpp");
    let made = made();
    let macros: Vec<_> =
        made.lines().filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next()).collect();
    assert!(macros.len() > 10, "{macros:?}");
    for name in macros.iter().filter(|name| **name != "ANONPIPE_H") {
        assert!(program.contains(name), "tests/c/header.cpp does not use {name}");
    }
}
