//! Drives the system's shell over one duplex pipe: ours overlapped, the child's blocking; both
//! private.
//!
//! A read is in flight all the time, while commands are written to the same pipe; no thread waits
//! for either. On Windows the shell is cmd.exe, elsewhere sh.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use anonpipe::{End, PipeOptions};

fn main() -> io::Result<()> {
    let (ours, theirs) = PipeOptions::new().server(End::overlapped()).client(End::blocking()).duplex()?;
    println!("ours   {ours:?}\ntheirs {theirs:?}");

    let (program, arguments, commands) = if cfg!(windows) {
        ("cmd.exe", &["/q", "/k", "prompt $_"][..], ["ver", "echo one pipe, both ways", "exit"])
    } else {
        ("sh", &[][..], ["uname", "echo one pipe, both ways", "exit"])
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::from(theirs.try_clone()?))
        .stdout(Stdio::from(theirs.try_clone()?))
        .stderr(Stdio::from(theirs))
        .spawn()?;
    println!("child  {program}, process {}", child.id());

    let newline = if cfg!(windows) { "\r\n" } else { "\n" };
    let mut read = ours.submit_read(vec![0; 4096]);
    for command in commands {
        println!("-> {command}");
        ours.submit_write(format!("{command}{newline}")).wait().0?;
        // Everything that comes until the shell has been quiet for a while.
        while let Some((count, buffer)) = read.wait_timeout(Duration::from_millis(500)) {
            let count = count?;
            for line in String::from_utf8_lossy(&buffer[..count]).lines().filter(|line| !line.trim().is_empty()) {
                println!("<- {line}");
            }
            read = ours.submit_read(buffer);
            if count == 0 {
                println!("<- end of file");
                break;
            }
        }
    }
    println!("child  {}", child.wait()?);
    Ok(())
}
