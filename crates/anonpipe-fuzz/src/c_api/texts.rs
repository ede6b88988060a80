//! The texts for codes.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use super::calls::call;
use super::world::World;

/// Longer than any text.
const ROOM: usize = 2000;

impl World {
    pub(super) fn strerror(&self, code: c_int, room: u8, null: bool) {
        let whole = text(ROOM, false, |buffer, size| call!(anonpipe_strerror(code, buffer, size)));
        assert!(!whole.1.is_empty(), "every code has a text");
        let cut = text(room.into(), null, |buffer, size| call!(anonpipe_strerror(code, buffer, size)));
        compare(&whole, &cut, room.into(), null);
    }

    pub(super) fn last_error_text(&self, room: u8, null: bool) {
        let whole = text(ROOM, false, |buffer, size| call!(anonpipe_last_error_text(buffer, size)));
        assert!(self.last_failure.is_none() || !whole.1.is_empty(), "a call has failed: {:?}", self.last_failure);
        let cut = text(room.into(), null, |buffer, size| call!(anonpipe_last_error_text(buffer, size)));
        compare(&whole, &cut, room.into(), null);
    }

    pub(super) fn version() {
        let version = call!(anonpipe_version());
        // SAFETY: a text that is terminated and static, says the header.
        let version = unsafe { CStr::from_ptr(version) };
        assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    }
}

/// What a function returns, and what it writes into a buffer of that size.
fn text(size: usize, null: bool, call: impl FnOnce(*mut c_char, usize) -> usize) -> (usize, String) {
    // What is after the buffer is not the function's.
    let mut buffer = vec![0xee_u8; size + 1];
    let length = call(if null { ptr::null_mut() } else { buffer.as_mut_ptr().cast() }, size);
    assert_eq!(buffer[size], 0xee, "it wrote beyond the buffer");
    if null || size == 0 {
        assert!(buffer.iter().all(|byte| *byte == 0xee), "it wrote, and was not to");
        return (length, String::new());
    }
    let text = CStr::from_bytes_until_nul(&buffer).expect("a text is terminated");
    (length, text.to_str().expect("a text is UTF-8, even if it is cut").to_owned())
}

fn compare(whole: &(usize, String), cut: &(usize, String), room: usize, null: bool) {
    assert_eq!(whole.0, whole.1.len(), "it returns the length of the whole text");
    assert_eq!(whole.0, cut.0, "it returns the same length whatever the room");
    assert!(whole.1.starts_with(&cut.1));
    assert!(null || cut.1.len() + 4 > whole.0.min(room), "it is cut where the room ends");
}
