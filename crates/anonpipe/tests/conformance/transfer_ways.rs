//! The ways to read and to write an overlapped end, all of which must keep the same rules.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use anonpipe::{Overlapped, Reader, Writer};

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `std::io::Read` and `Write`.
    Std,
    /// `submit_…`, then `wait`.
    Submit,
    /// `submit_…`, then `.await`.
    Await,
    /// `…_timeout`, with more time than needed.
    Timeout,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Std, Self::Submit, Self::Await, Self::Timeout];

    pub(crate) fn read(self, mut reader: &Reader<Overlapped>, limit: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; limit];
        let count = match self {
            Self::Std => reader.read(&mut buffer)?,
            Self::Timeout => reader.read_timeout(&mut buffer, LONG)?,
            Self::Submit | Self::Await => {
                let op = reader.submit_read(buffer);
                let result;
                (result, buffer) = if self == Self::Submit { op.wait() } else { pollster::block_on(op) };
                result?
            }
        };
        buffer.truncate(count);
        Ok(buffer)
    }

    /// Returns how many bytes went, which is all of them.
    pub(crate) fn write(self, mut writer: &Writer<Overlapped>, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Std => writer.write(bytes),
            Self::Timeout => writer.write_timeout(bytes, LONG),
            Self::Submit => writer.submit_write(bytes.to_vec()).wait().0,
            Self::Await => pollster::block_on(writer.submit_write(bytes.to_vec())).0,
        }
    }
}

/// The kind of an error that must be there.
#[track_caller]
pub(crate) fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("succeeded, which it must not"),
        Err(error) => error.kind(),
    }
}

/// Whether an operation says that it was cancelled, rather than failing or succeeding.
#[track_caller]
pub(crate) fn is_cancelled(result: &io::Result<usize>) -> bool {
    result.as_ref().is_err_and(|error| anonpipe::Error::of(error).is_some_and(anonpipe::Error::is_cancelled))
}

/// How many bytes had gone before an error, as it says itself.
#[track_caller]
pub(crate) fn transferred(error: &io::Error) -> Option<usize> {
    anonpipe::Error::of(error).expect("an error of this crate").transferred()
}

/// Checks that an operation that was cancelled or aborted says this, and nothing else.
#[track_caller]
pub(crate) fn check_abort<T>(result: std::io::Result<T>) {
    let Err(error) = result else { panic!("it succeeded, although it was ended") };
    let ours = anonpipe::Error::of(&error).expect("an error of this crate");
    assert!(ours.is_cancelled(), "{error}");
    // No kind that makes callers try again or treat the peer as gone, and no code that means one of
    // these elsewhere.
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    assert_eq!((error.raw_os_error(), ours.raw_os_error()), (None, None), "{error}");
    assert!(error.to_string().contains("cancelled"), "{error}");
}
