//! Rules whose outcome only Windows itself can show. Wine answers otherwise; there, what can be
//! seen is checked, and the rest is said to be left to Windows.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::windows::io::AsHandle;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anonpipe::windows::PipeOptionsExt;
use anonpipe::{End, create_pipe_anonymous_pair7};

use crate::Backend;
use crate::harness::MOMENT;
use crate::system::{
    access_list, act_for_the_client, handles, is_wine, named_server, read_on_the_file_object, restricted,
    write_on_the_file_object,
};
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

/// A server end may go to a child that is to have fewer rights than we have.
pub(crate) fn the_server_cannot_act_for_its_client(backend: Backend) {
    const ERROR_CANT_OPEN_ANONYMOUS: i32 = 1347;
    fn acts(server: &impl AsHandle, client: &impl AsHandle) -> std::io::Result<i32> {
        // The system wants the server to have read something first.
        write_on_the_file_object(client, b"read").unwrap();
        assert_eq!(read_on_the_file_object(server, 8).unwrap(), b"read");
        act_for_the_client(server)
    }
    let (server, client) = create_pipe_anonymous_pair7().unwrap();
    let mut answers = vec![acts(&server, &client)];
    for backend in [backend, Backend::Named] {
        let blocking = backend.options().server(End::blocking()).client(End::blocking());
        let (server, client) = blocking.duplex().unwrap();
        answers.push(acts(&server, &client));
    }
    // The question can be answered with yes.
    let name = format!("anonpipe-test-acts-{}", std::process::id());
    let server = named_server(&name, false, true).unwrap();
    let client = OpenOptions::new().read(true).write(true).open(format!(r"\\.\pipe\{name}")).unwrap();
    assert!(acts(&server, &client).unwrap() > 0, "a client that was opened without precautions");
    if decided_here("a server learns nothing of its client") {
        for answer in answers {
            let error = answer.expect_err("the server has the client's token");
            assert_eq!(error.raw_os_error(), Some(ERROR_CANT_OPEN_ANONYMOUS), "{error}");
        }
    }
}

/// A thread with a restricted token makes no pair that its own token does not admit, and learns why
/// (openai/codex#20270). A descriptor that admits it helps.
pub(crate) fn a_restricted_thread_needs_a_descriptor_that_admits_it(backend: Backend) {
    // What is opened once.
    drop(backend.duplex());
    let before = handles();
    let (unnamed, named) = restricted(|| (backend.options().duplex(), Backend::Named.options().duplex()));
    let after = handles();
    let admitted = restricted(|| backend.options().security_descriptor("D:P(A;;GA;;;WD)(A;;GA;;;RC)").duplex());
    let (ours, theirs) = admitted.unwrap();
    (&theirs).write_all(b"admitted").unwrap();
    assert_eq!(ours.submit_read(vec![0; 8]).wait().0.unwrap(), 8);
    drop((ours, theirs));
    if decided_here("a restricted token is checked against the descriptor") {
        assert_eq!(kind(unnamed), ErrorKind::PermissionDenied);
        assert_eq!(kind(named), ErrorKind::PermissionDenied);
        assert_eq!(after, before, "a server was left open");
    }
}
