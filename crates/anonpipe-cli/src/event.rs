//! The lines of `--json`. Written by hand, so that the fields come in the order in which one reads
//! them.

use std::ffi::OsString;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::output::Stream;
use crate::sys::Exit;

pub(crate) fn start(pid: u32, command: &[OsString]) -> Vec<u8> {
    let command: Vec<_> = command.iter().map(|argument| argument.to_string_lossy()).collect();
    line(format!(r#"{{"event":"start","pid":{pid},"command":{}}}"#, json!(command)))
}

pub(crate) fn data(stream: Stream, bytes: &[u8]) -> Vec<u8> {
    let (stream, length) = (stream.name(), bytes.len());
    // Needs no escapes.
    let base64 = STANDARD.encode(bytes);
    line(format!(r#"{{"event":"data","stream":"{stream}","length":{length},"base64":"{base64}"}}"#))
}

pub(crate) fn exit(exit: Exit, timed_out: bool, status: i32) -> Vec<u8> {
    let (code, signal) = (json!(exit.code), json!(exit.signal));
    line(format!(r#"{{"event":"exit","code":{code},"signal":{signal},"timed_out":{timed_out},"status":{status}}}"#))
}

fn line(mut line: String) -> Vec<u8> {
    line.push('\n');
    line.into_bytes()
}
