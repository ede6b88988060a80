//! Handles to one end that are dropped by several threads at once, explored by loom: the last one
//! cancels, and only the last one.

use std::sync::Arc;
use std::time::Instant;

use loom::thread;

use super::super::{Access, Origin};
use super::EndHandle;
use crate::channel::System;
use crate::contract::EndName;
use crate::op::Operation;
use crate::sim::explore::explore;
use crate::sim::{completion, readiness};

const ORIGIN: Origin =
    Origin { name: EndName { called: None, role: None, direction: None }, requested_capacity: None, exclusive: true };

fn handle<S: System>(channel: Arc<S::Channel>, access: Access) -> EndHandle<S> {
    EndHandle::new(Arc::into_inner(channel).expect("nothing else has it"), ORIGIN, access)
}

/// What a read has got that is over: its bytes, or `None` if it was cancelled.
fn read_by<S: System>(mut operation: Operation<Vec<u8>, S>) -> Option<Vec<u8>> {
    let (result, mut buffer) = operation.wait(Some(Instant::now())).expect("it is complete");
    match result {
        Ok(count) => {
            buffer.truncate(count);
            Some(buffer)
        }
        Err(error) => {
            assert!(crate::Error::of(&error).unwrap().is_cancelled(), "{error}");
            None
        }
    }
}

fn the_last_handle_cancels<S: System>(pipe: fn() -> (Arc<S::Channel>, Arc<S::Channel>), turn: fn()) {
    let (reader, _writer) = pipe();
    let one = handle::<S>(reader, Access::Read);
    let other = one.clone_handle();
    let pending = one.submit_read(vec![0; 4]);
    let dropping = thread::spawn(move || drop(other));
    drop(one);
    dropping.join().unwrap();
    turn();
    assert_eq!(read_by(pending), None, "no handle is left");
}

#[test]
fn the_last_of_two_handles_cancels_on_readiness() {
    explore(|| the_last_handle_cancels::<readiness::Sim>(|| readiness::pipe(8), readiness::turn));
}

#[test]
fn the_last_of_two_handles_cancels_on_completion() {
    for exclusive in [true, false] {
        let pipe = if exclusive { || completion::pipe(8, true) } else { || completion::pipe(8, false) };
        explore(move || the_last_handle_cancels::<completion::Sim>(pipe, completion::turn));
    }
}

/// Two threads drop clones, one of them after it has driven; the handle that is left reads on.
fn clones_are_dropped_amid_a_report<S: System>(pipe: fn() -> (Arc<S::Channel>, Arc<S::Channel>), turn: fn()) {
    let (reader, writer) = pipe();
    let (one, writer) = (handle::<S>(reader, Access::Read), handle::<S>(writer, Access::Write));
    let (other, third) = (one.clone_handle(), one.clone_handle());
    let pending = other.submit_read(vec![0; 4]);
    let driving = thread::spawn(move || {
        let written = writer.submit_write(b"data".to_vec());
        turn();
        drop(third);
        (writer, written)
    });
    drop(other);
    let another = one.clone_handle();
    drop(one);
    let _writer = driving.join().unwrap();
    turn();
    assert_eq!(read_by(pending).as_deref(), Some(&b"data"[..]), "a handle is left");
    drop(another);
}

#[test]
fn clones_are_dropped_amid_a_report_of_readiness() {
    explore(|| clones_are_dropped_amid_a_report::<readiness::Sim>(|| readiness::pipe(8), readiness::turn));
}

#[test]
fn clones_are_dropped_amid_a_report_of_completion() {
    for exclusive in [true, false] {
        let pipe = if exclusive { || completion::pipe(8, true) } else { || completion::pipe(8, false) };
        explore(move || clones_are_dropped_amid_a_report::<completion::Sim>(pipe, completion::turn));
    }
}

/// The last handle goes while the driver reports: the read has all its bytes, or took none.
fn the_last_handle_is_dropped_amid_a_report<S: System>(pipe: fn() -> (Arc<S::Channel>, Arc<S::Channel>), turn: fn()) {
    let (reader, writer) = pipe();
    let (one, writer) = (handle::<S>(reader, Access::Read), handle::<S>(writer, Access::Write));
    let pending = one.submit_read(vec![0; 4]);
    let driving = thread::spawn(move || {
        let written = writer.submit_write(b"data".to_vec());
        turn();
        (writer, written)
    });
    drop(one);
    let _writer = driving.join().unwrap();
    turn();
    assert!(matches!(read_by(pending).as_deref(), None | Some(b"data")));
}

#[test]
fn the_last_handle_is_dropped_amid_a_report_of_readiness() {
    explore(|| the_last_handle_is_dropped_amid_a_report::<readiness::Sim>(|| readiness::pipe(8), readiness::turn));
}

#[test]
fn the_last_handle_is_dropped_amid_a_report_of_completion() {
    for exclusive in [true, false] {
        let pipe = if exclusive { || completion::pipe(8, true) } else { || completion::pipe(8, false) };
        explore(move || the_last_handle_is_dropped_amid_a_report::<completion::Sim>(pipe, completion::turn));
    }
}
