//! Programs for children: those of others, and some that know nothing of this library.

use std::process::Command;

/// Copies its standard input to its standard output.
#[cfg(unix)]
pub(crate) fn copier() -> Option<Command> {
    Some(Command::new("cat"))
}

/// Answers every line of its standard input with `you said LINE`, at once.
#[cfg(unix)]
pub(crate) fn converser() -> Option<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", r#"while read -r line; do echo "you said $line"; done"#]);
    Some(command)
}

/// Writes a word to a handle whose number it is told.
#[cfg(unix)]
pub(crate) fn reporter(handle: usize, word: &str) -> Option<Command> {
    let handle = handle.to_string();
    Some(python("import os, sys; os.write(int(sys.argv[1]), sys.argv[2].encode())", &[&handle, word]))
}

/// Waits for a line, and then says whether its standard input and output wait.
#[cfg(unix)]
pub(crate) fn mode_reporter() -> Option<Command> {
    let program = "
import fcntl, os, sys
sys.stdin.readline()
for fd, name in ((0, 'stdin'), (1, 'stdout')):
    print(name, 'does not wait' if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK else 'waits')
";
    Some(python(program, &[]))
}

/// Ends at once, and leaves its standard input unread.
#[cfg(unix)]
pub(crate) fn quitter() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exit 3"]);
    command
}

/// Lives until its standard input ends.
#[cfg(unix)]
pub(crate) fn waiter() -> Command {
    Command::new("cat")
}

#[cfg(unix)]
pub(crate) fn python(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", program]).args(arguments);
    command
}

#[cfg(windows)]
pub(crate) fn copier() -> Option<Command> {
    tool("crt_child.exe", &["copy"])
}

#[cfg(windows)]
pub(crate) fn converser() -> Option<Command> {
    tool("crt_child.exe", &["converse"])
}

#[cfg(windows)]
pub(crate) fn reporter(handle: usize, word: &str) -> Option<Command> {
    tool("crt_child.exe", &["report", &handle.to_string(), word])
}

#[cfg(windows)]
pub(crate) fn mode_reporter() -> Option<Command> {
    tool("crt_child.exe", &["modes"])
}

#[cfg(windows)]
pub(crate) fn quitter() -> Command {
    cmd("exit 3")
}

#[cfg(windows)]
pub(crate) fn waiter() -> Command {
    cmd("set /p line=")
}

/// A command line of `cmd.exe`; `!name!` is a variable.
#[cfg(windows)]
pub(crate) fn cmd(line: &str) -> Command {
    use std::os::windows::process::CommandExt;

    let mut command = Command::new("cmd.exe");
    command.raw_arg("/v:on /q /c").raw_arg(line);
    command
}

/// A program that `scripts/fetch-windows-tools` provides. Without it a test fails under Wine; on
/// Windows, where that script needs programs that some machines lack, it says that it was left out.
#[cfg(windows)]
pub(crate) fn tool(name: &str, arguments: &[&str]) -> Option<Command> {
    use std::io::Write;

    let mut folder = std::env::var("ANONPIPE_WINDOWS_TOOLS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/windows-tools").to_owned());
    let wine = crate::system::is_wine();
    if wine && folder.starts_with('/') {
        // Where Wine has the file system of the machine.
        folder.insert_str(0, "Z:");
    }
    let path = std::path::Path::new(&folder).join(name);
    if !path.exists() {
        assert!(!wine, "{} is missing: run scripts/fetch-windows-tools first", path.display());
        let _ = writeln!(std::io::stderr(), "left out: {} is missing (scripts/fetch-windows-tools)", path.display());
        return None;
    }
    let mut command = Command::new(path);
    command.args(arguments);
    Some(command)
}
