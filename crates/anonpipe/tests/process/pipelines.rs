//! Several children in a row.

use std::io::{ErrorKind, Read};

use anonpipe::process::{Command, Stdio};

use crate::harness::{child, in_time, patience};

pub(crate) fn each_reads_what_the_one_before_writes() {
    let input: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let (mut first, mut second, mut third) = (child("cat", &[]), child("cat", &[]), child("cat", &[]));
    first.input(input.clone());
    let mut pipeline = first.pipe(&mut second).pipe(&mut third);
    for _ in 0..2 {
        let outputs = in_time(pipeline.output().wait_timeout(patience())).unwrap();
        assert_eq!(outputs.len(), 3);
        assert!(outputs.iter().all(|output| output.status.success() && output.held_open.is_none()));
        assert!(outputs[2].stdout == input && outputs[0].stdout.is_empty() && outputs[1].stdout.is_empty());
    }
    let outputs = pollster::block_on(pipeline.output()).unwrap();
    assert!(outputs[2].stdout == input);
}

pub(crate) fn the_statuses_of_all_are_told() {
    let (mut first, mut second) = (child("exit", &["3"]), child("exit", &["4"]));
    let statuses = first.pipe(&mut second).status().wait().unwrap();
    assert_eq!(statuses.iter().map(|status| status.code()).collect::<Vec<_>>(), [Some(3), Some(4)]);
}

pub(crate) fn the_ends_of_a_pipeline_are_ours() {
    let (mut first, mut last) = (child("cat", &[]), child("cat", &[]));
    first.stdin(Stdio::piped());
    last.stdout(Stdio::piped());
    let mut children = first.pipe(&mut last).spawn().unwrap();
    assert!(children[0].stdout.is_none() && children[1].stdin.is_none());
    let stdin = children[0].stdin.take().unwrap();
    stdin.submit_write("through both").wait().0.unwrap();
    let stdout = children[1].stdout.take().unwrap();
    let mut answer = [0; 20];
    assert_eq!(stdout.read_timeout(&mut answer, patience()).unwrap(), 12);
    drop(stdin);
    assert_eq!((&stdout).read(&mut answer).unwrap(), 0, "one end follows from the other");
    for mut child in children {
        assert!(child.wait().wait().unwrap().success());
    }
}

/// The first one would write for ever, if anything of ours held the pipe open for reading.
pub(crate) fn a_writer_ends_with_its_reader() {
    let (mut first, mut last) = (child("both", &["100000000"]), child("exit", &["0"]));
    first.stderr(Stdio::null());
    let statuses = in_time(first.pipe(&mut last).status().wait_timeout(patience())).unwrap();
    assert!(!statuses[0].success() && statuses[1].success());
}

pub(crate) fn a_failed_spawn_ends_those_before_it() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (mut first, mut second) = (child("sleep", &["60000"]), child("cat", &[]));
    let mut missing = Command::new("anonpipe-no-such-program");
    // Open as long as the first one lives.
    first.stderr(writer);
    let error = first.pipe(&mut second).pipe(&mut missing).spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

pub(crate) fn a_dropped_pipeline_ends_all() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (mut first, mut second) = (child("sleep", &["60000"]), child("sleep", &["60000"]));
    first.stderr(writer.try_clone().unwrap());
    second.stderr(writer);
    drop(first.pipe(&mut second).output());
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}
