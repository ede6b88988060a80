//! What the three types of an end have in common.

use std::fmt::Debug;
#[cfg(unix)]
pub(crate) use std::os::fd::OwnedFd as Handle;
#[cfg(windows)]
pub(crate) use std::os::windows::io::OwnedHandle as Handle;

use anonpipe::{Adopted, Blocking, ConversionError, Driver, Duplex, Overlapped, Reader, Writer};

use crate::tally::Tally;

/// What can be done with an overlapped end of any type.
pub(crate) trait AnyEnd: Debug + Sized {
    fn another(&self) -> Self;
    fn give_to(&self, driver: &Driver);
    fn into_handle(self) -> Result<Handle, ConversionError<Self>>;
    fn of_handle(handle: Handle, choice: usize) -> Self;
    fn halves_and_back(self) -> Self;
    fn look(&self);
}

macro_rules! any_end {
    ($end:ident, $halves_and_back:expr) => {
        impl AnyEnd for $end<Overlapped> {
            fn another(&self) -> Self {
                self.try_clone().expect("a clone")
            }

            fn give_to(&self, driver: &Driver) {
                self.attach(driver).expect("nothing was submitted on it");
            }

            fn into_handle(self) -> Result<Handle, ConversionError<Self>> {
                self.try_into()
            }

            fn of_handle(handle: Handle, choice: usize) -> Self {
                let adopted = match choice {
                    0 => return handle.try_into().expect("it was one before"),
                    1 => Self::adopt(handle),
                    // No other actor ever had it.
                    _ => Self::adopt_exclusive(handle),
                };
                match adopted {
                    Ok(Adopted::Overlapped(end)) => end,
                    other => panic!("it was overlapped before: {other:?}"),
                }
            }

            fn halves_and_back(self) -> Self {
                $halves_and_back(self)
            }

            fn look(&self) {
                let _ = (self.info().expect("information"), format!("{self:?}"));
            }
        }
    };
}

any_end!(Reader, |reader| reader);
any_end!(Writer, |writer| writer);
any_end!(Duplex, |duplex: Self| {
    let (reader, writer) = duplex.split();
    Self::unsplit(reader, writer).expect("the halves of one end")
});

/// What can be done with a blocking end of any type, without reading or writing.
pub(crate) trait PlainEnd: Sized {
    fn another(&self) -> Self;
    fn there_and_back(self) -> Self;
}

macro_rules! plain_end {
    ($($end:ident),+) => {$(
        impl PlainEnd for $end<Blocking> {
            fn another(&self) -> Self {
                self.try_clone().expect("a clone")
            }

            fn there_and_back(self) -> Self {
                Tally::Converted.one();
                Handle::from(self).try_into().expect("it was one before")
            }
        }
    )+};
}

plain_end!(Reader, Writer, Duplex);
