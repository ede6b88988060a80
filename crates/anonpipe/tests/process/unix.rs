//! What only Unix has.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anonpipe::process::Stdio;

use crate::harness::{MOMENT, child, in_time, patience, said, soon};
use crate::resources::handles;

/// The roles of children that only Unix has.
pub(crate) fn play(role: &str, args: &[OsString]) {
    let say = |text: String| std::io::stdout().write_all(text.as_bytes()).expect("a reader");
    let own = std::process::id().cast_signed();
    // SAFETY: takes a number.
    let group = unsafe { libc::getpgid(0) };
    // SAFETY: takes a number.
    let session = unsafe { libc::getsid(0) };
    match role {
        "signal" => {
            // SAFETY: a signal to this process.
            unsafe { libc::kill(own, args[0].to_str().unwrap().parse().unwrap()) };
            std::thread::sleep(Duration::from_secs(60));
        }
        "group" => say(format!("{} {}", group == own, session == own)),
        "name" => say(std::env::args().next().unwrap()),
        "umask" => {
            // SAFETY: takes a number.
            say(format!("{:o}", unsafe { libc::umask(0) }));
        }
        "groups" => {
            let groups = rustix::process::getgroups().unwrap();
            let mut groups: Vec<_> = groups.iter().map(|group| group.as_raw()).collect();
            groups.sort_unstable();
            say(format!("{groups:?}"));
        }
        // Says what descriptors it has, beyond the three.
        "descriptors" => say(format!("{:?}", (3..1024).filter(|fd| !is_closed(*fd)).collect::<Vec<_>>())),
        // Leaves its process group, and waits.
        "leave_group" => {
            let elsewhere: i32 = args[0].to_str().unwrap().parse().unwrap();
            // SAFETY: takes numbers.
            assert_eq!(unsafe { libc::setpgid(0, elsewhere) }, 0);
            say("ready\n".into());
            std::thread::sleep(Duration::from_secs(60));
        }
        _ => panic!("no role is called {role}"),
    }
}

pub(crate) fn signals_arrive() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGHUP] {
        let status = child("signal", &[&signal.to_string()]).status().wait().unwrap();
        assert_eq!((status.signal(), status.code()), (Some(signal), None));
        let mut child = child("signal", &[&signal.to_string()]).spawn().unwrap();
        assert_eq!(pollster::block_on(child.wait()).unwrap().signal(), Some(signal));
    }
    let status = child("signal", &[&libc::SIGABRT.to_string()]).status().wait().unwrap();
    let std = std::process::Command::new(std::env::current_exe().unwrap())
        .args([crate::roles::AS_CHILD, "signal", &libc::SIGABRT.to_string()])
        .status()
        .unwrap();
    assert_eq!(status, std, "with its core dump, if there was one");
}

pub(crate) fn the_child_has_its_group_and_session() {
    assert_eq!(said(&mut child("group", &[])), "false false");
    assert_eq!(said(child("group", &[]).own_group(true)), "true false");
    assert_eq!(said(child("group", &[]).process_group(0)), "true false");
    assert_eq!(said(child("group", &[]).setsid(true)), "true true");
    assert_eq!(said(child("group", &[]).setsid(true).own_group(true)), "true true");
    let mut command = child("group", &[]);
    assert_eq!(said(command.own_group(true)), "true false");
    assert_eq!(said(command.own_group(false)), "false false");
    assert_eq!(said(command.timeout(patience())), "true false");
}

pub(crate) fn arg0_is_what_it_was_told() {
    assert_eq!(said(child("name", &[]).arg0("another name")), "another name");
}

pub(crate) fn pre_exec_runs_in_the_child() {
    let mut command = child("umask", &[]);
    let mask = || {
        // SAFETY: takes a number.
        unsafe { libc::umask(0o123) };
        Ok(())
    };
    // SAFETY: one system call.
    unsafe { command.pre_exec(mask) };
    assert_eq!(said(&mut command), "123");
    assert_eq!(said(command.own_group(true).setsid(true)), "123", "beside what the library does there");
    // SAFETY: no call at all.
    unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::ENOTTY))) };
    let error = command.spawn().unwrap_err();
    assert_eq!(anonpipe::Error::of(&error).unwrap().raw_os_error(), Some(libc::ENOTTY));
}

pub(crate) fn groups_need_privileges_or_are_set() {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let mut command = child("groups", &[]);
    command.groups(&[4242, 17]).uid(uid).gid(gid);
    if rustix::process::geteuid().is_root() {
        let said = said(&mut command);
        assert!(said.contains("17, 4242"), "{said}");
        assert_eq!(self::said(child("groups", &[]).uid(uid)), "[]", "as std has it");
    } else {
        assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

pub(crate) fn a_child_gets_no_other_descriptor() {
    let plain = |command: &mut std::process::Command| {
        let output = command.args([crate::roles::AS_CHILD, "descriptors"]).stdin(std::process::Stdio::null()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    // What every child of this program has: the tests may have been started with more than three.
    let usual = plain(&mut std::process::Command::new(std::env::current_exe().unwrap()));
    let _kept = (anonpipe::pipe().unwrap(), anonpipe::duplex().unwrap());
    let mut command = child("descriptors", &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).own_group(true).setsid(true);
    assert_eq!(said(&mut command), usual);
    assert_eq!(said(command.input("x").merge_stderr(true)), usual);
}

pub(crate) fn a_group_that_was_left_is_killed_with_the_child() {
    let mut other = child("sleep", &["60000"]).own_group(true).spawn().unwrap();
    let elsewhere = other.id().unwrap().to_string();
    let mut command = child("leave_group", &[&elsewhere]);
    let mut child = command.own_group(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    child.kill_tree().unwrap();
    assert_eq!(in_time(child.wait().wait_timeout(patience())).unwrap().signal(), Some(libc::SIGKILL));
    assert!(other.try_wait().unwrap().is_none(), "that group is another's");
    other.kill_tree().unwrap();
}

pub(crate) fn shutdown_terminates_before_it_kills() {
    let mut child = child("deaf", &[]).own_group(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let mut call = child.shutdown(Duration::from_millis(1500));
    assert_eq!(in_time(call.wait_timeout(patience())).unwrap().signal(), Some(libc::SIGTERM));
}

/// The thread that starts it has all signals blocked, and a child inherits that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn a_child_that_dies_with_its_parent_can_be_signalled() {
    let mut command = child("deaf", &[]);
    let mut child = command.own_group(true).die_with_parent(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    child.terminate().unwrap();
    assert_eq!(in_time(child.wait().wait_timeout(patience())).unwrap().signal(), Some(libc::SIGTERM));
    assert_eq!(said(&mut crate::harness::child("say", &["x"])), "x");
    assert_eq!(said(crate::harness::child("say", &["again"]).die_with_parent(true)), "again");
}

/// Whether this process has no children, zombies included. Leaves them to the library.
fn has_no_children() -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).is_err_and(|error| error == rustix::io::Errno::CHILD)
}

fn zombies() -> usize {
    let own = std::process::id().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let is_ours = |stat: &String| {
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&own)
    };
    processes
        .flatten()
        .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok())
        .filter(is_ours)
        .count()
}

pub(crate) fn dropped_children_leave_no_zombie() {
    for own_group in [false, true] {
        for _ in 0..10 {
            drop(child("exit", &["0"]).own_group(own_group).spawn().unwrap());
            drop(child("sleep", &["100"]).own_group(own_group).spawn().unwrap());
            drop(child("sleep", &["60000"]).own_group(own_group).kill_on_drop(true).spawn().unwrap());
            let mut waited = child("exit", &["0"]).own_group(own_group).spawn().unwrap();
            waited.wait().wait().unwrap();
            drop(waited);
            let driver = anonpipe::Driver::new().unwrap();
            let attached = child("sleep", &["100"]).own_group(own_group).spawn().unwrap();
            attached.attach(&driver).unwrap();
            assert!(attached.exit().wait_timeout(Duration::from_millis(1)).is_none());
            drop(attached);
        }
    }
    soon("no zombie", || zombies() == 0);
    soon("no child", has_no_children);
}

pub(crate) fn a_fork_leaves_the_children_to_its_parent() {
    let mut child = child("cat", &[]).stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let exit = child.exit();
    // A thread of ours is there, too.
    drop(crate::harness::child("exit", &["0"]).output().wait().unwrap());
    // SAFETY: the forked process makes calls of the library, which is what this is about.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        let refused = |result: std::io::Result<()>| result.is_err_and(|error| error.kind() == ErrorKind::Unsupported);
        let fine = refused(child.try_wait().map(drop))
            && refused(child.start_kill())
            && refused(child.kill().wait())
            && refused(child.wait().wait().map(drop))
            && refused(exit.wait().map(drop));
        drop(child);
        // SAFETY: ends the forked process without the test's own destructors.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    let mut status = 0;
    // SAFETY: a child of this process; the status lives on this stack.
    assert_eq!(unsafe { libc::waitpid(forked, &raw mut status, 0) }, forked);
    assert_eq!(status, 0, "what the forked process found");
    assert!(exit.is_complete() || child.try_wait().unwrap().is_none());
    std::thread::sleep(MOMENT);
    assert!(child.try_wait().unwrap().is_none(), "it was not killed by the fork");
    assert!(child.wait().wait().unwrap().success());
}

/// With none left, one, two, and so on: each step of a spawn fails once.
pub(crate) fn without_descriptors_a_spawn_fails_cleanly() {
    let run = || {
        let mut command = child("say", &["x"]);
        command.input("in").own_group(true).timeout(patience());
        command.output().wait().map(|output| output.stdout)
    };
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: fills a limit that lives on this stack.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old) }, 0);
    let limit = |count| {
        let limit = libc::rlimit { rlim_cur: count, ..old };
        // SAFETY: a limit that lives during the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    };
    let (mut failed, mut succeeded) = (0, 0);
    let before = handles();
    for more in 0..24 {
        let used = (0..).find(|fd| is_closed(*fd)).unwrap_or(0);
        limit(libc::rlim_t::from(used.unsigned_abs()) + more);
        match run() {
            Ok(stdout) => {
                assert_eq!(stdout, b"x");
                succeeded += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                failed += 1;
            }
        }
        limit(old.rlim_cur);
        soon("no child", has_no_children);
    }
    assert!(failed > 3 && succeeded > 3, "{failed} failed, {succeeded} succeeded");
    // The driver, which the first success has made, stays.
    assert!(handles() <= before + 4, "{} and before {before}", handles());
}

fn is_closed(fd: i32) -> bool {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) == -1 }
}

/// The system has forgotten the child then. Nothing hangs, and the reason is told.
pub(crate) fn a_program_that_reaps_all_children_is_told() {
    // SAFETY: a signal's number, and no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let error = in_time(child("exit", &["3"]).status().wait_timeout(patience())).unwrap_err();
    assert!(error.to_string().starts_with("cannot wait for a child: "), "{error}");
    assert!(pollster::block_on(child("exit", &["3"]).output()).is_err());
    let mut child = child("exit", &["3"]).spawn().unwrap();
    assert!(pollster::block_on(child.exit()).is_err());
    assert!(child.wait().wait().is_err());
    child.start_kill().unwrap();
}
