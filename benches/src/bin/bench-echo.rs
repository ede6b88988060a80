//! Sends its standard input back on its standard output, with the plainest blocking calls there
//! are: the child of every measurement that has one.

use std::fs::File;
use std::io::{self, Read, Write};

/// The streams without std's buffers, which would split what arrives.
#[cfg(unix)]
fn streams() -> io::Result<(File, File)> {
    use std::os::fd::AsFd;
    Ok((io::stdin().as_fd().try_clone_to_owned()?.into(), io::stdout().as_fd().try_clone_to_owned()?.into()))
}

/// The streams without std's buffers, which would split what arrives.
#[cfg(windows)]
fn streams() -> io::Result<(File, File)> {
    use std::os::windows::io::AsHandle;
    Ok((io::stdin().as_handle().try_clone_to_owned()?.into(), io::stdout().as_handle().try_clone_to_owned()?.into()))
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = streams()?;
    let mut buffer = vec![0; 65536];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        output.write_all(&buffer[..count])?;
    }
}
