//! Texts for codes, in buffers of the caller's.

use std::ffi::{c_char, c_int};
use std::ptr;

use crate::result::{catch, describe, last_error_text};

/// Writes the meaning of a code into a buffer: one sentence in UTF-8, terminated, and cut short if
/// the buffer is too small.
///
/// The code is any that a function here returned: one of the library's, or a positive one of the
/// system's. With a null buffer or size 0 nothing is written.
///
/// Returns the length of the whole text in bytes, without the terminator. If that is size or more,
/// the text was cut.
///
/// Requires: the buffer, if not null, has room for size bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_strerror(error: c_int, buffer: *mut c_char, size: usize) -> usize {
    let text = catch(|| describe(error)).unwrap_or_default();
    // SAFETY: the caller's promise, passed on.
    unsafe { copy_out(&text, buffer, size) }
}

/// Writes into a buffer why the last call that failed in this thread did so. The text says more
/// than the code: the action, the end, the cause and, where there is some, advice. It is empty if
/// no call has failed. Otherwise this is as anonpipe_strerror.
///
/// A call that succeeds leaves the text as it is, so look at it only after a failure.
/// CreatePipeAnonymousPair7, CreatePipeAnonymousPair and MyCreatePipeEx report failures in their
/// own way, and leave no text here.
///
/// Returns the length of the whole text, as anonpipe_strerror does.
///
/// Requires: the buffer, if not null, has room for size bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_last_error_text(buffer: *mut c_char, size: usize) -> usize {
    let text = catch(last_error_text).unwrap_or_default();
    // SAFETY: the caller's promise, passed on.
    unsafe { copy_out(&text, buffer, size) }
}

/// Returns the version of the library that the program runs with, such as "0.1.0". The text is
/// static. ANONPIPE_VERSION_MAJOR and its like are the version of the header.
#[unsafe(no_mangle)]
pub extern "C" fn anonpipe_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// # Safety
///
/// `buffer`, if not null, has room for `size` bytes.
unsafe fn copy_out(text: &str, buffer: *mut c_char, size: usize) -> usize {
    if !buffer.is_null() && size > 0 {
        let count = whole_characters(text, size - 1);
        // SAFETY: `count` is less than `size`, for which there is room; the text is our own memory.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, count) };
        // SAFETY: as above, the place after the text is still inside.
        let end = unsafe { buffer.add(count) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
    text.len()
}

/// How many bytes of `text` make whole characters and are at most `room`.
fn whole_characters(text: &str, room: usize) -> usize {
    let mut count = room.min(text.len());
    while !text.is_char_boundary(count) {
        count -= 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::whole_characters;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(whole_characters("aäb", 2), 1);
        assert_eq!(whole_characters("aäb", 3), 3);
        assert_eq!(whole_characters("aäb", 100), 4);
        assert_eq!(whole_characters("ä", 0), 0);
    }
}
