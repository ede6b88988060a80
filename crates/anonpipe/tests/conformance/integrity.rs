//! What goes in comes out.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::thread;

use anonpipe::{End, Overlapped, Reader, Writer};

use crate::Backend;
use crate::test_data::{self, Random};
use crate::transfer_ways::Way;

const MIB: usize = 1 << 20;

/// Writes the stream's first `total` bytes in chunks of random sizes.
fn pour(mut write: impl FnMut(&[u8], &mut Random) -> usize, total: usize, seed: u64) {
    let mut random = Random::new(seed);
    let mut position = 0;
    while position < total {
        let chunk = random.chunk().min(total - position);
        let written = write(&test_data::bytes(position, chunk), &mut random);
        assert_eq!(written, chunk, "a write is whole or fails");
        position += written;
    }
}

/// Reads and checks the stream in chunks of random sizes until the end of file; returns how long it
/// was.
fn drain(mut read: impl FnMut(usize, &mut Random) -> Vec<u8>, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let mut position = 0;
    loop {
        let chunk = random.chunk();
        let found = read(chunk, &mut random);
        if found.is_empty() {
            return position;
        }
        test_data::check(position, &found);
        position += found.len();
    }
}

pub(crate) fn random_chunks_arrive_intact(backend: Backend) {
    const TOTAL: usize = 64 * MIB;
    let (reader, writer) = backend.pipe();
    thread::scope(|scope| {
        scope.spawn(move || pour(|bytes, _| (&writer).write(bytes).unwrap(), TOTAL, 11));
        let mut buffer = vec![0; 512 * 1024];
        let read = |limit: usize, _: &mut Random| {
            let (result, back) = reader.submit_read(std::mem::take(&mut buffer)).wait();
            let bytes = back[..result.unwrap()].to_vec();
            buffer = back;
            buffer.resize(limit.max(64 * 1024), 0);
            bytes
        };
        assert_eq!(drain(read, 12), TOTAL);
    });
}

pub(crate) fn every_way_of_reading_and_writing_mixed(backend: Backend) {
    const TOTAL: usize = 8 * MIB;
    let (reader, writer) = backend.small_pipe();
    thread::scope(|scope| {
        scope.spawn(move || pour(|bytes, random| Way::ALL[random.below(4)].write(&writer, bytes).unwrap(), TOTAL, 21));
        assert_eq!(drain(|limit, random| Way::ALL[random.below(4)].read(&reader, limit).unwrap(), 22), TOTAL);
    });
}

pub(crate) fn both_directions_at_once(backend: Backend) {
    const TOTAL: usize = 16 * MIB;
    let (ours, theirs) = backend.duplex();
    let halves: [(Reader<Overlapped>, Writer<Overlapped>); 2] = [ours.split(), theirs.split()];
    thread::scope(|scope| {
        let mut totals = Vec::new();
        for (index, (reader, writer)) in halves.into_iter().enumerate() {
            let seed = index as u64 * 10;
            scope.spawn(move || {
                pour(|bytes, _| (&writer).write(bytes).unwrap(), TOTAL, seed + 31);
                // The peer reads until the end of file, which a half alone does not make.
                writer
            });
            totals.push(scope.spawn(move || {
                let mut random = Random::new(seed + 32);
                let mut position = 0;
                let mut buffer = vec![0; 300_001];
                while position < TOTAL {
                    let limit = random.chunk().min(buffer.len());
                    let count = (&reader).read(&mut buffer[..limit]).unwrap();
                    assert_ne!(count, 0, "the end of file after {position} bytes");
                    test_data::check(position, &buffer[..count]);
                    position += count;
                }
                (reader, position)
            }));
        }
        for total in totals {
            assert_eq!(total.join().unwrap().1, TOTAL);
        }
    });
}

pub(crate) fn blocking_ends_carry_the_same(backend: Backend) {
    const TOTAL: usize = 4 * MIB;
    fn run(reader: impl Read + Send, writer: impl Write + Send) {
        let (mut reader, mut writer) = (reader, writer);
        thread::scope(|scope| {
            scope.spawn(move || pour(|bytes, _| writer.write_all(bytes).map(|()| bytes.len()).unwrap(), TOTAL, 41));
            let mut buffer = vec![0; 300_001];
            let read = |limit: usize, _: &mut Random| {
                let count = reader.read(&mut buffer[..limit]).unwrap();
                buffer[..count].to_vec()
            };
            assert_eq!(drain(read, 42), TOTAL);
        });
    }
    let options = || backend.options();
    let (reader, writer) = options().server(End::blocking()).client(End::blocking()).inbound().unwrap();
    run(reader, writer);
    let (writer, reader) = options().client(End::blocking()).outbound().unwrap();
    run(reader, writer);
    let (reader, writer) = options().client(End::blocking()).inbound().unwrap();
    run(reader, writer);
    let (server, client) = options().client(End::blocking()).duplex().unwrap();
    run(server, client);
}

pub(crate) fn a_capacity_of_one_byte_carries_everything(backend: Backend) {
    let (reader, writer) = backend.options().capacity(1).inbound().unwrap();
    let total = 50_000;
    thread::scope(|scope| {
        scope.spawn(move || {
            for position in (0..total).step_by(500) {
                (&writer).write_all(&test_data::bytes(position, 500)).unwrap();
            }
        });
        assert_eq!(drain(|limit, _| Way::Std.read(&reader, limit.min(700)).unwrap(), 51), total);
    });
}

/// However slow the peer is, a write goes on as soon as there is room, and ends when all went.
pub(crate) fn a_peer_that_reads_a_byte_at_a_time_gets_everything(backend: Backend) {
    const TOTAL: usize = 4500;
    let check = |what: &str, write: &(dyn Fn(&mut Writer<Overlapped>, Vec<u8>) + Sync)| {
        let (reader, mut writer) = backend.small_pipe();
        thread::scope(|scope| {
            let written = scope.spawn(move || write(&mut writer, test_data::bytes(7, TOTAL)));
            let mut all = Vec::new();
            for count in 0..TOTAL {
                let byte = Way::ALL[count % 4].read(&reader, 1).unwrap();
                assert_eq!(byte.len(), 1, "{what}: the end after {count} bytes");
                all.extend(byte);
            }
            test_data::check(7, &all);
            written.join().unwrap();
            assert_eq!(Way::Std.read(&reader, 1).unwrap(), b"", "{what}");
        });
    };
    for way in Way::ALL {
        check(&format!("{way:?}"), &|writer, bytes| assert_eq!(way.write(writer, &bytes).unwrap(), TOTAL));
    }
    #[cfg(all(feature = "tokio", feature = "futures-io"))]
    check("a task", &|writer, bytes| {
        pollster::block_on(crate::executors::Family::Futures.write_all(writer, &bytes)).unwrap();
    });
}

pub(crate) fn operations_of_several_writers_never_interleave(backend: Backend) {
    const LENGTH: usize = 20_000;
    const ROUNDS: usize = 40;
    let (reader, writer) = backend.small_pipe();
    thread::scope(|scope| {
        for letter in *b"abcd" {
            let writer = writer.try_clone().unwrap();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let way = Way::ALL[(round + usize::from(letter)) % 4];
                    assert_eq!(way.write(&writer, &[letter; LENGTH]).unwrap(), LENGTH);
                }
            });
        }
        drop(writer);
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 4 * ROUNDS * LENGTH);
        for (index, piece) in all.chunks(LENGTH).enumerate() {
            assert!(piece.iter().all(|byte| *byte == piece[0]), "write {index} is mixed with another");
        }
    });
}

pub(crate) fn vectored_io_keeps_the_order(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let pieces = [&b"one "[..], b"", b"two ", b"three "];
    let slices = pieces.map(IoSlice::new);
    let mut written = (&writer).write_vectored(&slices).unwrap();
    // A system without vectored I/O on pipes may take the first slice only, as the trait allows.
    let whole: Vec<u8> = pieces.concat();
    while written < whole.len() {
        written += (&writer).write(&whole[written..]).unwrap();
    }
    drop(writer);
    let (mut first, mut second) = ([0; 6], [0; 100]);
    let mut found = Vec::new();
    loop {
        let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        match (&reader).read_vectored(&mut slices).unwrap() {
            0 => break,
            count => {
                found.extend_from_slice(&first[..count.min(6)]);
                found.extend_from_slice(&second[..count.saturating_sub(6)]);
            }
        }
    }
    assert_eq!(found, whole);
}

pub(crate) fn bytes_available_counts(backend: Backend) {
    let (reader, writer) = backend.pipe();
    assert_eq!(reader.bytes_available().unwrap(), 0);
    (&writer).write_all(&[1; 300]).unwrap();
    (&writer).write_all(&[1; 200]).unwrap();
    assert_eq!(reader.bytes_available().unwrap(), 500);
    Way::Submit.read(&reader, 120).unwrap();
    assert_eq!(reader.bytes_available().unwrap(), 380);
    drop(writer);
    assert_eq!(reader.bytes_available().unwrap(), 380);
    Way::Std.read(&reader, 1000).unwrap();
    assert_eq!(reader.bytes_available().unwrap(), 0);

    let (ours, theirs) = backend.options().client(End::blocking()).duplex().unwrap();
    (&ours).write_all(b"12345").unwrap();
    assert_eq!(theirs.bytes_available().unwrap(), 5);
    assert_eq!(ours.bytes_available().unwrap(), 0);
}
