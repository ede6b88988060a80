//! Programs of every Unix.

use std::process::Command;

use anonpipe::{End, Reader};

use crate::Backend;
use crate::child_programs::python;
use crate::children::filter;

/// What a child says about the flags of its standard handles: whether they block, and what they
/// are.
const FLAGS: &str = "
import fcntl, os, stat
for fd in (0, 1):
    blocks = not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
    mode = os.fstat(fd).st_mode
    print('blocks' if blocks else 'does not block', 'fifo' if stat.S_ISFIFO(mode) else 'socket')
";

pub(crate) fn shell_sort_and_python(backend: Backend) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "read first; echo shell got $first; cat"]);
    assert_eq!(filter(backend, shell, b"a line\nthe rest"), b"shell got a line\nthe rest");
    let (mut unsorted, mut sorted) = (String::new(), String::new());
    for number in 0..50_000 {
        unsorted.push_str(&format!("{:05}\n", (number * 7919) % 50_000));
        sorted.push_str(&format!("{number:05}\n"));
    }
    assert_eq!(String::from_utf8(filter(backend, Command::new("sort"), unsorted.as_bytes())).unwrap(), sorted);
    let sum = python("import sys; print(sum(map(int, sys.stdin)))", &[]);
    assert_eq!(filter(backend, sum, unsorted.as_bytes()), b"1249975000\n");
}

pub(crate) fn a_child_gets_blocking_pipes(backend: Backend) {
    let found = filter(backend, python(FLAGS, &[]), b"");
    assert_eq!(
        String::from_utf8(found).unwrap(),
        "blocks fifo\nblocks fifo\n",
        "and ours does not make theirs non-blocking"
    );
    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let mut command = python(FLAGS, &[]);
    let status = command.stdin(theirs.try_clone().unwrap()).stdout(theirs).status().unwrap();
    drop(command);
    assert!(status.success());
    let mut all = String::new();
    std::io::Read::read_to_string(&mut &ours, &mut all).unwrap();
    assert_eq!(all, "blocks socket\nblocks socket\n");
}

pub(crate) fn an_overlapped_end_as_stdio_only_by_name(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let mut command = python(FLAGS, &[]);
    let (childs_stdin, _ours): (Reader<_>, _) = backend.pipe();
    command.stdin(childs_stdin.into_stdio_despite_overlapped().unwrap());
    let status = command.stdout(writer.into_stdio_despite_overlapped().unwrap()).status().unwrap();
    drop(command);
    assert!(status.success());
    let mut all = String::new();
    std::io::Read::read_to_string(&mut &reader, &mut all).unwrap();
    assert_eq!(all, "does not block fifo\ndoes not block fifo\n");
}

/// A one-way end for a child is a pipe, whose name under /dev can be opened again.
pub(crate) fn a_child_can_reopen_its_standard_handles(backend: Backend) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat /dev/stdin > /dev/stdout"]);
    assert_eq!(filter(backend, shell, b"opened again"), b"opened again");
}
