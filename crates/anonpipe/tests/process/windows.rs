//! What only Windows has.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::PathBuf;

use anonpipe::process::{Command, Stdio};
use anonpipe::{End, PipeOptions};
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_MODE_INFORMATION, FILE_SYNCHRONOUS_IO_NONALERT, FileModeInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};
use windows_sys::Win32::UI::Shell::CommandLineToArgvW;

use crate::harness::{child, patience, said};
use crate::spawning::random_arguments;

/// The roles of children that only Windows has.
pub(crate) fn play(role: &str, _: &[OsString]) {
    match role {
        // Says what the shell's parser makes of the command line.
        "shell_args" => {
            for arg in shell_args().iter().skip(3) {
                print!("{}\0", arg.to_string_lossy());
            }
        }
        "command_line" => print!("{}", command_line().to_string_lossy()),
        _ => panic!("no role is called {role}"),
    }
    std::io::stdout().flush().expect("a reader");
}

/// The process's own, which stays as long as the process.
fn raw_command_line() -> *const u16 {
    // SAFETY: takes nothing.
    unsafe { GetCommandLineW() }
}

fn command_line() -> OsString {
    from_wide(raw_command_line())
}

fn from_wide(text: *const u16) -> OsString {
    let mut length = 0;
    // SAFETY: not beyond the string's end, where there is a zero.
    while unsafe { text.wrapping_add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: as many units were counted.
    OsString::from_wide(unsafe { std::slice::from_raw_parts(text, length) })
}

fn shell_args() -> Vec<OsString> {
    let mut count = 0;
    // SAFETY: a command line that ends with a zero; the count lives on this stack.
    let args = unsafe { CommandLineToArgvW(raw_command_line(), &raw mut count) };
    assert!(!args.is_null());
    let count = usize::try_from(count).expect("a count");
    // SAFETY: as many strings as were counted, until they are freed.
    let found = unsafe { std::slice::from_raw_parts(args, count) }.iter().map(|arg| from_wide(*arg)).collect();
    // SAFETY: made by the call above, and not used afterwards.
    unsafe { LocalFree(args.cast()) };
    found
}

/// Lets a request to end, which comes as Ctrl-Break, do nothing.
pub(crate) fn ignore_ctrl_break() {
    unsafe extern "system" fn handled(_: u32) -> i32 {
        1
    }
    // SAFETY: a handler that does nothing.
    unsafe { SetConsoleCtrlHandler(Some(handled), 1) };
}

pub(crate) fn is_overlapped(handle: &impl AsHandle) -> bool {
    let mut information = FILE_MODE_INFORMATION::default();
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: an open handle; the outputs live on this stack, and have the size that is given.
    let result = unsafe {
        NtQueryInformationFile(
            handle.as_handle().as_raw_handle(),
            &raw mut status,
            (&raw mut information).cast(),
            size_of_val(&information) as u32,
            FileModeInformation,
        )
    };
    assert_eq!(result, 0);
    information.Mode & FILE_SYNCHRONOUS_IO_NONALERT == 0
}

pub(crate) fn handles() -> usize {
    let mut count = 0;
    // SAFETY: always this process's own; not a handle that has to be closed.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: this process; the count lives on this stack.
    assert_ne!(unsafe { GetProcessHandleCount(own, &raw mut count) }, 0);
    count as usize
}

pub(crate) fn threads() -> usize {
    // SAFETY: takes numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    let mut entry = THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..THREADENTRY32::default() };
    let mut count = 0;
    // SAFETY: an open snapshot, and an entry of the size that it states.
    let mut more = unsafe { Thread32First(snapshot, &raw mut entry) };
    while more != 0 {
        count += usize::from(entry.th32OwnerProcessID == std::process::id());
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot, &raw mut entry) };
    }
    // SAFETY: open, and not used afterwards.
    unsafe { windows_sys::Win32::Foundation::CloseHandle(snapshot) };
    count
}

/// Children of others inherit it; ours get what they were given.
pub(crate) fn an_inheritable_end_does_not_reach_a_child() {
    let (reader, writer) = PipeOptions::new().client(End::blocking().inheritable(true)).inbound().unwrap();
    let mut command = child("sleep", &["60000"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(writer);
    assert_eq!(reader.read_timeout(&mut [0; 8], patience()).unwrap(), 0);
    assert!(child.try_wait().unwrap().is_none(), "it is alive");
    child.kill().wait().unwrap();
}

pub(crate) fn the_shell_splits_arguments_alike() {
    for args in random_arguments(1000, 40) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = said(&mut child("shell_args", &args));
        assert_eq!(said.split_terminator('\0').collect::<Vec<_>>(), args);
    }
}

pub(crate) fn raw_arguments_are_left_alone() {
    let said = said(child("command_line", &["a b"]).raw_arg(r#""c" d"e"#).arg("f"));
    assert!(said.ends_with(r#" "a b" "c" d"e f"#), "{said}");
}

/// A folder for the files of one test, which is gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("anonpipe {name} {}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A batch file that starts this program as a child that says its arguments.
    fn batch(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        let own = env::current_exe().unwrap();
        fs::write(&path, format!("@\"{}\" {} args %*\r\n", own.display(), crate::roles::AS_CHILD)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn args_of(command: &mut Command) -> Vec<String> {
    said(command).split_terminator('\0').map(str::to_owned).collect()
}

pub(crate) fn batch_files_get_their_arguments() {
    let folder = Folder::new("batch");
    for name in ["plain.cmd", "with space.bat", "UPPER.BAT"] {
        let script = folder.batch(name);
        let args = ["a", "b c", "", "d-e/f", "g&h"];
        assert_eq!(args_of(Command::new(&script).args(args)), args, "{name}");
    }
}

/// BatBadBut: each of these has run a command in some runtime, through `cmd.exe`.
pub(crate) fn a_batch_file_cannot_be_made_to_run_a_command() {
    let folder = Folder::new("batbadbut");
    let script = folder.batch("script.cmd");
    let proof = folder.0.join("proof");
    let run = format!("echo>\"{}\"", proof.display());
    for args in [
        vec![format!("&{run}")],
        vec![format!("\"&{run}")],
        vec![format!("a\"&{run}&\"b")],
        vec![format!("\\\"&{run}")],
        vec![format!("%CMDCMDLINE:~-1%&{run}")],
        vec!["\\".into(), format!("&{run}")],
        vec![format!("^\"&{run}")],
        vec![format!("|{run}")],
    ] {
        let _ = Command::new(&script).args(&args).output().wait().unwrap();
        assert!(!proof.exists(), "{args:?}");
        // With an end of its name that the system takes off.
        let _ = Command::new(format!("{}. .", script.display())).args(&args).output().wait();
        assert!(!proof.exists(), "{args:?}");
    }
    for refused in [format!("\n{run}"), format!("\r{run}"), "a\0b".into()] {
        let error = Command::new(&script).arg(&refused).spawn().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{refused:?}");
    }
    // The test would notice.
    let _ = Command::new("cmd.exe").raw_arg(format!("/c {run}")).output().wait().unwrap();
    assert!(proof.exists());
}

fn path_with(folder: &Folder) -> OsString {
    let mut folders = vec![folder.0.clone()];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap()));
    env::join_paths(folders).unwrap()
}

pub(crate) fn scripts_of_pathext_are_found_along_path() {
    let folder = Folder::new("pathext");
    folder.batch("anonpipe-found.cmd");
    let mut command = Command::new("anonpipe-found");
    assert!(command.spawn().is_err(), "it is not in the path yet");
    assert_eq!(args_of(command.arg("x y").env("Path", path_with(&folder))), ["x y"]);
    // What is an .exe comes first, wherever it is.
    folder.batch("cmd.bat");
    let mut command = Command::new("cmd");
    let said = said(command.env("PATH", path_with(&folder)).raw_arg("/c echo the real one"));
    assert_eq!(said.trim_end(), "the real one");
}

pub(crate) fn the_current_folder_is_not_searched() {
    let folder = Folder::new("current");
    folder.batch("anonpipe-here.cmd");
    fs::copy(env::current_exe().unwrap(), folder.0.join("anonpipe-here-too.exe")).unwrap();
    // A process of its own, because the folder is the whole process's.
    if let Ok(name) = env::var("ANONPIPE_PROCESS_HERE") {
        let error = Command::new(&name).env("PATH", ".;;").spawn().unwrap_err();
        return assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
    for name in ["anonpipe-here", "anonpipe-here-too", "anonpipe-here-too.exe"] {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["windows::the_current_folder_is_not_searched", "--exact"]);
        let output = command.current_dir(&folder.0).env("ANONPIPE_PROCESS_HERE", name).output().wait().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

pub(crate) fn the_childs_own_path_is_searched() {
    let folder = Folder::new("own path");
    fs::copy(env::current_exe().unwrap(), folder.0.join("anonpipe-there.exe")).unwrap();
    let mut command = Command::new("anonpipe-there");
    command.args([crate::roles::AS_CHILD, "args", "x"]);
    assert_eq!(command.spawn().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(args_of(command.env("PATH", &folder.0)), ["x"]);
}
