//! Making pairs.

use std::ffi::c_int;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr;

use super::calls::{
    ANONPIPE_DUPLEX, ANONPIPE_E_INVALID_ARGUMENT, ANONPIPE_E_UNSUPPORTED, ANONPIPE_OK, ANONPIPE_OUTBOUND,
    ANONPIPE_OVERLAPPED, anonpipe_options, call, expect,
};
use super::steps::Fields;
use super::world::{Owner, Side, World};
use crate::pipes::{Handle, Line};

/// What no function writes as a handle.
const UNTOUCHED: c_int = -77;
/// More than the options have in this version.
const ROOM: usize = 5000;
const SIZE: usize = size_of::<anonpipe_options>();

/// Options as a program of some version has them: with fields of which this library knows nothing.
struct Wanted {
    options: anonpipe_options,
    beyond: u8,
}

impl Wanted {
    fn new(fields: &Fields) -> Self {
        let choice = |at: u32, of: u32| u32::from(fields.choices) / at % of;
        let odd = |bit: u32| u32::from(u32::from(fields.odd) % 32 == bit);
        let size = match fields.size {
            0..=199 => SIZE,
            200..=219 => usize::from(fields.size) - 200,
            220..=253 => SIZE + usize::from(fields.size) - 219,
            254 => 4096,
            _ => ROOM - 1,
        };
        let options = anonpipe_options {
            size: u32::try_from(size).expect("a few thousand"),
            direction: choice(1, 3) + 3 * odd(1),
            server_mode: choice(3, 2) + 2 * odd(2),
            client_mode: choice(6, 2) + 2 * odd(3),
            server_inheritable: choice(12, 2) + 2 * odd(4),
            client_inheritable: choice(24, 2) + 2 * odd(5),
            creation: odd(6) + 3 * odd(7),
            reserved: odd(8),
            capacity: match fields.capacity {
                0..=63 => 0,
                64..=127 => 1,
                128..=191 => 4096,
                192..=223 => 10_000,
                224..=253 => 1 << 16,
                254 => 1 << 31,
                _ => u64::MAX,
            },
            sddl: if odd(9) == 1 { c"D:P(A;;GA;;;OW)".as_ptr() } else { ptr::null() },
        };
        Self { options, beyond: fields.beyond }
    }

    /// The default, if there are no options.
    fn or_default(wanted: Option<&Self>) -> (u32, u32, u32) {
        wanted.map_or((0, 0, 0), |Self { options, .. }| (options.direction, options.server_mode, options.client_mode))
    }

    fn is_valid(&self) -> bool {
        let Self { options, beyond } = self;
        let size = options.size as usize;
        (size == SIZE || (SIZE..=4096).contains(&size) && *beyond == 0)
            && options.direction < 3
            && options.server_mode < 2
            && options.client_mode < 2
            && options.server_inheritable < 2
            && options.client_inheritable < 2
            && options.creation == 0
            && options.reserved == 0
            && options.capacity < 1 << 31
            && options.sddl.is_null()
    }

    /// The options at the beginning of more memory.
    fn memory(&self) -> Vec<anonpipe_options> {
        let mut memory = vec![self.options; ROOM / SIZE + 1];
        let after = memory[1..].as_mut_ptr().cast::<u8>();
        // SAFETY: that much is there after the first, and any bytes make values of these fields.
        unsafe { ptr::write_bytes(after, 0, (memory.len() - 1) * SIZE) };
        // SAFETY: as above.
        unsafe { after.write(self.beyond) };
        memory
    }
}

impl World {
    pub(super) fn pair(&mut self, fields: Option<&Fields>, outputs: u8) {
        let wanted = fields.map(Wanted::new);
        let memory = wanted.as_ref().map(Wanted::memory);
        let options = memory.as_ref().map_or(ptr::null(), |memory| memory.as_ptr());
        let (mut server, mut client) = (UNTOUCHED, UNTOUCHED);
        let places: (*mut c_int, *mut c_int) = match outputs {
            250 => (ptr::null_mut(), &raw mut client),
            251 => (&raw mut server, ptr::null_mut()),
            252 => (&raw mut server, &raw mut server),
            253 => (ptr::null_mut(), ptr::null_mut()),
            _ => (&raw mut server, &raw mut client),
        };
        let code = self.note(call!(anonpipe_pair(options, places.0, places.1)));
        if !(250..=253).contains(&outputs) && wanted.as_ref().is_none_or(Wanted::is_valid) {
            expect(code, &[ANONPIPE_OK]);
            // SAFETY: it is the caller's now.
            let server = unsafe { OwnedFd::from_raw_fd(server) };
            // SAFETY: as above.
            let client = unsafe { OwnedFd::from_raw_fd(client) };
            self.add(Wanted::or_default(wanted.as_ref()), server, client);
        } else {
            expect(code, &[ANONPIPE_E_INVALID_ARGUMENT, ANONPIPE_E_UNSUPPORTED]);
            assert_eq!((server, client), (UNTOUCHED, UNTOUCHED), "a failed call wrote its outputs");
        }
    }

    fn add(&mut self, (direction, server_mode, client_mode): (u32, u32, u32), server: OwnedFd, client: OwnedFd) {
        let (ours, theirs) = (self.sides.len(), self.sides.len() + 1);
        let mut line = |writer, reader| {
            self.lines.push(Line::new(writer, reader));
            Some(self.lines.len() - 1)
        };
        let to_server = if direction == ANONPIPE_OUTBOUND { None } else { line(theirs, ours) };
        let to_client =
            if direction == ANONPIPE_OUTBOUND || direction == ANONPIPE_DUPLEX { line(ours, theirs) } else { None };
        let mut side = |reads, writes, mode, side, descriptor| {
            let overlapped = mode == ANONPIPE_OVERLAPPED;
            let flags = rustix::fs::fcntl_getfl(&descriptor).expect("an open descriptor");
            assert_eq!(flags.contains(rustix::fs::OFlags::NONBLOCK), overlapped, "O_NONBLOCK is the mode");
            self.sides.push(Side { reads, writes, overlapped, owner: Owner::Handle, shut: false });
            self.handles.push(Handle { descriptor, side });
        };
        side(to_server, to_client, server_mode, ours, server);
        side(to_client, to_server, client_mode, theirs, client);
    }
}
