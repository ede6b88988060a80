//! What the tests run where no program of the system's behaves the same everywhere: `child ACTION
//! [ARGUMENT]`.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, exit};
use std::thread;
use std::time::Duration;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    match argument(0) {
        "cat" => cat()?,
        "emit" => emit(number(argument(1)))?,
        "emit-then-cat" => {
            emit(number(argument(1)))?;
            cat()?;
        }
        "emit-trickle-hold" => {
            emit(number(argument(1)))?;
            trickle(number(argument(2)))?;
            Command::new(env::current_exe()?).args(["sleep", argument(3)]).spawn()?;
        }
        "flood" => flood(argument(1))?,
        "close-stdin" => {
            drop_stdin();
            println!("closed");
            thread::sleep(Duration::from_millis(300));
        }
        "close-stdout" => {
            println!("last words");
            drop_stdout();
            thread::sleep(Duration::from_millis(300));
            eprintln!("still here");
        }
        "hold" => {
            // Inherits all three streams.
            Command::new(env::current_exe()?).args(["sleep", argument(1)]).spawn()?;
            println!("gone");
        }
        "sleep" => thread::sleep(Duration::from_millis(number(argument(1)))),
        // Appends to a file every 50 ms, so that the test sees whether it lives.
        "live" => live(argument(1))?,
        "start-live" => {
            Command::new(env::current_exe()?).args(["live", argument(1)]).spawn()?;
            thread::sleep(Duration::from_secs(60));
        }
        "first-line" => {
            let mut line = String::new();
            io::stdin().read_line(&mut line)?;
            print!("{line}");
        }
        "exit" => exit(argument(1).parse().unwrap_or(99)),
        "both" => {
            print!("to stdout");
            eprint!("to stderr");
        }
        #[cfg(windows)]
        "console" => println!("{}", console::describe()),
        #[cfg(windows)]
        "heed-interrupt" => {
            console::heed_interrupts();
            emit(10)?;
            thread::sleep(Duration::from_secs(60));
        }
        #[cfg(windows)]
        "interrupt" => console::interrupt(argument(1).parse().unwrap_or(0)),
        other => {
            eprintln!("unknown action '{other}'");
            return Ok(ExitCode::from(99));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn cat() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut buffer = vec![0; 10_000];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        output.write_all(&buffer[..count])?;
        output.flush()?;
    }
}

fn emit(count: u64) -> io::Result<()> {
    let mut output = io::stdout().lock();
    io::copy(&mut io::repeat(b'x').take(count), &mut output)?;
    output.flush()
}

/// Writes single bytes, with pauses that let each be read by itself.
fn trickle(count: u64) -> io::Result<()> {
    for _ in 0..count {
        thread::sleep(Duration::from_millis(30));
        emit(1)?;
    }
    Ok(())
}

/// Writes for ever, and notes in a file how much.
fn flood(file: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for count in 1_u64.. {
        output.write_all(&[b'\n'; 1024])?;
        fs::write(file, (count * 1024).to_string())?;
    }
    Ok(())
}

/// Not for ever, in case that the test does not end it.
fn live(file: &str) -> io::Result<()> {
    for _ in 0..600 {
        fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(b".")?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(unix)]
fn drop_stdin() {
    use std::os::fd::FromRawFd;
    // SAFETY: descriptor 0 is open, and this program does not use it afterwards.
    drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(0) });
}

#[cfg(unix)]
fn drop_stdout() {
    use std::os::fd::FromRawFd;
    // SAFETY: descriptor 1 is open, and this program does not use it afterwards.
    drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(1) });
}

#[cfg(windows)]
fn drop_stdin() {
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    // SAFETY: the handle is open, and this program does not use it afterwards.
    drop(unsafe { OwnedHandle::from_raw_handle(io::stdin().as_raw_handle()) });
}

#[cfg(windows)]
fn drop_stdout() {
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    // SAFETY: the handle is open, and this program does not use it afterwards.
    drop(unsafe { OwnedHandle::from_raw_handle(io::stdout().as_raw_handle()) });
}

#[cfg(windows)]
mod console {
    use windows_sys::Win32::System::Console::{
        AttachConsole, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent, GetConsoleWindow, SetConsoleCtrlHandler,
    };

    /// Whether this process has a console, and whether that has a window.
    pub(super) fn describe() -> String {
        let console = std::fs::File::options().read(true).write(true).open("CONOUT$").is_ok();
        // SAFETY: no preconditions.
        let window = !unsafe { GetConsoleWindow() }.is_null();
        format!("console={console} window={window}")
    }

    /// From now on Ctrl-C makes this process say so, after a while, and exit with 5.
    pub(super) fn heed_interrupts() {
        unsafe extern "system" fn on_control(_event: u32) -> i32 {
            std::thread::sleep(std::time::Duration::from_millis(300));
            println!("interrupted");
            std::process::exit(5);
        }
        // SAFETY: the handler is a function, and needs nothing that could be gone.
        assert!(unsafe { SetConsoleCtrlHandler(Some(on_control), 1) } != 0);
    }

    /// Presses Ctrl-C in the console of another process.
    pub(super) fn interrupt(process: u32) {
        // SAFETY: no preconditions.
        unsafe { FreeConsole() };
        // SAFETY: no preconditions; fails if there is no such process or console.
        assert!(unsafe { AttachConsole(process) } != 0, "no console: {}", std::io::Error::last_os_error());
        // SAFETY: without a handler the call makes this process ignore Ctrl-C.
        unsafe { SetConsoleCtrlHandler(None, 1) };
        // SAFETY: no preconditions; group 0 is every process of this console.
        assert!(unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) } != 0, "{}", std::io::Error::last_os_error());
    }
}
