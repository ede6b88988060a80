//! Which pairs there are.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};

use anonpipe::{Blocking, Direction, Duplex, End, Info, IoMode, Mode, Overlapped, PipeOptions, Reader, Role, Writer};

use crate::Backend;
use crate::system::{Handle, HasHandle, WRONG_DIRECTION};
use crate::transfer_ways::kind;

/// A mode, and how one asks for it.
trait Choice: Mode {
    const KIND: IoMode;
    fn end() -> End<Self>
    where
        Self: Sized;
}

impl Choice for Overlapped {
    const KIND: IoMode = IoMode::Overlapped;
    fn end() -> End<Self> {
        End::overlapped()
    }
}

impl Choice for Blocking {
    const KIND: IoMode = IoMode::Blocking;
    fn end() -> End<Self> {
        End::blocking()
    }
}

/// What is asked for, besides direction and modes.
#[derive(Debug, Clone, Copy)]
struct Wish {
    server_inheritable: bool,
    client_inheritable: bool,
    capacity: Option<usize>,
}

fn wishes() -> impl Iterator<Item = Wish> {
    [None, Some(1), Some(4096), Some(1 << 20)].into_iter().flat_map(|capacity| {
        [(false, false), (false, true), (true, false), (true, true)].into_iter().map(
            move |(server_inheritable, client_inheritable)| Wish { server_inheritable, client_inheritable, capacity },
        )
    })
}

fn options<S: Choice, C: Choice>(backend: Backend, wish: Wish) -> PipeOptions<S, C> {
    let options = backend
        .options()
        .server(S::end().inheritable(wish.server_inheritable))
        .client(C::end().inheritable(wish.client_inheritable));
    match wish.capacity {
        None => options,
        Some(bytes) => options.capacity(bytes),
    }
}

/// Checks what one end and the system say of it.
#[track_caller]
fn check(end: &impl HasHandle, info: &Info, mode: IoMode, role: Role, direction: Direction, wish: Wish) {
    let what = format!("{mode:?} {role:?} {direction:?} {wish:?}: {info:?}");
    let inheritable = if role == Role::Server { wish.server_inheritable } else { wish.client_inheritable };
    assert_eq!((info.mode, info.role, info.direction), (mode, Some(role), Some(direction)), "{what}");
    assert_eq!(info.inheritable, inheritable, "{what}");
    assert_eq!(end.is_inherited(), inheritable, "the system says otherwise: {what}");
    assert_eq!(end.is_overlapped(), mode == IoMode::Overlapped, "the system says otherwise: {what}");
    assert_eq!(info.requested_capacity, wish.capacity, "{what}");
    if cfg!(windows) {
        assert_eq!(info.capacity, Some(wish.capacity.unwrap_or(65_536)), "{what}");
    } else if cfg!(target_os = "linux") && direction != Direction::Duplex {
        assert!(info.capacity >= Some(wish.capacity.unwrap_or(65_536)), "{what}");
    }
}

/// One byte, which fits into every capacity.
#[track_caller]
fn carries(mut from: impl Write, mut to: impl Read) {
    assert_eq!(from.write(b"x").unwrap(), 1);
    let mut byte = [0; 8];
    assert_eq!(to.read(&mut byte).unwrap(), 1);
    assert_eq!(byte[0], b'x');
}

fn inbound<S: Choice, C: Choice>(backend: Backend) {
    for wish in wishes() {
        let (reader, writer): (Reader<S>, Writer<C>) = options(backend, wish).inbound().expect("an inbound pair");
        check(&reader, &reader.info().unwrap(), S::KIND, Role::Server, Direction::Inbound, wish);
        check(&writer, &writer.info().unwrap(), C::KIND, Role::Client, Direction::Inbound, wish);
        carries(&writer, &reader);
    }
}

fn outbound<S: Choice, C: Choice>(backend: Backend) {
    for wish in wishes() {
        let (writer, reader): (Writer<S>, Reader<C>) = options(backend, wish).outbound().expect("an outbound pair");
        check(&writer, &writer.info().unwrap(), S::KIND, Role::Server, Direction::Outbound, wish);
        check(&reader, &reader.info().unwrap(), C::KIND, Role::Client, Direction::Outbound, wish);
        carries(&writer, &reader);
    }
}

fn duplex<S: Choice, C: Choice>(backend: Backend) {
    for wish in wishes() {
        let (mut server, mut client): (Duplex<S>, Duplex<C>) = options(backend, wish).duplex().expect("a duplex pair");
        check(&server, &server.info().unwrap(), S::KIND, Role::Server, Direction::Duplex, wish);
        check(&client, &client.info().unwrap(), C::KIND, Role::Client, Direction::Duplex, wish);
        carries(&mut server, &mut client);
        carries(&mut client, &mut server);
    }
}

pub(crate) fn every_inbound_pair(backend: Backend) {
    inbound::<Overlapped, Overlapped>(backend);
    inbound::<Overlapped, Blocking>(backend);
    inbound::<Blocking, Overlapped>(backend);
    inbound::<Blocking, Blocking>(backend);
}

pub(crate) fn every_outbound_pair(backend: Backend) {
    outbound::<Overlapped, Overlapped>(backend);
    outbound::<Overlapped, Blocking>(backend);
    outbound::<Blocking, Overlapped>(backend);
    outbound::<Blocking, Blocking>(backend);
}

pub(crate) fn every_duplex_pair(backend: Backend) {
    duplex::<Overlapped, Overlapped>(backend);
    duplex::<Overlapped, Blocking>(backend);
    duplex::<Blocking, Overlapped>(backend);
    duplex::<Blocking, Blocking>(backend);
}

pub(crate) fn default_pairs_are_overlapped_and_private(_: Backend) {
    let wish = Wish { server_inheritable: false, client_inheritable: false, capacity: None };
    let (reader, writer) = anonpipe::pipe().unwrap();
    check(&reader, &reader.info().unwrap(), IoMode::Overlapped, Role::Server, Direction::Inbound, wish);
    check(&writer, &writer.info().unwrap(), IoMode::Overlapped, Role::Client, Direction::Inbound, wish);
    let (ours, theirs) = anonpipe::duplex().unwrap();
    check(&ours, &ours.info().unwrap(), IoMode::Overlapped, Role::Server, Direction::Duplex, wish);
    check(&theirs, &theirs.info().unwrap(), IoMode::Overlapped, Role::Client, Direction::Duplex, wish);
    assert_eq!(reader.info().unwrap().name, None, "what the system can make without a name has none");
}

pub(crate) fn a_capacity_of_zero_is_refused(backend: Backend) {
    assert_eq!(kind(backend.options().capacity(0).inbound()), ErrorKind::InvalidInput);
    assert_eq!(kind(backend.options().capacity(0).outbound()), ErrorKind::InvalidInput);
    let error = backend.options().capacity(0).duplex().unwrap_err();
    assert!(error.to_string().contains("capacity of 0"), "{error}");
}

pub(crate) fn a_capacity_beyond_the_system_is_refused(backend: Backend) {
    let limit = if cfg!(windows) { u32::MAX as usize } else { i32::MAX as usize };
    let beyond = [limit.checked_add(1), (limit < usize::MAX).then_some(usize::MAX)];
    for bytes in beyond.into_iter().flatten() {
        let error = backend.options().capacity(bytes).duplex().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let message = error.to_string();
        assert!(message.contains(&bytes.to_string()) && message.contains(&limit.to_string()), "{message}");
    }
}

/// Past the library, which has no method for it: the handle itself refuses.
pub(crate) fn wrong_direction_is_refused_by_the_system(backend: Backend) {
    fn refuses_to_write(handle: Handle) {
        let error = File::from(handle).write(b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(WRONG_DIRECTION), "a reading end was written: {error}");
    }
    fn refuses_to_read(handle: Handle) {
        let error = File::from(handle).read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(WRONG_DIRECTION), "a writing end was read: {error}");
    }
    let blocking = || backend.options().server(End::blocking()).client(End::blocking());
    let (server, client) = blocking().inbound().unwrap();
    refuses_to_write(server.into());
    refuses_to_read(client.into());
    let (server, client) = blocking().outbound().unwrap();
    refuses_to_read(server.into());
    refuses_to_write(client.into());
    let (server, client) = backend.options().inbound().unwrap();
    refuses_to_write(server.try_into().unwrap());
    refuses_to_read(client.try_into().unwrap());
}

pub(crate) fn a_name_only_where_asked_for(backend: Backend) {
    let mut names = Vec::new();
    for _ in 0..3 {
        let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
        let (name, same) = (ours.info().unwrap().name, theirs.info().unwrap().name);
        assert_eq!(name, same);
        assert_eq!(name.is_some(), backend.is_named(), "{name:?}");
        names.extend(name);
    }
    names.dedup();
    assert_eq!(names.len(), if backend.is_named() { 3 } else { 0 }, "names that cannot be guessed: {names:?}");
    assert!(names.iter().all(|name| name.len() >= 32), "128 random bits do not fit: {names:?}");
}

pub(crate) fn debug_says_what_it_is(backend: Backend) {
    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    let op = ours.submit_read(vec![0; 9]);
    let (ours, theirs, op) = (format!("{ours:?}"), format!("{theirs:?}"), format!("{op:?}"));
    assert!(ours.contains("Duplex") && ours.contains("Overlapped") && ours.contains("server"), "{ours}");
    assert!(theirs.contains("Blocking") && theirs.contains("client"), "{theirs}");
    assert!(op.contains("pending") && op.contains('9'), "{op}");
}
