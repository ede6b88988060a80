//! Writes of tasks: their order, how much is accepted, and closing.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use crate::Backend;
use crate::executors::{Executor, Family};
#[cfg(windows)]
use crate::harness::MOMENT;
use crate::manual_polls::poll_until_pending;
use crate::test_data;
use crate::transfer_ways::kind;

pub(crate) fn writes_wait_their_turn(backend: Backend) {
    for family in Family::BOTH {
        let (reader, mut writer) = backend.small_pipe();
        let submitted = writer.submit_write(test_data::bytes(0, 200_000));
        let sender = thread::spawn(move || {
            Executor::Futures.run(async {
                family.write_all(&mut writer, &test_data::bytes(200_000, 100_000)).await.unwrap();
                family.flush(&mut writer).await.unwrap();
            });
            writer
        });
        let mut all = Vec::new();
        while all.len() < 300_000 {
            let mut buffer = [0; 10_000];
            let count = (&reader).read(&mut buffer).unwrap();
            all.extend_from_slice(&buffer[..count]);
        }
        test_data::check(0, &all);
        assert_eq!(submitted.wait().0.unwrap(), 200_000);
        drop(sender.join().unwrap());
        assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 0);
    }
}

pub(crate) fn writes_wait_behind_a_large_write(backend: Backend) {
    const LARGE: usize = 3_000_000;
    for family in Family::BOTH {
        let (reader, mut writer) = backend.pipe();
        let submitted = writer.submit_write(test_data::bytes(0, LARGE));
        let sender = thread::spawn(move || {
            Executor::Futures.run(async {
                family.write_all(&mut writer, &test_data::bytes(LARGE, LARGE)).await.unwrap();
                family.flush(&mut writer).await.unwrap();
            });
        });
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 2 * LARGE);
        test_data::check(0, &all);
        assert_eq!(submitted.wait().0.unwrap(), LARGE);
        sender.join().unwrap();
    }
}

pub(crate) fn what_is_accepted_is_bounded(backend: Backend) {
    for family in Family::BOTH {
        let (reader, mut writer) = backend.pipe();
        let chunk = vec![5; 100_000];
        let mut accepted = 0;
        loop {
            let mut write = pin!(family.write(&mut writer, &chunk));
            match poll_until_pending(write.as_mut(), &Arc::default()) {
                Poll::Ready(count) => accepted += count.unwrap(),
                Poll::Pending => break,
            }
            assert!(accepted < 2_000_000, "accepted {accepted} bytes that nobody reads");
        }
        // All of it arrives, and nothing of the write that was dropped.
        drop(writer);
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), accepted);
    }
}

pub(crate) fn vectored_writes_go_together(backend: Backend) {
    let (mut reader, mut writer) = backend.pipe();
    let slices = [IoSlice::new(b""), IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
    let count = pollster::block_on(tokio::io::AsyncWriteExt::write_vectored(&mut writer, &slices)).unwrap();
    assert_eq!(count, 13);
    let count = pollster::block_on(futures::AsyncWriteExt::write_vectored(&mut writer, &slices)).unwrap();
    assert_eq!(count, 13);
    assert!(tokio::io::AsyncWrite::is_write_vectored(&writer));
    let mut text = [0; 26];
    reader.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"one two threeone two three");
}

pub(crate) fn late_writes_are_broken_pipes(backend: Backend) {
    for executor in Executor::ALL {
        for family in Family::BOTH {
            let (reader, mut writer) = backend.pipe();
            drop(reader);
            for _ in 0..3 {
                assert_eq!(kind(executor.run(family.write(&mut writer, b"late"))), ErrorKind::BrokenPipe);
            }
            executor.run(family.close(&mut writer)).unwrap();
        }
    }
}

pub(crate) fn closing_a_writer_is_the_end_of_file(backend: Backend) {
    for family in Family::BOTH {
        let (mut reader, mut writer) = backend.pipe();
        let mut clone = writer.try_clone().unwrap();
        pollster::block_on(async {
            family.write_all(&mut writer, b"last words").await.unwrap();
            family.close(&mut writer).await.unwrap();
            family.close(&mut writer).await.unwrap();
            assert_eq!(kind(family.write(&mut writer, b"more").await), ErrorKind::BrokenPipe);
            family.flush(&mut writer).await.unwrap();
        });
        let (refused, buffer) = writer.submit_write(b"more".to_vec()).wait();
        assert_eq!((kind(refused), buffer), (ErrorKind::BrokenPipe, b"more".to_vec()), "the buffer comes back");
        let mut ten = [0; 10];
        reader.read_exact(&mut ten).unwrap();
        assert_eq!(&ten, b"last words");
        // The clone is a handle of its own.
        (&clone).write_all(b"!").unwrap();
        assert_eq!(reader.read(&mut ten).unwrap(), 1);
        pollster::block_on(family.close(&mut clone)).unwrap();
        assert_eq!(reader.read(&mut ten).unwrap(), 0);
        // What is closed says so, and can still be asked for a handle, which is no pipe any more.
        let text = (&writer).write(b"x").unwrap_err().to_string();
        assert!(text.contains("it was closed here"), "{text}");
        assert_eq!(kind((&writer.try_clone().unwrap()).write(b"x")), ErrorKind::BrokenPipe);
        let refused = crate::system::Handle::try_from(writer).unwrap_err();
        assert_eq!(kind((&refused.into_inner()).write(b"x")), ErrorKind::BrokenPipe);
    }
}

pub(crate) fn closing_a_duplex_end_as_the_system_can(backend: Backend) {
    for split in [false, true] {
        let (ours, theirs) = backend.duplex();
        let (mut ours_reads, ours_whole) = if split {
            let (reader, mut writer) = ours.split();
            pollster::block_on(async {
                Family::Futures.write_all(&mut writer, b"question").await.unwrap();
                Family::Futures.close(&mut writer).await.unwrap();
                assert_eq!(kind(Family::Futures.write(&mut writer, b"x").await), ErrorKind::BrokenPipe);
            });
            let (refused, (reader, _)) = anonpipe::Duplex::unsplit(reader, writer).unwrap_err().into_parts();
            assert!(refused.to_string().contains("the writer was closed"), "{refused}");
            (Some(reader), None)
        } else {
            let mut ours = ours;
            pollster::block_on(async {
                Family::Tokio.write_all(&mut ours, b"question").await.unwrap();
                Family::Tokio.close(&mut ours).await.unwrap();
                assert_eq!(kind(Family::Tokio.write(&mut ours, b"x").await), ErrorKind::BrokenPipe);
            });
            (None, Some(ours))
        };
        let mut buffer = [0; 8];
        (&theirs).read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"question");
        #[cfg(unix)]
        assert_eq!((&theirs).read(&mut buffer).unwrap(), 0, "half-closed");
        #[cfg(windows)]
        assert_eq!(kind(theirs.read_timeout(&mut buffer, MOMENT)), ErrorKind::TimedOut, "there is no half-close");
        (&theirs).write_all(b"answer").unwrap();
        drop(theirs);
        let mut text = String::new();
        match (&mut ours_reads, ours_whole) {
            (Some(reader), _) => reader.read_to_string(&mut text).unwrap(),
            (None, Some(mut ours)) => ours.read_to_string(&mut text).unwrap(),
            (None, None) => unreachable!(),
        };
        assert_eq!(text, "answer");
    }
}

/// It still reads.
pub(crate) fn the_halves_of_a_closed_duplex_end_keep_its_pipe(backend: Backend) {
    let closed = || {
        let (mut ours, theirs) = backend.duplex();
        pollster::block_on(Family::Futures.close(&mut ours)).unwrap();
        (ours.split(), theirs)
    };
    let driver = anonpipe::Driver::new().unwrap();
    let ((reader, _writer), theirs) = closed();
    reader.attach(&driver).unwrap();
    (&theirs).write_all(b"answer").unwrap();
    assert_eq!(reader.submit_read(vec![0; 10]).wait().0.unwrap(), 6);
    // Whichever half is the last.
    let ((reader, writer), theirs) = closed();
    drop(reader);
    crate::system::Handle::try_from(writer).unwrap();
    drop(theirs);
}

pub(crate) fn halves_keep_what_was_accepted(backend: Backend) {
    let (mut ours, theirs) = backend.options().capacity(4096).duplex().unwrap();
    let mut accepted = pollster::block_on(Family::Tokio.write(&mut ours, &test_data::bytes(0, 100_000))).unwrap();
    let (reader, mut writer) = ours.split();
    let drain = thread::spawn(move || {
        let mut all = Vec::new();
        (&theirs).read_to_end(&mut all).unwrap();
        all
    });
    pollster::block_on(async {
        accepted += Family::Futures.write(&mut writer, &test_data::bytes(accepted, 1000)).await.unwrap();
        let mut ours = anonpipe::Duplex::unsplit(reader, writer).unwrap();
        accepted += Family::Tokio.write(&mut ours, &test_data::bytes(accepted, 1000)).await.unwrap();
        Family::Tokio.flush(&mut ours).await.unwrap();
    });
    let all = drain.join().unwrap();
    assert_eq!(all.len(), accepted);
    test_data::check(0, &all);
}

/// Either the conversion or the flush reports its failure, whichever comes first.
pub(crate) fn a_conversion_racing_with_a_failure_loses_nothing(backend: Backend) {
    for round in 0..200 {
        let (reader, mut writer) = backend.options().capacity(1).inbound().unwrap();
        let accepted = pollster::block_on(Family::Tokio.write(&mut writer, &[7; 100_000])).unwrap();
        let peer = thread::spawn(move || drop(reader));
        let told = loop {
            match crate::system::Handle::try_from(writer) {
                Ok(_) => break accepted < 100_000,
                Err(refused) => {
                    let busy = refused.error().kind() == ErrorKind::ResourceBusy;
                    let broken = refused.error().kind() == ErrorKind::BrokenPipe;
                    writer = refused.into_inner();
                    if broken {
                        break true;
                    }
                    if !busy {
                        // It is bound to our port, so it is still ours to ask.
                        break pollster::block_on(Family::Tokio.flush(&mut writer)).is_err();
                    }
                }
            }
        };
        peer.join().unwrap();
        assert!(told || cfg!(unix), "round {round}: the failure was lost");
    }
}
