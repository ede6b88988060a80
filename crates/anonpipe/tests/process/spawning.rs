//! What a child gets: arguments, environment, directory, handles.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use anonpipe::process::{Command, Stdio};
use anonpipe::{Blocking, End, PipeOptions, Writer};

use crate::harness::{child, in_time, patience, said};

const ODD: [&str; 14] =
    ["", " ", "a b", "\t", "\"", "\\", "a\\", "a b\\", "\\\"", "\\\\\"x", "ä€𝄞", "'", "a\"b c\"d", "%PATH% ^ & | < >"];

fn split(said: &str) -> Vec<&str> {
    said.split_terminator('\0').collect()
}

pub(crate) fn arguments_arrive() {
    assert_eq!(split(&said(&mut child("args", &ODD))), ODD);
    assert_eq!(said(&mut child("args", &[])), "");
}

/// Compared with what the child's own runtime makes of the command line.
pub(crate) fn a_thousand_random_arguments_arrive() {
    for args in random_arguments(1000, 40) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert_eq!(split(&said(&mut child("args", &args))), args);
    }
}

/// So many arguments in lists of a certain length, of characters that mean something to a parser.
pub(crate) fn random_arguments(count: usize, in_a_row: usize) -> impl Iterator<Item = Vec<String>> {
    const PARTS: [&str; 9] = ["\\", "\"", " ", "\t", "a", "\\\\", "\"\"", "é", "'"];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    (0..count / in_a_row).map(move |_| {
        (0..in_a_row).map(|_| (0..next(9)).map(|_| PARTS[next(PARTS.len())]).collect::<String>()).collect()
    })
}

pub(crate) fn the_environment_arrives() {
    const NAME: &str = "ANONPIPE_PROCESS_ENV";
    assert_eq!(said(&mut child("env", &[NAME])), "nothing");
    assert_eq!(said(child("env", &[NAME]).env(NAME, "a=b c")), "a=b c");
    assert_eq!(said(child("env", &[NAME]).env(NAME, "x").env_remove(NAME)), "nothing");
    assert_eq!(said(child("env", &["PATH"]).env_remove("PATH")), "nothing");
    let path = env::var("PATH").expect("a path");
    assert_eq!(said(child("env", &["PATH"]).env(NAME, "x")), path, "the rest is inherited");
    let mut command = child("environment", &[]);
    command.env(NAME, "gone").env_clear().envs([("ANONPIPE_B", "1"), ("ANONPIPE_A", "2")]);
    // Windows programs need it to find their libraries.
    if cfg!(windows) {
        command.env("SystemRoot", env::var("SystemRoot").expect("a root"));
    }
    let names = said(&mut command);
    let ours: Vec<_> = names.lines().filter(|name| name.starts_with("ANONPIPE")).collect();
    assert_eq!(ours, ["ANONPIPE_A", "ANONPIPE_B"]);
    assert!(!names.lines().any(|name| name.eq_ignore_ascii_case("PATH")), "{names}");
    let known: Vec<_> = command.get_envs().map(|(name, value)| (name.to_str().unwrap(), value)).collect();
    assert!(known.contains(&("ANONPIPE_A", Some("2".as_ref()))), "{known:?}");
}

pub(crate) fn the_working_directory_is_set() {
    let folder = env::temp_dir().canonicalize().expect("a folder");
    let mut command = child("cwd", &[]);
    command.current_dir(&folder);
    assert_eq!(command.get_current_dir(), Some(folder.as_path()));
    let found = std::path::PathBuf::from(said(&mut command)).canonicalize().expect("a folder");
    assert_eq!(found, folder);
    let error = command.current_dir(folder.join("anonpipe is not here")).spawn().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory), "{error}");
}

pub(crate) fn what_does_not_exist_is_not_found() {
    for name in ["anonpipe-no-such-program", "./anonpipe/no-such-program", "/anonpipe-no-such-program"] {
        let error = Command::new(name).spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().starts_with("cannot start a child: "), "{error}");
    }
    assert!(Command::new("").spawn().is_err());
    let error = Command::new("anonpipe-no-such-program").output().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let error = Command::new("anonpipe-no-such-program").status().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

pub(crate) fn a_nul_is_refused() {
    for command in [child("args", &["a\0b"]), Command::new("a\0b")] {
        let mut command = command;
        assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(child("env", &[]).env("A\0", "b").spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(child("env", &[]).env("A", "b\0").spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
}

pub(crate) fn a_conversation() {
    let mut child = child("cat", &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    assert!(child.stderr.is_none());
    for word in ["one", "two", "three"] {
        stdin.write_all(word.as_bytes()).unwrap();
        let mut answer = vec![0; 20];
        let count = stdout.read_timeout(&mut answer, patience()).unwrap();
        assert_eq!(&answer[..count], word.as_bytes());
        assert_eq!(
            stdout.read_timeout(&mut answer, Duration::from_millis(20)).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    }
    assert!(child.try_wait().unwrap().is_none());
    drop(stdin);
    assert_eq!((&stdout).read(&mut [0; 20]).unwrap(), 0);
    assert!(child.wait().wait().unwrap().success());
}

pub(crate) fn standard_handles_are_what_they_were_told() {
    let path = env::temp_dir().join(format!("anonpipe-process-{}", std::process::id()));
    let file = File::options().create(true).append(true).open(&path).unwrap();
    // A file is kept, and each child gets it.
    let mut command = child("say", &["a"]);
    command.stdout(file);
    for _ in 0..2 {
        assert!(command.status().wait().unwrap().success());
    }
    drop(command);
    let mut command = child("cat", &[]);
    command.stdin(File::open(&path).unwrap());
    assert_eq!(said(&mut command), "aa");
    std::fs::remove_file(&path).unwrap();
    // Nothing to read, and no reader.
    assert!(child("cat", &[]).stdout(Stdio::null()).status().wait().unwrap().success());
    let quiet = child("say", &["x"]).stdout(Stdio::null()).output().wait().unwrap();
    assert!(quiet.stdout.is_empty());
    // std's pipes.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = child("say", &["std"]);
    command.stdout(writer);
    assert!(command.status().wait().unwrap().success());
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "std", "while the command lives");
}

pub(crate) fn a_command_spawns_again() {
    let mut command = child("cat", &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut first = command.spawn().unwrap();
    let mut second = command.spawn().unwrap();
    assert_ne!(first.id(), second.id());
    for (child, word) in [(&mut first, "first"), (&mut second, "second")] {
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(word.as_bytes()).unwrap();
        drop(stdin);
        let mut all = String::new();
        child.stdout.take().unwrap().read_to_string(&mut all).unwrap();
        assert_eq!(all, word);
        assert!(child.wait().wait().unwrap().success());
    }
}

fn blocking_writer() -> (impl Read, Writer<Blocking>) {
    PipeOptions::new().client(End::blocking()).inbound().unwrap()
}

pub(crate) fn an_end_that_was_given_away_is_not_given_twice() {
    let (mut reader, writer) = blocking_writer();
    let mut command = Command::new("anonpipe-no-such-program");
    command.stdout(writer);
    assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::NotFound, "nothing was given away");
    drop(command);
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    let (mut reader, writer) = blocking_writer();
    let mut command = child("say", &["once"]);
    assert!(command.stdout(writer).status().wait().unwrap().success());
    let error = command.spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("an earlier child"), "{error}");
    reader.read_to_string(&mut all).unwrap();
    assert_eq!(all, "once");
    // And another may be given.
    assert_eq!(said(&mut command), "once");
}

/// The restart bug: a command that keeps the child's end hides the end of file.
pub(crate) fn the_end_of_file_comes_while_the_command_lives() {
    let (reader, writer) = PipeOptions::new().client(End::blocking()).inbound().unwrap();
    let mut command = child("say", &["x"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    let mut buffer = [0; 8];
    assert_eq!(reader.read_timeout(&mut buffer, patience()).unwrap(), 1);
    assert_eq!(reader.read_timeout(&mut buffer, patience()).unwrap(), 0);
    assert!(child.wait().wait().unwrap().success());
    drop(command);
}

/// Each end of file comes when its own child ends, however many others live then.
pub(crate) fn children_started_at_once_get_only_their_own() {
    let long = child("sleep", &["20000"]).spawn();
    let mut long = long.unwrap();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                scope.spawn(move || {
                    let mut ids = BTreeSet::new();
                    for round in 0..6 {
                        let word = format!("{thread}/{round}");
                        let mut command = child("cat", &[]);
                        command.stdin(Stdio::piped()).stdout(Stdio::piped());
                        let mut started = command.spawn().unwrap();
                        ids.insert(started.id());
                        let mut other = child("sleep", &["20000"]).stdin(Stdio::null()).spawn().unwrap();
                        started.stdin.take().unwrap().write_all(word.as_bytes()).unwrap();
                        let mut call = started.wait_with_output();
                        let output = in_time(call.wait_timeout(patience())).unwrap();
                        assert_eq!(output.stdout, word.as_bytes());
                        assert!(output.held_open.is_none());
                        other.start_kill().unwrap();
                        other.wait().wait().unwrap();
                    }
                    ids
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    });
    long.start_kill().unwrap();
}

pub(crate) fn a_childs_end_is_overlapped_if_asked() {
    for (asked, stdio) in [(false, Stdio::piped as fn() -> Stdio), (true, Stdio::overlapped)] {
        let mut command = child("modes", &[]);
        let mut child = command.stdin(stdio()).stdout(stdio()).stderr(Stdio::piped()).spawn().unwrap();
        let mut modes = String::new();
        child.stderr.take().unwrap().read_to_string(&mut modes).unwrap();
        assert_eq!(modes, format!("[{asked}, {asked}]"));
        assert!(child.stdin.is_some() && child.stdout.is_some());
        assert!(child.wait().wait().unwrap().success());
    }
}

/// Standard input and output on one pipe.
pub(crate) fn a_child_on_a_duplex_pipe() {
    let (ours, theirs) = PipeOptions::new().client(End::blocking()).duplex().unwrap();
    let mut command = child("cat", &[]);
    let mut child = command.stdin(theirs.try_clone().unwrap()).stdout(theirs).spawn().unwrap();
    (&ours).write_all(b"both ways").unwrap();
    let mut answer = [0; 20];
    assert_eq!(ours.read_timeout(&mut answer, patience()).unwrap(), 9);
    assert!(command.spawn().is_err(), "the ends were given away");
    drop(ours);
    assert!(child.wait().wait().unwrap().success());
}
