//! What this program does as a child.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio, exit};
use std::thread;
use std::time::Duration;

/// The first argument of a child; its role follows.
pub(crate) const AS_CHILD: &str = "--as-child";

/// Plays the role, if this is a child.
pub(crate) fn is_child() -> bool {
    let mut args = env::args_os().skip(1);
    if args.next().is_none_or(|first| first != AS_CHILD) {
        return false;
    }
    let role = args.next().expect("a role").into_string().expect("text");
    play(&role, args.collect());
    true
}

fn text(arg: &OsString) -> String {
    arg.to_str().expect("text").to_owned()
}

fn number(args: &[OsString], index: usize) -> u64 {
    text(&args[index]).parse().expect("a number")
}

fn say(what: impl AsRef<[u8]>) {
    let mut stdout = io::stdout();
    // A reader that has gone is none of the child's business.
    let _ = stdout.write_all(what.as_ref()).and_then(|()| stdout.flush());
}

fn sleep(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// This program once more, in another role, with the same standard handles.
fn another(role: &str, args: &[OsString]) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.arg(AS_CHILD).arg(role).args(args);
    command
}

fn play(role: &str, args: Vec<OsString>) {
    match role {
        // Says each argument.
        "args" => args.iter().for_each(|arg| say(format!("{}\0", arg.to_string_lossy()))),
        "env" => match env::var(&args[0]) {
            Ok(value) => say(value),
            Err(_) => say("nothing"),
        },
        "environment" => {
            let mut names: Vec<_> = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
            names.sort();
            say(names.join("\n"));
        }
        "cwd" => say(env::current_dir().expect("a directory").to_str().expect("text")),
        "exit" => exit(text(&args[0]).parse::<i64>().expect("a number") as i32),
        "cat" => {
            let mut buffer = vec![0; 1 << 16];
            loop {
                match io::stdin().read(&mut buffer).expect("an input") {
                    0 => break,
                    count => say(&buffer[..count]),
                }
            }
        }
        "say" => say(text(&args[0])),
        "complain" => io::stderr().write_all(text(&args[0]).as_bytes()).expect("a reader"),
        // Writes so many bytes to each of its outputs, one after the other.
        "both" => {
            let total = number(&args, 0) as usize;
            for start in (0..total).step_by(1000) {
                let length = (total - start).min(1000);
                io::stdout().write_all(&vec![b'o'; length]).expect("a reader");
                io::stderr().write_all(&vec![b'e'; length]).expect("a reader");
            }
            say("");
        }
        // Writes lines to its two outputs by turns.
        "by_turns" => {
            for line in 0..number(&args, 0) {
                if line % 2 == 0 {
                    say(format!("{line}\n"));
                } else {
                    io::stderr().write_all(format!("{line}\n").as_bytes()).expect("a reader");
                }
            }
        }
        "sleep" => sleep(number(&args, 0)),
        // Says something, and something more after a time.
        "say_late" => {
            say(text(&args[0]));
            sleep(number(&args, 1));
            say(text(&args[2]));
        }
        // A line every so many milliseconds, so many times.
        "chatter" => {
            for _ in 0..number(&args, 1) {
                say("tick\n");
                sleep(number(&args, 0));
            }
        }
        // Starts what has the same outputs, and ends at once.
        "leave_behind" => {
            let child = another(&text(&args[1]), &args[2..]).stdin(Stdio::null()).spawn();
            drop(child.expect("a grandchild"));
            say(text(&args[0]));
        }
        // As many generations, each of which waits for the next. The second ignores requests to
        // end.
        "generations" => {
            let left = number(&args, 0);
            #[cfg(unix)]
            if left == 2 {
                ignore_term();
            }
            if left > 1 {
                let next = another("generations", &[(left - 1).to_string().into()]).spawn();
                next.expect("the next generation").wait().expect("its end");
            } else {
                say("all there\n");
                sleep(60_000);
            }
        }
        // Ends when its input ends.
        "until_eof" => {
            say("ready\n");
            let _ = io::stdin().read_to_end(&mut Vec::new());
            exit(7);
        }
        // Ends when it is told to, by signal or event alone.
        "deaf" => {
            say("ready\n");
            sleep(60_000);
        }
        #[cfg(unix)]
        "stubborn" => {
            ignore_term();
            say("ready\n");
            sleep(60_000);
        }
        #[cfg(windows)]
        "stubborn" => {
            crate::windows::ignore_ctrl_break();
            say("ready\n");
            sleep(60_000);
        }
        // Starts a child that does, or does not, die with it, and ends after a line.
        "parent" => {
            let mut command = anonpipe::process::Command::new(env::current_exe().expect("the path of this program"));
            let dies = text(&args[0]) == "die";
            // Longer than a test waits for its end; or not much longer than it looks.
            command.args([AS_CHILD, "say_late", "ready\n", if dies { "60000" } else { "3000" }, ""]);
            command.stdin(anonpipe::process::Stdio::null()).die_with_parent(dies);
            // From a thread that ends before the process does.
            let child = thread::spawn(move || command.spawn().expect("a child")).join().expect("the thread");
            let mut ready = String::new();
            io::stdin().read_line(&mut ready).expect("a line");
            #[expect(clippy::mem_forget, reason = "its destructor is to have no part in this")]
            std::mem::forget(child);
            exit(0);
        }
        // Says, on its standard error, whether its other two handles are overlapped.
        "modes" => {
            let overlapped = [is_overlapped(&io::stdin()), is_overlapped(&io::stdout())];
            io::stderr().write_all(format!("{overlapped:?}").as_bytes()).expect("a reader");
        }
        _ => crate_role(role, &args),
    }
}

#[cfg(unix)]
fn crate_role(role: &str, args: &[OsString]) {
    crate::unix::play(role, args);
}

#[cfg(windows)]
fn crate_role(role: &str, args: &[OsString]) {
    crate::windows::play(role, args);
}

#[cfg(windows)]
use crate::windows::is_overlapped;

#[cfg(unix)]
fn is_overlapped(handle: &impl std::os::fd::AsFd) -> bool {
    rustix::fs::fcntl_getfl(handle).expect("its flags").contains(rustix::fs::OFlags::NONBLOCK)
}

#[cfg(unix)]
fn ignore_term() {
    // SAFETY: a signal's number, and no handler.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}
