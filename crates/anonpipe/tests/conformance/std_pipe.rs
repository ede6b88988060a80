//! The same answers as those of the pipes that programs have from the standard library.

use std::io::{Read, Write};

use anonpipe::End;

use crate::Backend;

/// The same steps on a pipe of the standard library's and on each kind of ours.
pub(crate) fn answers_as_the_systems_own_pipe_does(backend: Backend) {
    let own = {
        let ((r, w), (broken_r, broken_w)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        answers(r, w, broken_r, broken_w)
    };
    let overlapped = {
        let ((r, w), (broken_r, broken_w)) = (backend.pipe(), backend.pipe());
        answers(r, w, broken_r, broken_w)
    };
    assert_eq!(overlapped, own);
    let blocking = || backend.options().server(End::blocking()).client(End::blocking());
    let ((r, w), (broken_r, broken_w)) = (blocking().inbound().unwrap(), blocking().inbound().unwrap());
    assert_eq!(answers(r, w, broken_r, broken_w), own);
    let ((w, r), (broken_w, broken_r)) = (blocking().outbound().unwrap(), blocking().outbound().unwrap());
    assert_eq!(answers(r, w, broken_r, broken_w), own);
    let ((r, w), (broken_r, broken_w)) = (backend.duplex(), backend.duplex());
    assert_eq!(answers(r, w, broken_r, broken_w), own);
}

fn answers<R: Read, W: Write>(mut reader: R, mut writer: W, broken_reader: R, mut broken_writer: W) -> Vec<String> {
    let mut answers = Vec::new();
    let mut note = |step: &str, result: std::io::Result<usize>| {
        answers.push(format!("{step}: {:?}", result.map_err(|error| error.kind())));
    };
    note("write", writer.write(b"some bytes"));
    note("write nothing", writer.write(b""));
    note("write again", writer.write(b"!"));
    note("read nothing", reader.read(&mut []));
    note("read a part", reader.read(&mut [0; 4]));
    note("read across writes", reader.read(&mut [0; 100]));
    note("write more", writer.write(&[1; 500]));
    note("flush", writer.flush().map(|()| 0));
    drop(writer);
    note("read what was left", reader.read(&mut [0; 400]));
    note("and the rest", reader.read(&mut [0; 400]));
    note("the end", reader.read(&mut [0; 400]));
    note("the end again", reader.read(&mut [0; 400]));
    drop(broken_reader);
    note("write without a reader", broken_writer.write(b"x"));
    note("and again", broken_writer.write(b"x"));
    answers
}
