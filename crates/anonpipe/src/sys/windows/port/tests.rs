//! Packets on our port that belong to no operation of ours, and handles that are bound to another
//! port.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::ReadFile;
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, OVERLAPPED};

use crate::channel::completion::{Slot as _, SlotId};
use crate::channel::{DriverShare as _, InFlight as _, System as _};
use crate::driver::Native;
use crate::{Overlapped, Reader, pipe};

fn post(key: usize, id: SlotId) {
    Native::process_driver().unwrap().poller().post(key, id).unwrap();
}

#[test]
fn stray_packets_are_ignored() {
    let (reader, writer) = pipe().unwrap();
    let mut read = reader.submit_read(vec![0; 8]);
    let pending = read.0.submitted().record().loan().slot().id();
    // Every key that exists by now, and some that do not exist.
    for key in 0..64 {
        post(key, SlotId::NONE);
        post(key, SlotId(0x1234_5670));
        // A packet with this address, from another process: the operation is still pending, so the
        // packet is not about it.
        post(key, pending);
    }
    assert!(read.wait_timeout(Duration::from_millis(200)).is_none(), "a stray packet completed a read");
    writer.submit_write("still ok").wait().0.unwrap();
    let (count, buffer) = read.wait();
    assert_eq!((count.unwrap(), &*buffer), (8, &b"still ok"[..]));
}

/// Another owner of the handle may start an operation on it. Its packet comes to our port, with our
/// key.
#[test]
fn an_operation_of_another_owner_of_our_handle_is_ignored() {
    let (reader, writer) = pipe().unwrap();
    let read = reader.submit_read(vec![0; 3]);
    let mut buffer = [0; 3];
    let overlapped = &raw mut *Box::leak(Box::new(OVERLAPPED::default()));
    // SAFETY: buffer and OVERLAPPED outlive the operation, whose end is awaited below.
    let done = unsafe { ReadFile(reader.as_raw_handle(), buffer.as_mut_ptr(), 3, ptr::null_mut(), overlapped) };
    assert_eq!(done, 0, "pending behind our read");
    writer.submit_write("onetwo").wait().0.unwrap();
    assert_eq!(read.wait().1, b"one");
    let mut count = 0;
    // SAFETY: the handle and the OVERLAPPED are alive.
    let done = unsafe {
        windows_sys::Win32::System::IO::GetOverlappedResult(reader.as_raw_handle(), overlapped, &raw mut count, 1)
    };
    assert_ne!(done, 0);
    assert_eq!((count, &buffer), (3, b"two"));
    let (count, last) = {
        writer.submit_write("last").wait().0.unwrap();
        reader.submit_read(vec![0; 4]).wait()
    };
    assert_eq!((count.unwrap(), &*last), (4, &b"last"[..]));
}

fn bound_elsewhere() -> (Reader<Overlapped>, crate::Writer<Overlapped>, OwnedHandle) {
    let (reader, writer) = pipe().unwrap();
    // SAFETY: makes a port and binds an open handle to it.
    let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 0) };
    // SAFETY: new, and ours.
    let port = unsafe { OwnedHandle::from_raw_handle(port) };
    // SAFETY: two open handles.
    let bound = unsafe { CreateIoCompletionPort(reader.as_raw_handle(), port.as_raw_handle(), 1, 0) };
    assert!(!bound.is_null());
    let adopted = Reader::<Overlapped>::try_from(OwnedHandle::try_from(reader).unwrap()).unwrap();
    (adopted, writer, port)
}

#[test]
fn a_handle_bound_to_another_port_works_through_events() {
    let (reader, writer, port) = bound_elsewhere();
    // Three cases: pending, then completed by the pool; complete at once; and cancelled.
    let reads: Vec<_> = (0..100).map(|_| reader.submit_read(vec![0; 4])).collect();
    for number in 0..100_u32 {
        writer.submit_write(number.to_le_bytes().to_vec()).wait().0.unwrap();
    }
    for (number, read) in (0..100_u32).zip(reads) {
        let (count, buffer) = read.wait();
        assert_eq!((count.unwrap(), &*buffer), (4, &number.to_le_bytes()[..]));
    }
    writer.submit_write("data").wait().0.unwrap();
    assert_eq!(reader.submit_read(vec![0; 4]).wait().1, b"data");
    let cancelled = reader.submit_read(vec![0; 4]);
    cancelled.cancel();
    assert!(crate::Error::of(&cancelled.wait().0.unwrap_err()).unwrap().is_cancelled());
    drop(writer);
    assert_eq!(reader.submit_read(vec![0; 4]).wait().0.unwrap(), 0);
    assert_eq!(packets(&port), 0, "the other port got packets of ours");
    // The handle was never bound to our port, so it can be given away.
    assert!(OwnedHandle::try_from(reader).is_ok());
}

/// How many packets wait on a port.
fn packets(port: &OwnedHandle) -> usize {
    use windows_sys::Win32::System::IO::GetQueuedCompletionStatus;

    let mut packets = 0;
    loop {
        let (mut count, mut key, mut overlapped) = (0, 0, ptr::null_mut());
        // SAFETY: the port is open, and the outputs live on this stack.
        let done = unsafe {
            GetQueuedCompletionStatus(port.as_raw_handle(), &raw mut count, &raw mut key, &raw mut overlapped, 100)
        };
        if done == 0 && overlapped.is_null() {
            return packets;
        }
        packets += 1;
    }
}
