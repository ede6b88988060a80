//! What to create.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use pipes::{End, PipeOptions};

use crate::handle::{OwnedPipe, anonpipe_handle, into_raw};
use crate::result::{ANONPIPE_E_OTHER, ANONPIPE_E_UNSUPPORTED, Failed, guard};

/// The server reads, the client writes. The default.
pub const ANONPIPE_INBOUND: u32 = 0;
/// The server writes, the client reads.
pub const ANONPIPE_OUTBOUND: u32 = 1;
/// Both read and write. A pair of sockets on Unix.
pub const ANONPIPE_DUPLEX: u32 = 2;

/// For the side that you keep: open for overlapped I/O; on Unix with O_NONBLOCK. The default.
pub const ANONPIPE_OVERLAPPED: u32 = 0;
/// For the program that gets the other end: a synchronous handle, as programs expect their standard
/// handles to be.
pub const ANONPIPE_BLOCKING: u32 = 1;

/// Unnamed if the system can do that, else named. The default, and the only choice on Unix.
pub const ANONPIPE_CREATION_AUTO: u32 = 0;
/// Unnamed, or failure. Windows only.
pub const ANONPIPE_CREATION_UNNAMED: u32 = 1;
/// With a name of 128 random bits. Windows only.
pub const ANONPIPE_CREATION_NAMED: u32 = 2;

/// How a pair is to be made. Begin with ANONPIPE_OPTIONS_INIT, which sets the size and leaves
/// everything else at 0: the defaults.
///
/// Later versions may add fields at the end. A program that was compiled with an older header goes
/// on working. One that was compiled with a newer header works as long as it leaves at 0 what this
/// library does not know.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct anonpipe_options {
    /// sizeof(anonpipe_options).
    pub size: u32,
    /// ANONPIPE_INBOUND, ANONPIPE_OUTBOUND or ANONPIPE_DUPLEX.
    pub direction: u32,
    /// ANONPIPE_OVERLAPPED or ANONPIPE_BLOCKING.
    pub server_mode: u32,
    /// ANONPIPE_OVERLAPPED or ANONPIPE_BLOCKING.
    pub client_mode: u32,
    /// 1: every child that is started while the end is open inherits it. 0: none does.
    pub server_inheritable: u32,
    /// As server_inheritable.
    pub client_inheritable: u32,
    /// How a pair is made on Windows: ANONPIPE_CREATION_AUTO, _UNNAMED or _NAMED.
    pub creation: u32,
    /// 0.
    pub reserved: u32,
    /// How many bytes, in each direction, the system holds for a reader before a writer has to
    /// wait. 0 means the default: 65536 on Windows, the system's own elsewhere. At most UINT32_MAX
    /// on Windows, INT32_MAX elsewhere. Linux rounds the number up. If it refuses that much, the
    /// pipe gets what /proc/sys/fs/pipe-max-size allows, or stays as it is; fcntl with F_GETPIPE_SZ
    /// tells.
    pub capacity: u64,
    /// Who may open the pipe on Windows, as SDDL in UTF-8, such as "D:P(A;;GA;;;OW)". Null: the
    /// default.
    pub sddl: *const c_char,
}

/// The first version's size: what every caller has.
const FIRST_SIZE: usize = size_of::<anonpipe_options>();
/// More than any version will have: a size beyond it is no size.
const ABSURD_SIZE: usize = 4096;

impl anonpipe_options {
    /// Reads what the caller has, in the size that it says.
    ///
    /// # Safety
    ///
    /// `options` points to a struct that begins with its size, and is that large.
    unsafe fn read(options: *const Self) -> Result<Self, Failed> {
        // SAFETY: it begins with its size, says the caller. The caller's struct may be unaligned
        // for all we know.
        let size = unsafe { options.cast::<u32>().read_unaligned() } as usize;
        if !(FIRST_SIZE..=ABSURD_SIZE).contains(&size) {
            return Err(Failed::invalid("the options have an impossible size; begin with ANONPIPE_OPTIONS_INIT"));
        }
        for offset in FIRST_SIZE..size {
            // SAFETY: inside the struct, if it is as large as the caller says.
            let place = unsafe { options.cast::<u8>().add(offset) };
            // SAFETY: as above.
            if unsafe { place.read() } != 0 {
                let why = "the options have a field that this version of the library does not know";
                return Err(Failed::new(ANONPIPE_E_UNSUPPORTED, why));
            }
        }
        let mut copy = MaybeUninit::<Self>::uninit();
        // SAFETY: the caller's struct is at least this large, and so is `copy`.
        unsafe { ptr::copy_nonoverlapping(options.cast::<u8>(), copy.as_mut_ptr().cast(), FIRST_SIZE) };
        // SAFETY: all of it was copied, and any bytes make a value of these fields.
        Ok(unsafe { copy.assume_init() })
    }

    /// What `PipeOptions::new()` says.
    fn defaults() -> Self {
        Self {
            size: 0,
            direction: ANONPIPE_INBOUND,
            server_mode: ANONPIPE_OVERLAPPED,
            client_mode: ANONPIPE_OVERLAPPED,
            server_inheritable: 0,
            client_inheritable: 0,
            creation: ANONPIPE_CREATION_AUTO,
            reserved: 0,
            capacity: 0,
            sddl: ptr::null(),
        }
    }

    fn check(&self) -> Result<(), Failed> {
        let switches = [self.server_inheritable, self.client_inheritable];
        match self {
            Self { direction: 3.., .. } => Err(Failed::invalid("an unknown direction")),
            Self { server_mode: 2.., .. } | Self { client_mode: 2.., .. } => Err(Failed::invalid("an unknown mode")),
            Self { creation: 3.., .. } => Err(Failed::invalid("an unknown way of creation")),
            Self { reserved: 1.., .. } => Err(Failed::invalid("the reserved field is not 0")),
            _ if switches.iter().any(|switch| *switch > 1) => Err(Failed::invalid("inheritance is 0 or 1")),
            _ => Ok(()),
        }
    }
}

/// Makes a connected pair of ends. Does not block, and starts no thread.
///
/// Null options mean the defaults, as ANONPIPE_OPTIONS_INIT does: the server reads, the client
/// writes, and both ends are overlapped and private. The handles are the system's own, bound to no
/// completion port, and yours to close. On failure neither output is written, and nothing stays
/// open.
///
/// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: a null output, the same place for both, an unknown
/// value, a capacity that the system cannot express, or a bad descriptor. ANONPIPE_E_UNSUPPORTED:
/// an option that only Windows has, elsewhere; or a field that this version does not know. Else the
/// system's code, such as that for too many open files.
///
/// Requires: the options, if not null, begin with their size and are that large, and their text, if
/// there is one, is terminated; the outputs can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn anonpipe_pair(
    options: *const anonpipe_options,
    server: *mut anonpipe_handle,
    client: *mut anonpipe_handle,
) -> c_int {
    guard(|| {
        if server.is_null() || client.is_null() || server == client {
            return Err(Failed::invalid("each of the two ends needs a place to put it"));
        }
        let wanted = if options.is_null() {
            anonpipe_options::defaults()
        } else {
            // SAFETY: not null, and the caller's promise otherwise.
            unsafe { anonpipe_options::read(options) }?
        };
        wanted.check()?;
        // SAFETY: a text, if there is one, is terminated, says the caller.
        let (ours, theirs) = unsafe { create(&wanted) }?;
        // SAFETY: not null, and the caller's to be written.
        unsafe { server.write(into_raw(ours)) };
        // SAFETY: as above.
        unsafe { client.write(into_raw(theirs)) };
        Ok(())
    })
}

/// # Safety
///
/// The text in `wanted`, if there is one, is terminated.
unsafe fn create(wanted: &anonpipe_options) -> Result<(OwnedPipe, OwnedPipe), Failed> {
    let mut options = PipeOptions::new();
    if wanted.capacity > 0 {
        let bytes = usize::try_from(wanted.capacity);
        options = options.capacity(bytes.map_err(|_| Failed::invalid("a capacity beyond the address space"))?);
    }
    if wanted.creation != ANONPIPE_CREATION_AUTO || !wanted.sddl.is_null() {
        // SAFETY: the caller's promise; `c_str` refuses null.
        let sddl = if wanted.sddl.is_null() { None } else { Some(unsafe { CStr::from_ptr(wanted.sddl) }) };
        options = with_platform(options, wanted.creation, sddl)?;
    }
    let server = wanted.server_inheritable == 1;
    let client = wanted.client_inheritable == 1;
    macro_rules! pair {
        ($server:ident, $client:ident) => {{
            let options = options.server(End::$server().inheritable(server)).client(End::$client().inheritable(client));
            match wanted.direction {
                ANONPIPE_INBOUND => handles(options.inbound()?),
                ANONPIPE_OUTBOUND => handles(options.outbound()?),
                _ => handles(options.duplex()?),
            }
        }};
    }
    match (wanted.server_mode, wanted.client_mode) {
        (ANONPIPE_OVERLAPPED, ANONPIPE_OVERLAPPED) => pair!(overlapped, overlapped),
        (ANONPIPE_OVERLAPPED, _) => pair!(overlapped, blocking),
        (_, ANONPIPE_OVERLAPPED) => pair!(blocking, overlapped),
        (..) => pair!(blocking, blocking),
    }
}

/// Takes the handles out of two fresh ends.
fn handles<S: TryInto<OwnedPipe>, C: TryInto<OwnedPipe>>(ends: (S, C)) -> Result<(OwnedPipe, OwnedPipe), Failed> {
    let unexpected = "an end on which nothing is in flight did not give its handle";
    let refused = || Failed::new(ANONPIPE_E_OTHER, unexpected);
    let server = ends.0.try_into().map_err(|_| refused())?;
    let client = ends.1.try_into().map_err(|_| refused())?;
    Ok((server, client))
}

#[cfg(windows)]
fn with_platform(options: PipeOptions, creation: u32, sddl: Option<&CStr>) -> Result<PipeOptions, Failed> {
    use pipes::windows::{Creation, PipeOptionsExt};

    let options = options.creation(match creation {
        ANONPIPE_CREATION_UNNAMED => Creation::Unnamed,
        ANONPIPE_CREATION_NAMED => Creation::Named,
        _ => Creation::Auto,
    });
    match sddl.map(CStr::to_str) {
        None => Ok(options),
        Some(Ok(sddl)) => Ok(options.security_descriptor(sddl)),
        Some(Err(_)) => Err(Failed::invalid("the security descriptor is not UTF-8")),
    }
}

#[cfg(not(windows))]
fn with_platform(_: PipeOptions, _: u32, _: Option<&CStr>) -> Result<PipeOptions, Failed> {
    let why = "the way of creation and the security descriptor are Windows' own options";
    Err(Failed::new(ANONPIPE_E_UNSUPPORTED, why))
}
