//! Children, while tasks use our ends. Each rule has a process of its own.

use std::io::{ErrorKind, Read, Write};

use anonpipe::End;

use crate::Backend;
use crate::child_programs::copier;
use crate::children::modes_while;
use crate::executors::{Executor, Family, multi_thread};
use crate::harness::MOMENT;
use crate::manual_polls::WokenFlag;
use crate::system::Handle;
#[cfg(unix)]
use crate::system::make_blocking;

/// See [`a_childs_handles_wait_whatever_ours_do`][1]: while tasks use ours, in tokio's reactor.
///
/// [1]: crate::children::a_childs_handles_wait_whatever_ours_do
pub(crate) fn a_childs_handles_wait_while_tasks_use_ours(backend: Backend) {
    let runtime = multi_thread();
    for family in Family::BOTH {
        let (mut stdin, childs_stdin) = backend.options().client(End::blocking()).outbound().unwrap();
        let (mut stdout, childs_stdout) = backend.options().client(End::blocking()).inbound().unwrap();
        let ours = (stdin.try_clone().unwrap(), stdout.try_clone().unwrap());
        modes_while((childs_stdin, childs_stdout), ours, || {
            runtime.block_on(async {
                let mut buffer = [0; 8];
                let read = family.read(&mut stdout, &mut buffer);
                assert!(tokio::time::timeout(MOMENT, read).await.is_err(), "the child has not said anything");
                family.write_all(&mut stdin, b"").await.unwrap();
                family.flush(&mut stdin).await.unwrap();
                family.close(&mut stdin).await.unwrap();
            });
        });
    }
}

/// A child that takes a pipe over gets all that was not read yet: nothing of it was read ahead
/// (nodejs/node#9413).
pub(crate) fn a_child_gets_what_tasks_have_left(backend: Backend) {
    for (step, waits) in [false, true, false, true].into_iter().enumerate() {
        let family = Family::BOTH[step / 2];
        let (mut reader, writer) = backend.pipe();
        (&writer).write_all(if waits { b"ours\n" } else { b"ours\nthe child's" }).unwrap();
        let mut line = [0; 5];
        assert_eq!(Executor::ALL[step].run(family.read(&mut reader, &mut line)).unwrap(), 5);
        if waits {
            // A task waits for more, and gives up.
            WokenFlag::new().pend(|context| family.poll_read(&mut reader, context, &mut line));
            (&writer).write_all(b"the child's").unwrap();
        }
        (&writer).write_all(b", to the end").unwrap();
        drop(writer);
        let handle = match Handle::try_from(reader) {
            Ok(handle) => handle,
            Err(failed) => {
                // It is bound to our port: the child does not get it, and nothing is lost.
                assert!(cfg!(windows) && failed.error().kind() == ErrorKind::Unsupported, "{failed}");
                let mut rest = String::new();
                failed.into_inner().read_to_string(&mut rest).unwrap();
                assert_eq!(rest, "the child's, to the end");
                continue;
            }
        };
        let Some(mut command) = copier() else { return };
        let (stdout, childs_stdout) = backend.options().client(End::blocking()).inbound().unwrap();
        #[cfg(unix)]
        make_blocking(&handle);
        let child = command.stdin(handle).stdout(childs_stdout).spawn();
        drop(command);
        let mut rest = String::new();
        (&stdout).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "the child's, to the end");
        assert!(child.unwrap().wait().unwrap().success());
    }
}
