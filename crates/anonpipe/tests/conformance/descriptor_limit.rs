//! A process that has no descriptors left. Each rule has a process of its own.

use std::io::{Read, Write};
use std::time::Duration;

use anonpipe::End;

use crate::Backend;
use crate::harness::MOMENT;
use crate::steps::{self, Needs, Refusing};
use crate::system::{NoMoreDescriptors, handles, in_a_fork};
use crate::transfer_ways::{LONG, Way};

pub(crate) fn failing_half_way_leaks_nothing(backend: Backend) {
    let before = handles();
    for spare in 0..4 {
        let limit = NoMoreDescriptors::but(spare);
        for _ in 0..3 {
            let pairs = (backend.options().inbound(), backend.options().duplex());
            let made = usize::from(pairs.0.is_ok()) + usize::from(pairs.1.is_ok());
            assert_eq!(made, spare / 2, "{spare} descriptors were left");
            let blocking = backend.options().client(End::blocking().inheritable(true)).outbound();
            assert!(blocking.is_err() || spare >= 2);
            if let Err(error) = blocking {
                assert!(error.to_string().contains("create a pipe"), "{error}");
                let code = anonpipe::Error::of(&error).and_then(anonpipe::Error::raw_os_error);
                assert_eq!(code, Some(libc::EMFILE), "{error:?}");
            }
        }
        drop(limit);
        assert_eq!(handles(), before, "{spare} descriptors were left");
    }
}

/// There are none, then one, then two, and so on, until it works; in a process each, because each
/// needs a driver that was not made before.
pub(crate) fn every_step_without_descriptors_fails_and_recovers(backend: Backend) {
    struct But(usize, Option<NoMoreDescriptors>);
    impl Refusing for But {
        fn begin(&mut self) {
            self.1 = Some(NoMoreDescriptors::but(self.0));
        }

        fn end(&mut self) -> Option<i32> {
            self.1 = None;
            Some(libc::EMFILE)
        }
    }
    for action in steps::all() {
        let left = action.usually_left(backend);
        let mut spare = 0;
        while in_a_fork(&format!("{} with {spare} descriptors left", action.name), || {
            u8::from(action.try_with(backend, &mut But(spare, None), left).failed)
        }) != 0
        {
            spare += 1;
        }
        let needs = matches!(action.needs, Needs::Descriptors | Needs::Driver);
        assert_eq!(spare > 0, needs, "{}: {spare} descriptors are enough", action.name);
    }
}

/// Without descriptors for the driver or for waiting, operations fail with their buffers; later
/// they work.
pub(crate) fn operations_without_descriptors_fail_and_recover(backend: Backend) {
    let (reader, writer) = backend.pipe();
    let limit = NoMoreDescriptors::but(0);
    let (result, buffer) = reader.submit_read(vec![9; 10]).wait();
    assert!(result.is_err(), "a driver made of nothing");
    assert_eq!(buffer, [9; 10]);
    assert!(reader.read_timeout(&mut [0; 4], MOMENT).is_err());
    // A call that need not wait needs no descriptor.
    assert_eq!((&writer).write(b"abc").unwrap(), 3);
    assert_eq!((&reader).read(&mut [0; 2]).unwrap(), 2);
    drop(limit);
    assert_eq!(reader.submit_read(vec![0; 10]).wait().0.unwrap(), 1);
    let mut op = reader.submit_read(vec![0; 10]);
    assert!(op.wait_timeout(Duration::from_millis(1)).is_none());
    (&writer).write_all(b"again").unwrap();
    assert_eq!(op.wait_timeout(LONG).expect("driven").0.unwrap(), 5);
}

/// The error says how much went before a descriptor was needed to wait with.
pub(crate) fn a_write_without_descriptors_says_what_went(backend: Backend) {
    for way in [Way::Submit, Way::Std] {
        let (reader, writer) = backend.options().capacity(4096).inbound().unwrap();
        let limit = NoMoreDescriptors::but(0);
        let error = way.write(&writer, &[1; 10_000]).unwrap_err();
        drop(limit);
        let went = anonpipe::Error::of(&error).unwrap().transferred();
        assert_eq!(went, Some(reader.bytes_available().unwrap()), "{way:?}: {error}");
    }
}
