//! Blocking reads and writes on a handle of mode `Blocking`.
//!
//! # References
//!
//! - [`ReadFile`](https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfile)
//! - [`WriteFile`]
//! - [`ReadFileScatter`]
//!
//! [`WriteFile`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-writefile
//! [`ReadFileScatter`]: https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-readfilescatter

use std::io::{IoSlice, IoSliceMut};
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};

use super::{MAX_PIECE, MIN_PIECE, answers, probe};
use crate::channel::completion::Answer;
use crate::contract::{Half, Outcome, PieceSize};

/// Cuts a length to what the system takes at once. `Read` and `Write` may transfer less than they
/// were given.
pub(super) fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Pipes have no scattered reads, so only the first non-empty buffer is filled.
pub(crate) fn read(handle: BorrowedHandle<'_>, buffers: &mut [IoSliceMut<'_>]) -> Outcome {
    let Some(buffer) = buffers.iter_mut().find(|buffer| !buffer.is_empty()) else { return Ok(0) };
    loop {
        let mut count = 0;
        // SAFETY: the handle is synchronous (an end of mode `Blocking` was made so, or was
        // probed when it was adopted), so the buffer is only used during the call; its length
        // is not exceeded.
        let done = unsafe {
            ReadFile(handle.as_raw_handle(), buffer.as_mut_ptr(), clamp(buffer.len()), &raw mut count, ptr::null_mut())
        };
        let code = if done == 0 { answers::last_code() } else { ERROR_SUCCESS };
        if let Answer::Done(outcome) = answers::transfer(Half::Read, code, count as usize, buffer.len()) {
            return outcome;
        }
    }
}

/// Pipes have no gathered writes, so only the first non-empty buffer is written: in pieces, if it
/// is long and the pipe is one for bytes.
pub(crate) fn write(handle: BorrowedHandle<'_>, buffers: &[IoSlice<'_>]) -> Outcome {
    let Some(buffer) = buffers.iter().find(|buffer| !buffer.is_empty()) else { return Ok(0) };
    let takes_pieces = || probe::is_for_messages(handle).is_ok_and(|is| !is);
    write_in_pieces(buffer, takes_pieces, |piece| write_once(handle, piece))
}

fn write_once(handle: BorrowedHandle<'_>, piece: &[u8]) -> Answer {
    let mut count = 0;
    // SAFETY: the handle is synchronous, see `read`, so the piece is only used during the call; its
    // length is not exceeded.
    let done = unsafe {
        WriteFile(handle.as_raw_handle(), piece.as_ptr(), clamp(piece.len()), &raw mut count, ptr::null_mut())
    };
    let code = if done == 0 { answers::last_code() } else { ERROR_SUCCESS };
    answers::transfer(Half::Write, code, count as usize, piece.len())
}

/// Calls `once` for each piece, and with half of it when the system has too little memory. Asks
/// whether the pipe takes pieces only where that matters.
fn write_in_pieces(bytes: &[u8], takes_pieces: impl Fn() -> bool, mut once: impl FnMut(&[u8]) -> Answer) -> Outcome {
    let mut size = PieceSize::new(MIN_PIECE, MAX_PIECE);
    let mut in_pieces = bytes.len() > MAX_PIECE && takes_pieces();
    let mut done = 0;
    loop {
        let left = &bytes[done..];
        let piece = if in_pieces { &left[..size.get().min(left.len())] } else { left };
        match once(piece) {
            Answer::Done(Ok(count)) => {
                done += count;
                if count < piece.len() || done == bytes.len() {
                    return Ok(done);
                }
                size.grow();
            }
            Answer::NoResources(failure) => {
                in_pieces = size.halve(piece.len()) && takes_pieces();
                if !in_pieces {
                    return Err(failure.in_part_behind(done));
                }
            }
            Answer::Done(Err(failure)) => return Err(failure.in_part_behind(done)),
            Answer::Pending | Answer::Empty => return Ok(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Answer, MAX_PIECE, MIN_PIECE, write_in_pieces};
    use crate::contract::{Failure, Outcome};

    fn short_of_memory() -> Answer {
        Answer::NoResources(Failure::os(io::ErrorKind::OutOfMemory.into(), Some(0)))
    }

    /// The outcome of a write to a system that refuses more than `most` bytes, and the pieces that
    /// it took.
    fn written(length: usize, takes_pieces: bool, most: usize) -> (Outcome, Vec<usize>) {
        let bytes: Vec<u8> = (0..length).map(|number| number.to_le_bytes()[0]).collect();
        let (mut took, mut all) = (Vec::new(), Vec::new());
        let outcome = write_in_pieces(
            &bytes,
            || takes_pieces,
            |piece| {
                if piece.len() > most {
                    return short_of_memory();
                }
                took.push(piece.len());
                all.extend_from_slice(piece);
                Answer::Done(Ok(piece.len()))
            },
        );
        assert!(outcome.is_err() || all == bytes);
        (outcome, took)
    }

    #[test]
    fn a_long_write_goes_in_pieces() {
        let (outcome, took) = written(2 * MAX_PIECE + 3, true, usize::MAX);
        assert!(matches!(outcome, Ok(count) if count == 2 * MAX_PIECE + 3));
        assert_eq!(took, [MAX_PIECE, MAX_PIECE, 3]);
        assert_eq!(written(MAX_PIECE, true, usize::MAX).1, [MAX_PIECE]);
        assert_eq!(written(2 * MAX_PIECE, false, usize::MAX).1, [2 * MAX_PIECE], "a message");
    }

    #[test]
    fn a_piece_that_is_refused_is_halved() {
        assert_eq!(written(MAX_PIECE + 5, true, MAX_PIECE / 2).1, [MAX_PIECE / 2, MAX_PIECE / 2, 5]);
        assert_eq!(written(3 * MIN_PIECE, true, MIN_PIECE).1, [MIN_PIECE; 3]);
        for (length, takes_pieces, most) in [(MAX_PIECE, true, MIN_PIECE - 1), (MIN_PIECE + 1, false, MIN_PIECE)] {
            let (outcome, took) = written(length, takes_pieces, most);
            assert!(matches!(outcome, Err(Failure::Os { transferred: Some(0), .. })), "{outcome:?}");
            assert_eq!(took, []);
        }
    }

    #[test]
    fn pieces_grow_again() {
        let bytes = vec![0; 24 * MIN_PIECE];
        let mut tried = Vec::new();
        let outcome = write_in_pieces(
            &bytes,
            || true,
            |piece| {
                tried.push(piece.len() / MIN_PIECE);
                if tried.len() < 6 { short_of_memory() } else { Answer::Done(Ok(piece.len())) }
            },
        );
        assert!(matches!(outcome, Ok(count) if count == bytes.len()));
        assert_eq!(tried, [[24, 12, 6, 3, 1].as_slice(), &[1; 8], &[2; 8]].concat());
    }

    #[test]
    fn a_failure_says_what_went() {
        let bytes = vec![0; 2 * MAX_PIECE];
        for (own, all) in [(None, None), (Some(0), Some(MAX_PIECE))] {
            let mut pieces = 0;
            let outcome = write_in_pieces(
                &bytes,
                || true,
                |piece| {
                    pieces += 1;
                    let closed = || Failure::os(io::ErrorKind::BrokenPipe.into(), own);
                    Answer::Done(if pieces == 1 { Ok(piece.len()) } else { Err(closed()) })
                },
            );
            assert!(matches!(outcome, Err(Failure::Os { transferred, .. }) if transferred == all), "{outcome:?}");
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod lengths {
    use super::clamp;

    #[test]
    fn a_length_beyond_4_gib_is_the_most_there_is() {
        let most = u32::MAX as usize;
        assert_eq!([0, 5, most].map(clamp), [0, 5, u32::MAX]);
        assert_eq!([most + 1, most + 4, usize::MAX].map(clamp), [u32::MAX; 3]);
    }
}
