//! The copies: what they do to files that are there, and to each other.
mod common;

use std::fs;

use common::*;

/// One file by two names gets both streams, as it does by one.
#[test]
fn two_names_of_a_file_are_one_file() {
    let both = scratch("both");
    let folder = both.parent().expect("a folder");
    let other = folder.join(".").join(both.file_name().expect("a name"));
    let link = scratch("link");
    fs::write(&both, "what was there").expect("a file");
    fs::hard_link(&both, &link).expect("a second name");
    for name in [other.into_os_string(), link.into_os_string()] {
        let name = name.to_string_lossy();
        let options = ["--quiet", "--stdout", &both.to_string_lossy(), "--stderr", &name];
        assert_eq!(finish(run_child(&options, &["both"]), "").status, 0);
        let text = String::from_utf8(contents(&both)).expect("text");
        assert!(text == "to stdoutto stderr" || text == "to stderrto stdout", "{text}");
    }
}

#[test]
fn a_command_that_is_not_there_takes_no_file() {
    let copy = scratch("copy");
    fs::write(&copy, "precious").expect("a file");
    let mut command = anonpipe();
    command.args(["run", "--stdout", &copy.to_string_lossy(), "--", "no-such-command"]);
    assert_eq!(finish(command, "").status, 127);
    assert_eq!(contents(&copy), b"precious");
}

#[test]
fn a_command_without_output_empties_the_file() {
    let copy = scratch("copy");
    fs::write(&copy, "old").expect("a file");
    assert_eq!(finish(run_child(&["--stderr", &copy.to_string_lossy()], &["exit", "0"]), "").status, 0);
    assert_eq!(contents(&copy), b"");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn make_fifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().expect("it starts").success());
    }

    /// Opening it would wait for a reader that may never come, and the clock does not run yet.
    #[test]
    fn a_fifo_without_a_reader_is_refused() {
        let fifo = scratch("fifo");
        make_fifo(&fifo);
        let options = ["--timeout", "1", "--stdout", &fifo.to_string_lossy()];
        let finished = finish(run_child(&options, &["exit", "0"]), "");
        assert_eq!(finished.status, 125);
        assert!(finished.stderr.contains("no process has this FIFO open"), "{}", finished.stderr);
    }

    #[test]
    fn a_fifo_with_a_reader_gets_everything() {
        let (fifo, result) = (scratch("fifo"), scratch("result"));
        make_fifo(&fifo);
        let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
        let (fifo, result) = (fifo.display(), result.display());
        // The shell opens it for reading and writing, so that neither side has to be first.
        let script = format!(
            "exec 3<>'{fifo}'; (sleep 0.2; exec 3>&-; exec cat) <'{fifo}' >'{result}' &
'{anonpipe}' run --quiet --stdout '{fifo}' -- head -c 1000000 /dev/zero 3>&- || exit; exec 3>&-; wait; wc -c <'{result}'"
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        let finished = finish(shell, "");
        assert_eq!((finished.status, finished.text().trim()), (0, "1000000"), "{}", finished.stderr);
    }

    /// It is opened, and then not read.
    #[test]
    fn a_fifo_that_nobody_reads_does_not_delay_the_timeout() {
        let fifo = scratch("fifo");
        make_fifo(&fifo);
        let anonpipe = env!("CARGO_BIN_EXE_anonpipe");
        let script = format!(
            "exec 3<>'{}'; exec '{anonpipe}' run --timeout 1 --stdout '{}' -- yes",
            fifo.display(),
            fifo.display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        let finished = finish(shell, "");
        assert_eq!(finished.status, 124);
        finished.assert_took(1000);
    }
}
