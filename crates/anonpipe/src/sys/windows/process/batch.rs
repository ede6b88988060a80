//! Batch files, which `cmd.exe` runs: its rules for a command line are its own, and a mistake lets
//! an argument run a command.
//!
//! The escapes are those of Rust's standard library, which were found when all others were broken
//! ("BatBadBut", CVE-2024-24576).
//!
//! # References
//!
//! - [`CreateProcessW`], on batch files
//! - [cmd]
//! - [CVE-2024-24576](https://blog.rust-lang.org/2024/04/09/cve-2024-24576.html)
//!
//! [`CreateProcessW`]: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-createprocessw
//! [cmd]: https://learn.microsoft.com/en-us/windows-server/administration/windows-commands/cmd

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::command_line::{Arg, BACKSLASH, QUOTE, SPACE};
use super::{search, units};

/// Whether `cmd.exe` runs this file.
pub(super) fn is_batch(program: &Path) -> bool {
    let has = |known: &str| program.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(known));
    has("bat") || has("cmd")
}

/// The program that runs batch files.
pub(super) fn interpreter() -> io::Result<OsString> {
    Ok(search::system_folder()?.join("cmd.exe").into())
}

fn refuse(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The command line for `cmd.exe`, terminated.
pub(super) fn command_line(script: &Path, args: &[Arg]) -> io::Result<Vec<u16>> {
    let script = units(script.as_os_str())?;
    if script.contains(&QUOTE) || script.last() == Some(&BACKSLASH) {
        return Err(refuse("the path of a batch file cannot contain a quotation mark, or end with a backslash"));
    }
    // With extensions, without variables in `!`, without what the registry has every cmd.exe run
    // first; and in one more pair of quotes, which it takes off.
    let mut line: Vec<u16> = r#"cmd.exe /e:ON /v:OFF /d /c "#.encode_utf16().collect();
    line.extend([QUOTE, QUOTE]);
    line.extend(script);
    line.push(QUOTE);
    for arg in args {
        line.push(SPACE);
        let text = units(&arg.text)?;
        if arg.is_raw { line.extend(text) } else { append(&mut line, &text)? }
    }
    line.extend([QUOTE, 0]);
    Ok(line)
}

/// Adds one argument, escaped for `cmd.exe` and for the program that the batch file may pass it to.
fn append(line: &mut Vec<u16>, arg: &[u16]) -> io::Result<()> {
    if arg.iter().any(|unit| [u16::from(b'\n'), u16::from(b'\r')].contains(unit)) {
        return Err(refuse("an argument for a batch file cannot contain a line break: cmd.exe would cut it there"));
    }
    let is_quoted =
        arg.is_empty() || arg.last() == Some(&BACKSLASH) || !char::decode_utf16(arg.iter().copied()).all(is_plain);
    if is_quoted {
        line.push(QUOTE);
    }
    let mut backslashes = 0;
    for &unit in arg {
        if unit == QUOTE {
            // Two for each backslash before it, and two quotation marks for one.
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
            line.push(QUOTE);
        } else if unit == u16::from(b'%') {
            // An empty part of a variable that always exists: the percent sign cannot begin the
            // name of one.
            line.extend("%%cd:~,".encode_utf16());
        }
        backslashes = if unit == BACKSLASH { backslashes + 1 } else { 0 };
        line.push(unit);
    }
    if is_quoted {
        line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
        line.push(QUOTE);
    }
    Ok(())
}

/// What means nothing to `cmd.exe`. Rather too little than too much.
fn is_plain(decoded: Result<char, std::char::DecodeUtf16Error>) -> bool {
    decoded.is_ok_and(|char| match char {
        char if char.is_ascii() => char.is_ascii_alphanumeric() || r"#$*+-./:?@\_".contains(char),
        char => !char.is_control(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Arg, command_line};

    fn line(args: &[&str]) -> std::io::Result<String> {
        let args: Vec<_> = args.iter().map(|arg| Arg { text: arg.into(), is_raw: false }).collect();
        let mut line = command_line(r"c:\a b.cmd".as_ref(), &args)?;
        assert_eq!(line.pop(), Some(0));
        Ok(String::from_utf16(&line).expect("text"))
    }

    #[test]
    fn arguments_are_escaped_for_cmd() {
        let escaped = |args: &[&str]| {
            let line = line(args).expect("a command line");
            let rest = line.strip_prefix(r#"cmd.exe /e:ON /v:OFF /d /c ""c:\a b.cmd""#);
            rest.and_then(|rest| rest.strip_suffix('"')).expect(&line).to_owned()
        };
        assert_eq!(escaped(&[]), "");
        assert_eq!(escaped(&["a-b/c", "", "d e"]), r#" a-b/c "" "d e""#);
        assert_eq!(escaped(&["&calc", "^", "|"]), r#" "&calc" "^" "|""#);
        assert_eq!(escaped(&[r#"a"&calc"#, r"b\"]), r#" "a""&calc" "b\\""#);
        assert_eq!(escaped(&["%PATH%"]), r#" "%%cd:~,%PATH%%cd:~,%""#);
        assert_eq!(line(&["a\nb"]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        assert!(line(&["a\rb"]).is_err());
    }
}
