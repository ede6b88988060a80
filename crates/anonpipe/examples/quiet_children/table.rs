//! How a row is printed: as one of a table in Markdown, or as an object in JSON.

use std::fmt::Write as _;
use std::time::Duration;

use crate::child::Library;
use crate::measure::{ANSWER, Measured};

const COLUMNS: [(&str, usize); 10] = [
    ("library", 8),
    ("children", 8),
    ("threads before", 14),
    ("while quiet", 11),
    ("memory before", 13),
    ("while quiet", 11),
    ("spawn_blocking", 16),
    ("last words of one", 17),
    ("of all", 12),
    ("ended after", 11),
];

/// The heading, two lines.
pub(crate) fn heading() -> String {
    let line = COLUMNS.map(|(_, width)| "-".repeat(width - 1) + ":").join(" | ");
    format!("{}\n| {line} |", row(&COLUMNS.map(|(name, _)| name.to_owned())))
}

/// What was measured, one line.
pub(crate) fn measured(measured: &Measured) -> String {
    let Measured { library, children, before, quiet, answer, one, heard, ending } = measured;
    row(&[
        library.name().to_owned(),
        children.to_string(),
        before.threads.to_string(),
        quiet.threads.to_string(),
        megabytes(before.bytes),
        megabytes(quiet.bytes),
        answer.map_or_else(|| format!("no answer in {} s", ANSWER.as_secs()), time),
        one.map_or_else(|| format!("not within {} s", ANSWER.as_secs()), time),
        format!("{heard} of {children}"),
        ending.map_or_else(|| "some did not".to_owned(), time),
    ])
}

/// What kept a row from being measured, one line.
pub(crate) fn failed(library: Library, children: u32, reason: &str) -> String {
    let mut cells = COLUMNS.map(|_| "?".to_owned());
    cells[0] = library.name().to_owned();
    cells[1] = children.to_string();
    format!("{}\n{} with {children} children: {reason}", row(&cells), library.name())
}

fn row(cells: &[String; COLUMNS.len()]) -> String {
    let mut line = String::from("|");
    for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
        // Writing to a string cannot fail.
        let _ = write!(line, " {cell:>width$} |");
    }
    line
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// What was measured, as an object on one line.
pub(crate) fn measured_json(measured: &Measured) -> String {
    let Measured { library, children, before, quiet, answer, one, heard, ending } = measured;
    let milliseconds = |time: &Option<Duration>| match time {
        Some(time) => format!("{:.3}", time.as_secs_f64() * 1e3),
        None => "null".to_owned(),
    };
    format!(
        r#"{{"library":"{}","children":{children},"threads_before":{},"threads_quiet":{},"memory_before":{},"memory_quiet":{},"spawn_blocking_ms":{},"one_last_words_ms":{},"last_words":{heard},"ended_ms":{}}}"#,
        library.name(),
        before.threads,
        quiet.threads,
        before.bytes,
        quiet.bytes,
        milliseconds(answer),
        milliseconds(one),
        milliseconds(ending),
    )
}

/// What kept a row from being measured, as an object on one line.
pub(crate) fn failed_json(library: Library, children: u32, reason: &str) -> String {
    let mut text = String::new();
    for character in reason.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '.. => text.push(character),
            _ => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
        }
    }
    format!(r#"{{"library":"{}","children":{children},"error":"{text}"}}"#, library.name())
}
