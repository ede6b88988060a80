//! The command line, from which the child's runtime makes its arguments again.
//!
//! # References
//!
//! - [`CommandLineToArgvW`]
//! - [Parsing C command-line arguments]
//!
//! [`CommandLineToArgvW`]: https://learn.microsoft.com/en-us/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw
//! [Parsing C command-line arguments]: https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments

use std::ffi::{OsStr, OsString};
use std::io;

use super::units;

/// An argument, and whether the command line gets it as it is.
#[derive(Debug, Clone)]
pub(super) struct Arg {
    pub(super) text: OsString,
    pub(super) is_raw: bool,
}

pub(super) const QUOTE: u16 = b'"' as u16;
pub(super) const BACKSLASH: u16 = b'\\' as u16;
pub(super) const SPACE: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;

/// The command line of `program`, terminated.
pub(super) fn of(program: &OsStr, args: &[Arg]) -> io::Result<Vec<u16>> {
    let program = units(program)?;
    if program.contains(&QUOTE) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program's name can contain a quotation mark"));
    }
    // Always quoted, so that a space does not make a shorter name of it.
    let mut line = vec![QUOTE];
    line.extend(program);
    line.push(QUOTE);
    for arg in args {
        line.push(SPACE);
        let text = units(&arg.text)?;
        if arg.is_raw { line.extend(text) } else { append(&mut line, &text) }
    }
    line.push(0);
    Ok(line)
}

/// Adds one argument, quoted if it has to be.
fn append(line: &mut Vec<u16>, arg: &[u16]) {
    let is_quoted = arg.is_empty() || arg.iter().any(|unit| [SPACE, TAB].contains(unit));
    if is_quoted {
        line.push(QUOTE);
    }
    // Backslashes count only before a quotation mark: there, two stand for one.
    let mut backslashes = 0;
    for &unit in arg {
        if unit == QUOTE {
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH { backslashes + 1 } else { 0 };
        line.push(unit);
    }
    if is_quoted {
        line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
        line.push(QUOTE);
    }
}

#[cfg(test)]
mod tests {
    use super::{Arg, of};

    fn line(args: &[&str]) -> String {
        let args: Vec<_> = args.iter().map(|arg| Arg { text: arg.into(), is_raw: false }).collect();
        let mut line = of("a b".as_ref(), &args).expect("a command line");
        assert_eq!(line.pop(), Some(0));
        String::from_utf16(&line).expect("text")
    }

    #[test]
    fn arguments_are_quoted_where_they_have_to_be() {
        assert_eq!(line(&[]), r#""a b""#);
        assert_eq!(line(&["x", "", "y z"]), r#""a b" x "" "y z""#);
        assert_eq!(line(&[r"c:\d\", r"c:\d e\"]), r#""a b" c:\d\ "c:\d e\\""#);
        assert_eq!(line(&[r#"""#, r#"\""#, r#"\\ ""#]), r#""a b" \" \\\" "\\ \"""#);
        assert!(of("a".as_ref(), &[Arg { text: "b\0c".into(), is_raw: false }]).is_err());
        assert!(of(r#"a"b"#.as_ref(), &[]).is_err());
    }
}
