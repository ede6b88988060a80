//! Compares times and throughput with the peers', and prints a row for each comparison.
//! `benches/README.md` says what they are.

use std::io;

use anonpipe_benches::rounds::{Goal, Rounds};

mod compare;

/// What is compared, and how.
type Comparison = (&'static str, Goal, fn(&Rounds, &str, Goal) -> io::Result<()>);

#[cfg(unix)]
const COMPARISONS: &[Comparison] = &[
    ("1 byte, tokio, one thread / tokio's pipe", Goal::AtMost(1.05), compare::tokio_one_thread),
    ("1 byte, tokio, two threads / tokio's pipe", Goal::AtMost(1.05), compare::tokio_two_threads),
    ("1 byte, the process's driver, one thread / async-io", Goal::AtMost(0.5), compare::unix::driver_one_thread),
    ("1 byte, the process's driver, two threads / async-io", Goal::AtMost(0.5), compare::unix::driver_two_threads),
    ("1 byte, the process's driver, one thread / async-io's block_on", Goal::None, compare::unix::driver_against_best),
    ("1 byte, the caller's driver, one thread / tokio's pipe", Goal::AtMost(0.8), compare::polled_one_thread),
    ("1 byte, the caller's drivers, two threads / tokio's pipe", Goal::None, compare::polled_two_threads),
    ("1 byte, blocking, two threads / std's pipe", Goal::None, compare::blocking),
    ("1 byte, Op::wait, two threads / std's pipe", Goal::None, compare::op_wait),
    ("1 byte, tokio, child / tokio::process", Goal::None, compare::child),
    ("64 KiB, tokio, child / tokio::process", Goal::None, compare::child_bulk),
    ("64 KiB, tokio, one thread / tokio's pipe", Goal::None, compare::tokio_bulk::<65536>),
    ("1 MiB, tokio, one thread / tokio's pipe", Goal::None, compare::tokio_bulk::<1_048_576>),
    ("64 KiB, the process's driver, one thread / async-io", Goal::None, compare::unix::driver_bulk),
    ("64 KiB, blocking, two threads / std's pipe", Goal::None, compare::blocking_bulk),
];

#[cfg(windows)]
const COMPARISONS: &[Comparison] = &[
    ("1 byte, tokio, one thread / tokio's named pipe", Goal::AtMost(1.05), compare::tokio_one_thread),
    ("1 byte, tokio, two threads / tokio's named pipe", Goal::AtMost(1.05), compare::tokio_two_threads),
    ("1 byte, tokio, child / tokio's named pipe", Goal::AtMost(1.4), compare::windows::child_on_named_pipe),
    ("1 MiB, tokio, one thread / tokio's named pipe", Goal::AtLeast(1.6), compare::tokio_bulk::<1_048_576>),
    ("1 byte, tokio, child / tokio::process", Goal::AtMost(1.25), compare::child),
    ("64 KiB, tokio, child / tokio::process", Goal::AtLeast(1.15), compare::child_bulk),
    ("1 byte, the process's driver, one thread / tokio's named pipe", Goal::None, compare::windows::driver_one_thread),
    ("1 byte, the caller's driver, one thread / tokio's named pipe", Goal::None, compare::polled_one_thread),
    ("1 byte, the caller's drivers, two threads / tokio's named pipe", Goal::None, compare::polled_two_threads),
    ("1 byte, blocking, two threads / std's pipe", Goal::None, compare::blocking),
    ("1 byte, Op::wait, two threads / std's pipe", Goal::None, compare::op_wait),
    ("64 KiB, tokio, one thread / tokio's named pipe", Goal::None, compare::tokio_bulk::<65536>),
    ("64 KiB, blocking, two threads / std's pipe", Goal::None, compare::blocking_bulk),
];

fn main() -> io::Result<()> {
    let rounds = Rounds::from_arguments();
    for (label, goal, comparison) in COMPARISONS {
        if rounds.wants(label) {
            comparison(&rounds, label, *goal)?;
        }
    }
    Ok(())
}
