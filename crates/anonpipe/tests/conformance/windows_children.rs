//! Programs of Windows, and on its C runtime.

use crate::Backend;
use crate::child_programs::{cmd, tool};
use crate::children::{filter, start};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

pub(crate) fn the_command_interpreter(backend: Backend) {
    assert_eq!(text(filter(backend, cmd("echo hello"), b"")).trim(), "hello");
    let reads = filter(backend, cmd("set /p line=& echo got !line!"), b"a line\r\n");
    assert_eq!(text(reads).trim(), "got a line");
}

pub(crate) fn a_program_on_the_c_runtime(backend: Backend) {
    let Some(command) = tool("crt_child.exe", &["sum"]) else { return };
    let numbers: String = (1..=20_000).map(|number| format!("{number}\r\n")).collect();
    assert_eq!(text(filter(backend, command, numbers.as_bytes())), "sum 200010000\n");
}

/// shfmt, a formatter written in Go, which probes its standard handles its own way.
pub(crate) fn a_program_that_nobody_here_wrote(backend: Backend) {
    let Some(command) = tool("shfmt.exe", &[]) else { return };
    let (mut crooked, mut straight) = (String::new(), String::new());
    for number in 0..5000 {
        crooked.push_str(&format!("if   true;then echo   line{number};fi\n"));
        straight.push_str(&format!("if true; then echo line{number}; fi\n"));
    }
    assert_eq!(text(filter(backend, command, crooked.as_bytes())), straight);
}

/// A child may ask a pipe of ours everything that it may ask one that `CreatePipe` made.
pub(crate) fn a_child_may_question_its_handles(backend: Backend) {
    let Some(command) = tool("crt_child.exe", &["probe"]) else { return };
    let conversation = start(backend, command);
    let mut child = conversation.child;
    child.wait().unwrap();
    drop(conversation.stdin);
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut &conversation.stdout, &mut all).unwrap();
    let ours = text(all);
    assert_eq!(ours, "types 3 3\npeek 1\navailable 0\nstate 1 1\ninfo 1 1\nset 1 1\n");
    let Some(mut command) = tool("crt_child.exe", &["probe"]) else { return };
    let ((childs_stdin, stdin), (stdout, childs_stdout)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    command.stdin(childs_stdin).stdout(childs_stdout).status().unwrap();
    drop((command, stdin));
    let systems_own = text(std::io::Read::bytes(stdout).collect::<Result<_, _>>().unwrap());
    assert_eq!(ours, systems_own);
}
