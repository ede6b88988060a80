//! Standard input and output on one pipe.
mod common;

use common::*;

/// A conversation that the command ends itself, as it has to on Windows.
#[test]
fn both_directions_work() {
    let finished = finish(run_child(&["--duplex"], &["emit", "3000000"]), "");
    assert_eq!((finished.status, finished.stdout.len()), (0, 3_000_000), "{}", finished.stderr);
    let finished = finish(run_child(&["--duplex"], &["first-line"]), "one\ntwo\n");
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "one\n", ""));
}

#[test]
fn standard_error_has_its_own_pipe() {
    let finished = finish(run_child(&["--duplex"], &["both"]), "");
    assert_eq!((finished.text().as_str(), finished.stderr.as_str()), ("to stdout", "to stderr"));
}

/// The command goes without having read what we sent.
#[test]
fn unread_input_is_not_an_error() {
    let finished = finish(run_child(&["--duplex"], &["both"]), noise(1 << 20));
    assert_eq!((finished.status, finished.text().as_str(), finished.stderr.as_str()), (0, "to stdout", "to stderr"));
}

#[test]
fn a_timeout_ends_it() {
    let finished = finish(run_child(&["--duplex", "--timeout", "300ms"], &["sleep", HOUR_MS]), "");
    assert_eq!(finished.status, 124);
    finished.assert_took(300);
}

#[cfg(unix)]
mod unix {
    use super::*;

    #[test]
    fn the_command_sees_the_end_of_its_input() {
        let input = noise(4 << 20);
        let finished = finish(run_child(&["--duplex"], &["emit-then-cat", "1000000"]), input.clone());
        assert_eq!(finished.status, 0, "{}", finished.stderr);
        assert!(finished.stdout[1_000_000..] == input);
    }

    /// And one that is still on its way when our own input has ended.
    #[test]
    fn the_end_comes_after_the_data() {
        let finished = finish(run_sh(&["--duplex"], "sleep 0.3; wc -c"), noise(1 << 20));
        assert_eq!((finished.status, finished.text().trim()), (0, "1048576"));
    }
}

#[cfg(windows)]
#[test]
fn the_command_sees_no_end_of_its_input() {
    let finished = finish(run_child(&["--duplex", "--timeout", &time(1000)], &["cat"]), "line\n");
    assert_eq!((finished.status, finished.text().as_str()), (124, "line\n"));
}
