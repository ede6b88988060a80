//! Rules whose outcome only Windows itself can show. Wine answers otherwise; there, what can be
//! seen is checked, and the rest is said to be left to Windows.

use std::io::{ErrorKind, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anonpipe::End;
use anonpipe::windows::PipeOptionsExt;

use crate::Backend;
use crate::harness::MOMENT;
use crate::system::{access_list, handles, is_wine, named_server};
use crate::transfer_ways::kind;

/// Whether the rule can be decided here; says so if not.
fn decided_here(what: &str) -> bool {
    if is_wine() {
        // Past the capture, so that it is seen.
        let _ = writeln!(std::io::stderr(), "decided on Windows only: {what}");
    }
    !is_wine()
}

/// Why a blocking duplex end neither reads and writes by reference nor can be split.
pub(crate) fn a_blocked_read_holds_up_a_write_on_a_synchronous_handle(backend: Backend) {
    let (ours, mut theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let mut clone = theirs.try_clone().unwrap();
    thread::scope(|scope| {
        let read = scope.spawn(move || std::io::Read::read(&mut theirs, &mut [0; 8]));
        thread::sleep(MOMENT);
        let (done, written) = channel();
        scope.spawn(move || done.send(clone.write(b"held up").unwrap()));
        let held_up = written.recv_timeout(Duration::from_millis(300)).is_err();
        if decided_here("a synchronous handle does one thing at a time") {
            assert!(held_up, "the documentation of Duplex is wrong");
        }
        (&ours).write_all(b"go").unwrap();
        assert_eq!(read.join().unwrap().unwrap(), 2);
    });
}

pub(crate) fn the_name_cannot_be_claimed_by_another(_: Backend) {
    let (ours, _theirs) = Backend::Named.duplex();
    let name = ours.info().unwrap().name.unwrap();
    let error = named_server(name.trim_start_matches('\\'), false, true).unwrap_err();
    if decided_here("FILE_FLAG_FIRST_PIPE_INSTANCE is enforced") {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    }
}

pub(crate) fn a_descriptor_that_admits_nobody_makes_no_pair(backend: Backend) {
    for backend in [backend, Backend::Named] {
        let before = handles();
        let made = backend.options().security_descriptor("D:P(D;;GA;;;WD)").duplex();
        if decided_here("the client is checked against the descriptor") {
            assert_eq!(kind(made), ErrorKind::PermissionDenied);
            assert_eq!(handles(), before, "a server was left open");
        } else {
            assert!(access_list(&made.unwrap().0).contains("(D;"), "the descriptor was not passed on");
        }
    }
}
