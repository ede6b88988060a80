//! What this crate was doing when an error occurred, in words.

use std::fmt;

use crate::contract::EndName;

macro_rules! actions {
    ($($(#[$attribute:meta])* $name:ident: $words:literal $(+ $to_the_end:literal)?,)+) => {
        /// An action, and its words in a sentence: "cannot ACTION", or "cannot ACTION END" about
        /// one end. A preposition before the end belongs to the action.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$attribute])* $name,)+
        }

        impl Action {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)+];

            /// The action, and the words between it and the end, if there is one.
            fn words(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($words, concat!($(" ", $to_the_end,)? " ")),)+
                }
            }
        }
    };
}

actions! {
    // With an end.
    Read: "read" + "from",
    Write: "write" + "to",
    Close: "close",
    Clone: "clone",
    Convert: "convert",
    Attach: "attach a driver" + "to",
    ShutDown: "shut down writing" + "on",
    CountAvailable: "count the bytes available" + "on",
    Describe: "ask for information" + "about",
    // Without an end.
    Create: "create a pipe",
    Adopt: "adopt a handle",
    Join: "join a reader and a writer",
    MakeDriver: "make a driver",
    Turn: "turn a driver",
    Spawn: "start a child",
    WaitForChild: "wait for a child",
    EndChild: "end a child",
    AttachChild: "attach a driver to a child",
    #[cfg_attr(not(windows), allow(dead_code, reason = "other systems have none"))]
    MakeDescriptor: "make a security descriptor",
    #[cfg_attr(not(windows), allow(dead_code, reason = "other systems have none"))]
    CopyDescriptor: "copy a security descriptor",
}

impl Action {
    /// Begins the sentence: what cannot be done, and to which end.
    pub(super) fn write_cannot(self, end: Option<&EndName>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, to_the_end) = self.words();
        write!(f, "cannot {words}")?;
        match end {
            Some(end) => write!(f, "{to_the_end}{end}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::Action;
    use crate::contract::{Direction, EndName, Failure, Role};

    /// Read these sentences aloud.
    #[test]
    fn every_sentence() {
        let end = |role, direction| EndName { called: None, role, direction };
        let server = end(Some(Role::Server), Some(Direction::Inbound));
        let (client, adopted) = (end(Some(Role::Client), Some(Direction::Outbound)), end(None, None));
        let duplex = end(None, Some(Direction::Duplex));
        let sentences = [
            (Action::Read, Some(server), "cannot read from the server end of an inbound pipe: no"),
            (Action::Write, Some(client), "cannot write to the client end of an outbound pipe: no"),
            (Action::Close, Some(adopted), "cannot close an adopted end: no"),
            (Action::Clone, Some(duplex), "cannot clone an adopted end of a duplex pipe: no"),
            (Action::Convert, Some(server), "cannot convert the server end of an inbound pipe: no"),
            (Action::Attach, Some(server), "cannot attach a driver to the server end of an inbound pipe: no"),
            (Action::ShutDown, Some(duplex), "cannot shut down writing on an adopted end of a duplex pipe: no"),
            (Action::CountAvailable, Some(adopted), "cannot count the bytes available on an adopted end: no"),
            (Action::Describe, Some(client), "cannot ask for information about the client end of an outbound pipe: no"),
            (Action::Create, None, "cannot create a pipe: no"),
            (Action::Adopt, None, "cannot adopt a handle: no"),
            (Action::Join, None, "cannot join a reader and a writer: no"),
            (Action::MakeDriver, None, "cannot make a driver: no"),
            (Action::Turn, None, "cannot turn a driver: no"),
            (Action::Spawn, None, "cannot start a child: no"),
            (Action::WaitForChild, None, "cannot wait for a child: no"),
            (Action::EndChild, None, "cannot end a child: no"),
            (Action::AttachChild, None, "cannot attach a driver to a child: no"),
            (Action::MakeDescriptor, None, "cannot make a security descriptor: no"),
            (Action::CopyDescriptor, None, "cannot copy a security descriptor: no"),
        ];
        for (action, end, sentence) in sentences {
            assert_eq!(Failure::refused(ErrorKind::Other, "no").into_io(action, end).to_string(), sentence);
        }
        let all: Vec<_> = sentences.iter().map(|(action, ..)| *action).collect();
        assert_eq!(all, Action::ALL, "a sentence is missing here");
    }

    #[test]
    fn every_cause() {
        let end = EndName { called: None, role: Some(Role::Client), direction: Some(Direction::Duplex) };
        let text = |action, failure: Failure| {
            let text = failure.into_io(action, end).to_string();
            text.split_once(" the client end of a duplex pipe: ").expect("the end").1.to_owned()
        };
        let cancelled = |transferred| Failure::Cancelled { transferred };
        let timed_out = |transferred| Failure::TimedOut { transferred };
        let system = |transferred| Failure::os(Error::other("odd"), transferred);
        assert_eq!(text(Action::Read, cancelled(Some(0))), "it was cancelled, nothing had gone");
        assert_eq!(text(Action::Write, cancelled(Some(3))), "it was cancelled, 3 bytes had gone");
        let unknown = "it was cancelled, and the system does not tell how much had gone";
        assert_eq!(text(Action::Write, cancelled(None)), unknown);
        assert_eq!(text(Action::Write, timed_out(Some(1))), "the time was up, 1 byte had gone");
        assert_eq!(text(Action::Read, system(Some(0))), "odd");
        assert_eq!(text(Action::Write, system(Some(7))), "odd; 7 bytes had gone before");
        assert_eq!(text(Action::Write, system(Some(1))), "odd; 1 byte had gone before");
        let broken = Failure::os(Error::from(ErrorKind::BrokenPipe), Some(0));
        assert_eq!(text(Action::Write, broken), "broken pipe (the peer does not read any more: stop writing)");
        let denied = || Failure::os(Error::from(ErrorKind::PermissionDenied), Some(0));
        assert_eq!(text(Action::Write, denied()), "permission denied (was the end opened for reading only?)");
        assert_eq!(text(Action::Read, denied()), "permission denied (was the end opened for writing only?)");
    }

    /// A caller who reads one of these knows what to do.
    #[test]
    fn what_has_run_out() {
        let text = |code: i32| {
            let error = Failure::from(Error::from_raw_os_error(code)).into_io(Action::MakeDriver, None);
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}");
            error.to_string()
        };
        #[cfg(unix)]
        let codes = [libc::EMFILE, libc::ENFILE, libc::EAGAIN, libc::ENOSPC, libc::ENOMEM, libc::ENOBUFS];
        #[cfg(windows)]
        let codes = [4, 8, 14, 1450, 1455, 1816];
        for code in codes {
            let (text, system) = (text(code), Error::from_raw_os_error(code).to_string());
            let advice = text.strip_prefix(&format!("cannot make a driver: {system} (")).expect(&text);
            assert!(advice.len() > 20 && advice.ends_with(')'), "{text}");
        }
    }
}
