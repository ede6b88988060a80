//! Decides whether a pair gets a name, if the caller leaves that to us.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::answers::{Refusal, refusal};
use super::Status;
use crate::contract::Failure;

/// Makes an unnamed pair if the system can, else a named one. The system is asked for an unnamed
/// pair each time, until it says that it never makes one.
pub(super) fn create<T>(
    refused: &AtomicBool,
    unnamed: impl FnOnce() -> Result<T, Status>,
    named: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if refused.load(Ordering::Relaxed) {
        return named();
    }
    unnamed().or_else(|status| match refusal(status.0) {
        Refusal::ForGood => {
            refused.store(true, Ordering::Relaxed);
            named()
        }
        Refusal::ThisTime => named(),
        Refusal::Other => Err(status.into()),
    })
}

/// Whether a status means that the system cannot do what was asked, rather than that the process
/// may not, or lacks a resource.
pub(super) fn is_refusal(status: Status) -> bool {
    !matches!(refusal(status.0), Refusal::Other)
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Foundation::{
        NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST,
        STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED,
        STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_INVALID,
        STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_TYPE_MISMATCH,
        STATUS_TOO_MANY_OPENED_FILES,
    };

    use super::*;

    fn refusing(status: NTSTATUS) -> (Result<&'static str, Failure>, bool) {
        let refused = AtomicBool::new(false);
        let result = create(&refused, || Err(Status(status)), || Ok("named"));
        (result, refused.into_inner())
    }

    #[test]
    fn auto_falls_back_where_unnamed_pipes_are_not_known() {
        for status in [STATUS_NOT_SUPPORTED, STATUS_NOT_IMPLEMENTED, STATUS_OBJECT_NAME_INVALID] {
            let (result, refused) = refusing(status);
            assert_eq!(result.unwrap(), "named");
            assert!(refused, "the refusal is remembered");
        }
    }

    /// One odd answer does not decide for all later pairs.
    #[test]
    fn auto_falls_back_for_one_pair_where_that_one_cannot_be_made() {
        for status in [
            STATUS_INVALID_DEVICE_REQUEST,
            STATUS_INVALID_PARAMETER,
            STATUS_OBJECT_NAME_NOT_FOUND,
            STATUS_OBJECT_PATH_INVALID,
            STATUS_OBJECT_PATH_NOT_FOUND,
            STATUS_OBJECT_PATH_SYNTAX_BAD,
            STATUS_OBJECT_TYPE_MISMATCH,
        ] {
            let (result, refused) = refusing(status);
            assert_eq!(result.unwrap(), "named", "{status:#x}");
            assert!(!refused, "{status:#x} is remembered");
        }
    }

    #[test]
    fn auto_remembers_the_refusal() {
        let refused = AtomicBool::new(true);
        let result = create(&refused, || panic!("not tried again"), || Ok("named"));
        assert_eq!(result.unwrap(), "named");
    }

    #[test]
    fn auto_reports_other_errors() {
        for (status, code) in [
            (STATUS_ACCESS_DENIED, 5),
            (STATUS_TOO_MANY_OPENED_FILES, 4),
            (STATUS_INSUFFICIENT_RESOURCES, 1450),
            (STATUS_NO_MEMORY, 8),
        ] {
            let (result, refused) = refusing(status);
            let error = result.unwrap_err().into_io(crate::contract::Action::Create, None);
            assert_eq!(crate::Error::of(&error).unwrap().raw_os_error(), Some(code));
            assert!(!refused);
        }
    }

    #[test]
    fn auto_prefers_unnamed() {
        let refused = AtomicBool::new(false);
        let result = create(&refused, || Ok("unnamed"), || panic!("a name where none is needed"));
        assert_eq!(result.unwrap(), "unnamed");
        assert!(!refused.load(Ordering::Relaxed));
    }
}
