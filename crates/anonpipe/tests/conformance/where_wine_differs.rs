//! Rules whose outcome only Windows itself can show. Wine answers otherwise; there, what can be
//! seen is checked, and the rest is said to be left to Windows.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::windows::io::AsHandle;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anonpipe::windows::PipeOptionsExt;
use anonpipe::{Blocking, Duplex, End, PipeOptions, create_pipe_anonymous_pair7};

use crate::Backend;
use crate::harness::{MOMENT, soon};
use crate::resources;
use crate::system::{
    AppContainer, Child, access_list, act_for_the_client, anonymous, handles, integrity, is_in_app_container, is_wine,
    named_server, read_on_the_file_object, restricted, set_role, systems_pipe, with_default_list,
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

/// As for `CreatePipe`, the list of the token that makes the pair: the thread's, if it has one. A
/// pair with a name does not have that list.
pub(crate) fn the_threads_token_gives_a_pair_its_list(backend: Backend) {
    // What is opened once.
    resources::use_once(backend);
    drop(systems_pipe());
    let before = handles();
    let (unnamed, named, systems) = with_default_list("D:(A;;GA;;;WD)", || {
        (backend.options().duplex().unwrap(), Backend::Named.options().duplex().unwrap(), systems_pipe().unwrap())
    });
    let lists = (access_list(&unnamed.0), access_list(&systems));
    assert!(!access_list(&named.0).contains(";;;WD)"), "open to everybody: {}", access_list(&named.0));
    for (ours, theirs) in [&unnamed, &named] {
        (&*theirs).write_all(b"works").unwrap();
        assert_eq!(ours.submit_read(vec![0; 8]).wait().0.unwrap(), 5);
    }
    if decided_here("an unnamed pair has the list of the thread's token") {
        assert!(lists.0.contains(";;;WD)") && lists.0 == lists.1, "{lists:?}");
    }
    drop((unnamed, named, systems));
    soon("nothing stays open", || handles() == before);
}

/// A thread that acts for the anonymous user makes no pair that is open to the process's user.
pub(crate) fn the_threads_user_is_admitted_to_a_named_pair(_: Backend) {
    let (usual, _theirs) = Backend::Named.duplex();
    let usual = access_list(&usual);
    match anonymous(|| Backend::Named.options().duplex()) {
        Ok(Ok((server, _client))) => {
            let list = access_list(&server);
            if decided_here("a thread may have another user") {
                assert!(list.contains(";;;AN)") && list != usual, "{list}");
            }
        }
        Ok(refused) => assert_eq!(kind(refused), ErrorKind::PermissionDenied),
        // Wine has one user.
        Err(error) => assert!(!decided_here("a thread may have another user"), "{error}"),
    }
}

/// Set for a process that is to make pairs with the rights that it has.
const ROLE: &str = "ANONPIPE_TEST_ROLE";

/// In a process with other rights: pairs can be made, with and without a name, and carry bytes. The
/// one with a name stays open until the starting process says so.
fn makes_pairs(unnamed: Backend) -> String {
    let _stays = [unnamed, Backend::Named].map(|backend| {
        let (ours, theirs) = backend.options().duplex().unwrap();
        let read = ours.submit_read(vec![0; 8]);
        (&theirs).write_all(b"works").unwrap();
        assert_eq!(read.wait().0.unwrap(), 5);
        if backend.is_named() {
            println!("\nnamed {}", ours.info().unwrap().name.unwrap());
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        (ours, theirs)
    });
    access_list(&_stays[1].0)
}

/// Starts this rule once more in a process with other rights, and sees it pass. Meanwhile its pair
/// with a name is open to no one.
fn in_another_process(rule: &str, start: impl FnOnce(&str, &Duplex<Blocking>) -> std::io::Result<Child>) {
    let (ours, theirs) = PipeOptions::new().client(End::blocking().inheritable(true)).duplex().unwrap();
    set_role(ROLE, rule);
    let rule = format!("windows_only::where_wine_differs::{rule}");
    let child = start(&format!("{rule} --exact --nocapture --test-threads=1"), &theirs).unwrap();
    drop(theirs);
    let (mut said, mut opened) = (String::new(), None);
    let mut reader = BufReader::new(&ours);
    while reader.read_line(&mut said).is_ok_and(|count| count > 0) {
        if let Some(name) = said.lines().last().and_then(|line| line.strip_prefix("named ")) {
            let path = format!(r"\\.\pipe\{}", name.trim_start_matches('\\'));
            opened = Some(OpenOptions::new().read(true).write(true).open(path));
            (&ours).write_all(b"go on\n").unwrap();
        }
    }
    assert_eq!(child.wait(), 0, "{said}");
    assert!(said.contains("1 passed"), "{said}");
    let error = opened.expect("it has a pair with a name").expect_err("its pair is open to others");
    let _ = writeln!(std::io::stderr(), "a second client of its pair: {error}");
}

pub(crate) fn a_process_with_few_rights_makes_pairs(backend: Backend) {
    if std::env::var_os(ROLE).is_some() {
        let list = makes_pairs(backend);
        assert!(!list.contains(";;;WD)"), "{list}");
        if decided_here("a process can be trusted little") {
            assert_eq!(integrity(), 0x1000);
        }
        return;
    }
    in_another_process("a_process_with_few_rights_makes_pairs", Child::with_few_rights);
}

/// There a name must begin with `LOCAL\`, and both the user and the package must be admitted.
pub(crate) fn a_process_in_an_app_container_makes_pairs(backend: Backend) {
    if std::env::var_os(ROLE).is_some() {
        assert!(is_in_app_container());
        let list = makes_pairs(backend);
        assert!(list.contains(";;;S-1-15-2-") && list.matches("(A;").count() == 2, "{list}");
        return;
    }
    let Some(container) = AppContainer::install() else {
        assert!(!decided_here("a process in an AppContainer"), "no AppContainers");
        return;
    };
    in_another_process("a_process_in_an_app_container_makes_pairs", |arguments, stdio| {
        container.start(arguments, stdio)
    });
}
