//! A shortage of non-paged pool, played at the place where the system would answer so. Everything
//! above is the real thing: pieces, port, events, and what the peer reads.

use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::ERROR_NO_SYSTEM_RESOURCES;

use crate::contract::Half;

/// Which writes fail for want of memory.
pub(super) struct Shortage {
    /// Those of more bytes than this.
    above: AtomicUsize,
    /// How many were refused.
    refused: AtomicUsize,
}

impl Default for Shortage {
    fn default() -> Self {
        Self { above: AtomicUsize::new(usize::MAX), refused: AtomicUsize::new(0) }
    }
}

impl Shortage {
    /// The system's code for a write of this length, if it is refused.
    pub(super) fn code_for(&self, half: Half, length: usize) -> Option<u32> {
        if half == Half::Read || length <= self.above.load(Ordering::SeqCst) {
            return None;
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        Some(ERROR_NO_SYSTEM_RESOURCES)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::sync::atomic::Ordering;
    use std::thread;

    use windows_sys::Win32::Foundation::ERROR_NO_SYSTEM_RESOURCES;

    use super::Shortage;
    use crate::sys::windows::{MAX_PIECE, MIN_PIECE};
    use crate::{Overlapped, Reader, Writer, pipe};

    fn shortage(writer: &Writer<Overlapped>) -> &Shortage {
        &writer.end.0.channel().issuer().shortage
    }

    /// Pairs whose writers are bound to the port, and adopted, so that their operations go through
    /// events.
    fn pairs() -> [(Reader<Overlapped>, Writer<Overlapped>); 2] {
        let (reader, writer) = pipe().unwrap();
        let handle = std::os::windows::io::OwnedHandle::try_from(writer).unwrap();
        [pipe().unwrap(), (reader, Writer::try_from(handle).unwrap())]
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|number| (number % 251).to_le_bytes()[0]).collect()
    }

    fn code(error: &std::io::Error) -> Option<u32> {
        crate::Error::of(error).unwrap().raw_os_error().map(i32::cast_unsigned)
    }

    #[test]
    fn a_write_that_the_pool_has_no_room_for_goes_in_smaller_pieces() {
        let length = MAX_PIECE + 3;
        for (reader, writer) in pairs() {
            for most in [MIN_PIECE, MAX_PIECE / 2] {
                shortage(&writer).above.store(most, Ordering::SeqCst);
                thread::scope(|scope| {
                    let submitted = writer.submit_write(bytes(length));
                    let blocked = scope.spawn(|| (&writer).write(&bytes(length)).unwrap());
                    let mut all = vec![0; 2 * length];
                    (&reader).read_exact(&mut all).unwrap();
                    assert!(all == [bytes(length), bytes(length)].concat(), "what came is not what went");
                    assert_eq!(blocked.join().unwrap(), length);
                    let (result, buffer) = submitted.wait();
                    assert_eq!((result.unwrap(), buffer.len()), (length, length));
                });
                assert!(shortage(&writer).refused.swap(0, Ordering::SeqCst) > 0, "nothing was refused");
            }
        }
    }

    #[test]
    fn a_write_that_the_pool_has_no_room_for_at_all_fails() {
        for (reader, writer) in pairs() {
            shortage(&writer).above.store(MIN_PIECE - 1, Ordering::SeqCst);
            let submitted = writer.submit_write(bytes(MAX_PIECE + 3)).wait().0.unwrap_err();
            let blocked = (&writer).write(&bytes(MAX_PIECE)).unwrap_err();
            for error in [submitted, blocked] {
                assert_eq!(code(&error), Some(ERROR_NO_SYSTEM_RESOURCES), "{error}");
                assert_eq!(crate::Error::of(&error).unwrap().transferred(), Some(0));
            }
            assert_eq!(reader.bytes_available().unwrap(), 0);
            assert_eq!(writer.submit_write("short").wait().0.unwrap(), 5);
            assert_eq!(reader.submit_read(vec![0; 9]).wait().0.unwrap(), 5);
        }
    }

    /// While something is in flight, a write waits for the memory that it has.
    #[test]
    fn a_write_waits_for_what_is_in_flight() {
        for (reader, writer) in pairs() {
            let large = writer.submit_write(bytes(200_000));
            // Its event or packet tells when it is with the system.
            while reader.bytes_available().unwrap() == 0 {
                thread::yield_now();
            }
            shortage(&writer).above.store(0, Ordering::SeqCst);
            let waits = writer.submit_write("waits");
            while shortage(&writer).refused.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            assert!(!waits.is_complete());
            shortage(&writer).above.store(usize::MAX, Ordering::SeqCst);
            let mut all = vec![0; 200_005];
            (&reader).read_exact(&mut all).unwrap();
            assert!(all.ends_with(b"waits"));
            assert_eq!((large.wait().0.unwrap(), waits.wait().0.unwrap()), (200_000, 5));
        }
    }
}
