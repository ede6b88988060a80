//! Ends from handles, and handles from ends.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};

use anonpipe::{Adopted, Blocking, ConversionError, Duplex, Overlapped, Reader, Writer};

use super::any_end::AnyEnd;
use super::making::expect_error;
use super::steps::{As, How};
use super::world::{End, World};
use crate::pipes::Handle;
use crate::plain;
use crate::size::Pick;

fn adopt(descriptor: OwnedFd, kind: As, how: How) -> Result<AnyEnd, ConversionError<OwnedFd>> {
    macro_rules! adopted {
        ($end:ident) => {{
            let either = |adopted| match adopted {
                Adopted::Overlapped(end) => AnyEnd::from(end),
                Adopted::Blocking(end) => AnyEnd::from(end),
            };
            match how {
                How::Adopt => $end::<Overlapped>::adopt(descriptor).map(either),
                How::AdoptExclusive => $end::<Overlapped>::adopt_exclusive(descriptor).map(either),
                How::TryOverlapped => $end::<Overlapped>::try_from(descriptor).map(AnyEnd::from),
                How::TryBlocking => $end::<Blocking>::try_from(descriptor).map(AnyEnd::from),
            }
        }};
    }
    match kind {
        As::Reader => adopted!(Reader),
        As::Writer => adopted!(Writer),
        As::Duplex => adopted!(Duplex),
    }
}

impl World {
    /// Whether the only end of a side must give its handle.
    fn must_convert(&self, end: &End) -> bool {
        !self.sides[end.side].overlapped
            || end.holds()
                && self.sides[end.side].holders == 1
                && !self.may_be_in_flight(end.side, true)
                && !self.may_be_in_flight(end.side, false)
    }

    /// The end stays as it was. `must`: it was to be converted.
    fn refused(&mut self, end: End, error: &io::Error, must: bool) {
        assert!(!must, "{error}, and nothing is in flight");
        expect_error(error, &[if end.holds() { ErrorKind::ResourceBusy } else { ErrorKind::BrokenPipe }]);
        self.ends.push(end);
    }

    pub(super) fn convert(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let end = self.ends.swap_remove(at);
        let must = self.must_convert(&end);
        let End { any, side, closed, empty, read_waits, write_waits } = end;
        let (reads, descriptor) = (any.reads(), any.borrow().as_raw_fd());
        match any.into_handle() {
            Ok(handle) => {
                assert_eq!(handle.as_raw_fd(), descriptor, "the handle that the end had");
                let known = &mut self.sides[side];
                assert!(known.holders == 1 || !known.overlapped, "the clones lost their handle");
                known.readers += usize::from(!reads && known.reads.is_some());
                (known.driver, known.used) = (None, false);
                self.handles.push(Handle { descriptor: handle, side });
            }
            Err((error, any)) => self.refused(End { any, side, closed, empty, read_waits, write_waits }, &error, must),
        }
    }

    pub(super) fn make_stdio(&mut self, end: Pick) {
        let Some(at) = end.of(self.ends.len()) else { return };
        let end = self.ends.swap_remove(at);
        let must = self.must_convert(&end);
        let End { any, side, closed, empty, read_waits, write_waits } = end;
        let reads = any.reads();
        match any.into_stdio() {
            Ok(stdio) => {
                drop(stdio);
                self.one_holder_less(side, reads);
            }
            Err((error, any)) => self.refused(End { any, side, closed, empty, read_waits, write_waits }, &error, must),
        }
    }

    pub(super) fn adopt(&mut self, handle: Pick, kind: As, how: How) {
        let Some(at) = handle.of(self.handles.len()) else { return };
        let Handle { descriptor, side } = self.handles.swap_remove(at);
        let (number, known) = (descriptor.as_raw_fd(), &mut self.sides[side]);
        let goes = match kind {
            As::Reader => known.reads.is_some(),
            As::Writer => known.writes.is_some(),
            As::Duplex => known.reads.is_some() && known.writes.is_some(),
        };
        let fits = match how {
            How::Adopt | How::AdoptExclusive => true,
            How::TryOverlapped => known.overlapped,
            How::TryBlocking => !known.overlapped,
        };
        match adopt(descriptor, kind, how) {
            Ok(any) => {
                assert!(goes && fits, "{any:?} was adopted as something else");
                assert_eq!(any.is_overlapped(), known.overlapped);
                if !any.reads() && known.reads.is_some() {
                    self.one_reader_less(side);
                }
                self.ends.push(End::new(any, side));
            }
            Err(failed) => {
                assert!(!goes || !fits, "{}", failed.error());
                let (error, descriptor) = failed.into_parts();
                expect_error(&error, &[ErrorKind::InvalidInput]);
                assert_eq!(descriptor.as_raw_fd(), number, "the handle comes back");
                self.handles.push(Handle { descriptor, side });
            }
        }
    }

    pub(super) fn adopt_no_pipe(which: u8, kind: As, how: How) {
        let descriptor = plain::no_pipe(which);
        let number = descriptor.as_raw_fd();
        let failed = adopt(descriptor, kind, how).expect_err("it is no pipe");
        expect_error(failed.error(), &[ErrorKind::InvalidInput]);
        assert_eq!(failed.into_inner().as_raw_fd(), number, "the handle comes back");
    }

    pub(super) fn close_handle(&mut self, handle: Pick) {
        if let Some(at) = handle.of(self.handles.len()) {
            self.close_handle_at(at);
        }
    }

    pub(super) fn close_handle_at(&mut self, at: usize) {
        let Handle { descriptor, side } = self.handles.swap_remove(at);
        drop(descriptor);
        let reads = self.sides[side].reads.is_some();
        self.one_holder_less(side, reads);
    }
}
