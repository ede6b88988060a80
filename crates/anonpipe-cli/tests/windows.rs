//! What only Windows has: programs of its own, consoles, and Ctrl-C in one.
#![cfg(windows)]
mod common;

use std::io::Read;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};

use common::*;

const DETACHED_PROCESS: u32 = 0x8;
const CREATE_NEW_CONSOLE: u32 = 0x10;
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

#[test]
fn the_systems_own_programs_work() {
    let mut cmd = anonpipe();
    cmd.args(["run", "--", "cmd.exe", "/c", "echo hello& exit 9"]);
    let finished = finish(cmd, "");
    assert_eq!((finished.status, finished.text().trim_end()), (9, "hello"));
}

/// A conversation with the shell, which tells us what is right.
#[test]
fn a_shell_does_as_it_does_without_us() {
    let input = "echo first\r\necho second 1>&2\r\nexit 4\r\n";
    let mut plain = Command::new("cmd.exe");
    plain.arg("/q");
    let expected = finish(plain, input);
    let mut ours = anonpipe();
    ours.args(["run", "--", "cmd.exe", "/q"]);
    let finished = finish(ours, input);
    assert!(expected.text().contains("first"));
    assert_eq!(
        (finished.status, finished.text(), finished.stderr),
        (expected.status, expected.text(), expected.stderr)
    );
}

/// Ours has no console, so one that the command opened would come with a window. (Without a
/// display, as on a CI machine that runs Wine, nothing has a window.)
#[test]
fn no_console_window_appears() {
    for flags in [DETACHED_PROCESS, CREATE_NO_WINDOW] {
        let mut command = run_child(&[], &["console"]);
        command.creation_flags(flags);
        assert_eq!(finish(command, "").text().trim_end(), "console=true window=false");
    }
}

/// And we stay until it has handled that in its own way.
#[test]
fn ctrl_c_reaches_the_command() {
    let mut command = run_child(&[], &["heed-interrupt"]);
    command.creation_flags(CREATE_NEW_CONSOLE);
    let mut running = Running::start(command);
    running.child.stdout.as_mut().expect("piped").read_exact(&mut [0; 10]).expect("it writes");
    let mut interrupt = Command::new(child());
    interrupt.args(["interrupt", &running.child.id().to_string()]).stderr(Stdio::piped());
    let interrupt = spawn(&mut interrupt).wait_with_output().expect("ours");
    assert!(interrupt.status.success(), "{}", String::from_utf8_lossy(&interrupt.stderr));
    let finished = running.finish();
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (5, "interrupted\n", ""));
    finished.assert_took(0);
}
