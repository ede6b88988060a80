//! What children cost that are running and say nothing: threads, memory, and whether the program
//! can still do anything else.
//!
//! `quiet_children [--json] [HOW_MANY] [LIBRARY]` starts as many children as asked for, with their
//! standard output and standard error on pipes that tasks of a tokio runtime read all the time:
//! once over anonpipe's overlapped ends, once over `tokio::process`. While the children are quiet
//! it counts the threads of this process and its resident memory, and asks `spawn_blocking` for an
//! answer. Then one child is told to end, and later all of them, and it counts whose last words
//! arrived.
//!
//! Each row is measured in a process of its own, and everything has a time limit.
//!
//! The children of anonpipe's rows are started and waited for by `std::process`. Its `wait` blocks,
//! so a program that does as this one reads both streams to their ends first, and asks for the
//! status when the child is as good as gone.

#![allow(missing_docs, reason = "a program, not a library")]

#[path = "quiet_children/child.rs"]
mod child;
#[path = "quiet_children/listen.rs"]
mod listen;
#[path = "quiet_children/measure.rs"]
mod measure;
#[path = "quiet_children/resources.rs"]
mod resources;
#[path = "quiet_children/table.rs"]
mod table;

use std::process::{Command, ExitCode, exit};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use child::Library;

/// The argument that makes this program a child; its number comes after it.
const CHILD: &str = "--quiet-child";

/// The argument that makes this program measure one row and print it; library, number and form come
/// after it.
const MEASURE: &str = "--measure";

const USAGE: &str = "\
usage: quiet_children [--json] [HOW_MANY[,HOW_MANY...]] [anonpipe|tokio|both]

Starts HOW_MANY children (1 to 10000, default 8,32,260), which say nothing until they are told to end, reads their
standard output and standard error all the time, and prints what that costs this program. A row for each number and library
(default: both); --json prints an object a line instead of a table, times in ms and memory in bytes.

Exit status: 0; 1 if a row could not be measured, or if with anonpipe last words or an answer did not arrive in time;
2 for wrong arguments. What does not arrive with tokio is in its row.
";

/// What was asked for.
struct Order {
    json: bool,
    counts: Vec<u32>,
    libraries: Vec<Library>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [CHILD, number] => match number.parse().map_err(io::Error::other).and_then(child::be) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        [MEASURE, library, count, form] => match (parse_library(library), count.parse()) {
            (Some(libraries), Ok(count)) if libraries.len() == 1 => measure_row(libraries[0], count, form == "json"),
            _ => wrong("not for use by hand"),
        },
        ["-h" | "--help"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => match parse(&arguments) {
            Ok(order) => print_rows(&order),
            Err(reason) => wrong(&reason),
        },
    }
}

fn wrong(reason: &str) -> ExitCode {
    eprint!("quiet_children: {reason}\n{USAGE}");
    ExitCode::from(2)
}

fn parse(arguments: &[&str]) -> Result<Order, String> {
    let json = arguments.first() == Some(&"--json");
    let mut rest = arguments[usize::from(json)..].iter().peekable();
    let counts = match rest.next_if(|argument| parse_library(argument).is_none()) {
        Some(list) => list.split(',').map(parse_count).collect::<Result<_, _>>()?,
        None => vec![8, 32, 260],
    };
    let libraries = match rest.next() {
        Some(name) => parse_library(name).ok_or_else(|| format!("no such library: {name}"))?,
        None => Library::ALL.to_vec(),
    };
    match rest.next() {
        Some(argument) => Err(format!("one argument too many: {argument}")),
        None => Ok(Order { json, counts, libraries }),
    }
}

fn parse_count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=10_000).contains(count));
    count.ok_or_else(|| format!("not a number of children: {text:?}"))
}

fn parse_library(name: &str) -> Option<Vec<Library>> {
    if name == "both" {
        return Some(Library::ALL.to_vec());
    }
    Library::ALL.into_iter().find(|library| library.name() == name).map(|library| vec![library])
}

/// Has every row measured, and printed, by a process of its own.
fn print_rows(order: &Order) -> ExitCode {
    if !order.json {
        println!("{}", table::heading());
    }
    let mut code = ExitCode::SUCCESS;
    for &count in &order.counts {
        for &library in &order.libraries {
            let limit = measure::limit(count);
            let good = match measure_elsewhere(library, count, order.json, limit) {
                Ok(Some(good)) => good,
                Ok(None) => {
                    fail(library, count, order.json, &format!("not done after {} s", limit.as_secs()));
                    library != Library::Anonpipe
                }
                Err(error) => {
                    fail(library, count, order.json, &error.to_string());
                    false
                }
            };
            if !good {
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn fail(library: Library, count: u32, json: bool, reason: &str) {
    let print = if json { table::failed_json } else { table::failed };
    println!("{}", print(library, count, reason));
}

/// Whether the row came out well; none if it took longer than `limit`, and then its process is
/// ended.
fn measure_elsewhere(library: Library, count: u32, json: bool, limit: Duration) -> io::Result<Option<bool>> {
    let mut command = Command::new(env::current_exe()?);
    let form = if json { "json" } else { "table" };
    let mut process = command.args([MEASURE, library.name(), &count.to_string(), form]).spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status.success()));
        }
        if start.elapsed() > limit {
            // Its children end too: with the process go its ends of their standard inputs.
            process.kill()?;
            process.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Measures a row in this process, and prints it.
fn measure_row(library: Library, count: u32, json: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let measured = runtime.and_then(|runtime| {
        let measured = runtime.block_on(measure::measure(library, count));
        // It would wait for reads that may never end.
        runtime.shutdown_background();
        measured
    });
    match measured {
        Ok(measured) => {
            let print = if json { table::measured_json } else { table::measured };
            println!("{}", print(&measured));
            exit(i32::from(!measured.is_good() && library == Library::Anonpipe))
        }
        Err(error) => {
            fail(library, count, json, &error.to_string());
            exit(1)
        }
    }
}
