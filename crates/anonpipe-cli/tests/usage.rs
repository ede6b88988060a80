//! The command line, the exit statuses of commands that cannot be started, and the lines of
//! `--json`.
mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use common::*;

#[track_caller]
fn fails(arguments: &[&str], status: i32, says: &str) {
    let mut command = anonpipe();
    command.args(arguments);
    let finished = finish(command, "");
    assert_eq!(finished.status, status, "{arguments:?}: {}", finished.stderr);
    assert!(finished.stderr.contains(says), "{arguments:?}: {}", finished.stderr);
    assert_eq!(finished.text(), "");
}

#[test]
fn wrong_arguments_are_told() {
    fails(&[], 2, "Usage: anonpipe");
    fails(&["ran"], 2, "unrecognized subcommand 'ran'");
    fails(&["run"], 2, "required arguments were not provided");
    fails(&["run", "--"], 2, "required arguments were not provided");
    fails(&["run", "--tiemout", "2", "--", "x"], 2, "unexpected argument '--tiemout'");
    fails(&["run", "--timeout", "soon", "--", "x"], 2, "expected a number of seconds");
    fails(&["run", "--timeout", "-1", "--", "x"], 2, "");
    fails(&["run", "--linger", "1 fortnight", "--", "x"], 2, "expected a number of seconds");
    fails(&["run", "--json", "--quiet", "--", "x"], 2, "cannot be used with");
}

#[test]
fn the_help_has_what_one_needs() {
    let mut command = anonpipe();
    command.args(["run", "--help"]);
    let finished = finish(command, "");
    assert_eq!(finished.status, 0);
    let text = finished.text().split_whitespace().collect::<Vec<_>>().join(" ");
    for word in [
        "Usage: anonpipe run [OPTIONS] -- COMMAND",
        "Examples:",
        "124",
        "127",
        "sees no end of file",
        "waits on",
        "500ms",
        "/dev/tty",
        "SIGTSTP",
        "ENXIO",
        "new group or session",
        "U+FFFD",
        "0 kills at once",
    ] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
}

/// Lists keep their shape on a terminal of 80 columns, and paragraphs fill it.
#[test]
fn the_help_is_not_ragged() {
    let mut command = anonpipe();
    command.args(["run", "--help"]).env("COLUMNS", "80");
    let text = finish(command, "").text();
    let lines: Vec<_> = text.lines().skip_while(|line| !line.starts_with("DURATION")).collect();
    assert!(lines.len() > 30, "{text}");
    for (line, next) in lines.iter().zip(&lines[1..]) {
        assert!(line.len() <= 80, "{line}");
        // The next word did not fit, unless the line ends a paragraph or belongs to a list.
        let word = next.split(' ').next().unwrap_or_default();
        let is_full = word.is_empty() || line.is_empty() || line.len() + 1 + word.len() > 80;
        assert!(is_full || line.starts_with("  "), "{line} | {next}");
    }
}

#[test]
fn a_command_that_is_not_there() {
    fails(&["run", "--", "no-such-command"], 127, "cannot run 'no-such-command': there is no such command");
    fails(&["run", "--", "./no/such/command"], 127, "there is no such command");
    fails(&["run", "--", ""], 127, "there is no such command");
}

#[test]
fn a_folder_is_no_command() {
    fails(&["run", "--", env!("CARGO_TARGET_TMPDIR")], 126, "it is a directory");
}

#[test]
fn options_after_the_command_are_its_own() {
    let mut command = anonpipe();
    command.arg("run").arg(child()).args(["exit", "5", "--timeout", "--json"]);
    assert_eq!(finish(command, "").status, 5);
}

#[test]
fn exit_codes_are_passed_through() {
    for code in [0, 1, 42, 255] {
        assert_eq!(finish(run_child(&[], &["exit", &code.to_string()]), "").status, code);
    }
}

#[cfg(windows)]
#[test]
fn exit_codes_of_32_bits_are_passed_through() {
    assert_eq!(finish(run_child(&[], &["exit", "-1073741819"]), "").status, -1_073_741_819);
}

fn events(finished: &Finished) -> Vec<Value> {
    finished.text().lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

fn data(events: &[Value], stream: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events.iter().filter(|event| event["event"] == "data" && event["stream"] == stream) {
        let decoded = STANDARD.decode(event["base64"].as_str().expect("text")).expect("base64");
        assert_eq!(event["length"], decoded.len());
        assert!(!decoded.is_empty());
        bytes.extend(decoded);
    }
    bytes
}

#[test]
fn json_tells_everything() {
    let finished = finish(run_child(&["--json"], &["both"]), "");
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""));
    let events = events(&finished);
    assert_eq!(events[0]["event"], "start");
    assert!(events[0]["pid"].as_u64() > Some(0));
    assert_eq!(events[0]["command"][1], "both");
    assert_eq!((data(&events, "stdout"), data(&events, "stderr")), (b"to stdout".to_vec(), b"to stderr".to_vec()));
    let last = events.last().expect("events");
    assert_eq!((&last["event"], &last["code"], &last["status"]), (&"exit".into(), &0.into(), &0.into()));
    assert_eq!((&last["signal"], &last["timed_out"]), (&Value::Null, &false.into()));
}

#[test]
fn json_is_byte_exact() {
    let input = noise(2 << 20);
    let finished = finish(run_child(&["--json"], &["cat"]), input.clone());
    assert!(data(&events(&finished), "stdout") == input);
}

#[test]
fn json_goes_with_copies() {
    let copy = scratch("copy");
    finish(run_child(&["--json", "--stdout", &copy.to_string_lossy()], &["both"]), "");
    assert_eq!(contents(&copy), b"to stdout");
}

#[test]
fn json_tells_of_a_timeout() {
    let finished = finish(run_child(&["--json", "--timeout", "200ms"], &["sleep", HOUR_MS]), "");
    assert_eq!(finished.status, 124);
    let events = events(&finished);
    let last = events.last().expect("events");
    assert_eq!((&last["event"], &last["timed_out"], &last["status"]), (&"exit".into(), &true.into(), &124.into()));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn script(name: &str, text: &str, mode: u32) -> String {
        let path = scratch(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        path.to_string_lossy().into_owned()
    }

    #[test]
    fn a_command_that_cannot_be_executed() {
        fails(&["run", "--", "/"], 126, "cannot run '/'");
        fails(&["run", "--", &script("plain", "text", 0o644)], 126, "Permission denied");
        fails(&["run", "--", &script("garbage", "\u{7f}ELF nonsense", 0o755)], 126, "cannot run");
        let orphan = script("orphan", "#!/no/such/interpreter\n", 0o755);
        fails(&["run", "--", &orphan], 126, "its interpreter is not");
        // As well, if it was looked for.
        let (folder, name) = orphan.rsplit_once('/').expect("a path");
        let mut command = anonpipe();
        command.args(["run", "--", name]).env("PATH", format!("/no/such/folder:{folder}"));
        let finished = finish(command, "");
        assert_eq!(finished.status, 126);
        assert!(finished.stderr.contains("its interpreter is not"), "{}", finished.stderr);
    }

    #[test]
    fn json_tells_of_a_signal() {
        let finished = finish(run_sh(&["--json"], "kill -KILL $$"), "");
        let events = events(&finished);
        let last = events.last().expect("events");
        assert_eq!((&last["code"], &last["signal"], &last["status"]), (&Value::Null, &9.into(), &137.into()));
    }
}
