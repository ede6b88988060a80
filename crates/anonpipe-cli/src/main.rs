//! The command `anonpipe`: runs a command with its standard streams on overlapped anonymous pipes.
#![deny(unsafe_code)]

mod args;
mod bell;
mod copies;
mod event;
mod feed;
mod output;
mod pump;
mod session;
mod spawn;
mod status;
mod sys;

use clap::Parser;

use args::{Cli, Subcommand};
use session::Session;
use status::Fatal;

fn main() {
    let Subcommand::Run(run) = Cli::parse().subcommand;
    let status = Session::start(&run).and_then(Session::run).unwrap_or_else(|fatal: Fatal| {
        status::complain(&fatal.message);
        fatal.status
    });
    // Not a return: a helper may be blocked in a read or write of our own streams for good.
    std::process::exit(status);
}
