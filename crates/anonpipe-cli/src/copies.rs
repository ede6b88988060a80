//! The files that get a copy of each stream.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::args::Run;
use crate::output::Stream;
use crate::status::Fatal;
use crate::sys;

/// Opened before the command is started, and emptied afterwards: a command that cannot be started
/// costs no one a file.
pub(crate) struct Copies {
    /// Where the copies are written, in the order of [`Stream::ALL`]. Always at the file's end, so
    /// that both may be one file, by any name.
    files: [Option<File>; 2],
    /// The same files, those that have a length.
    full: Vec<File>,
}

impl Copies {
    pub(crate) fn open(run: &Run) -> Result<Self, Fatal> {
        let mut copies = Self { files: [None, None], full: Vec::new() };
        for (stream, path) in Stream::ALL.into_iter().zip([&run.stdout, &run.stderr]) {
            let Some(path) = path else { continue };
            copies.files[stream as usize] = Some(
                copies
                    .open_one(path)
                    .map_err(|error| Fatal::new(format_args!("cannot create '{}'", path.display()), &error))?,
            );
        }
        Ok(copies)
    }

    fn open_one(&mut self, path: &Path) -> io::Result<File> {
        let file = sys::open_copy(path)?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(file);
        }
        // Windows appends only what may not be written elsewhere, nor emptied (*documented*, "File
        // Access Rights Constants").
        let end = File::options().append(true).open(path)?;
        self.full.push(file);
        Ok(end)
    }

    /// Takes the files, which have what the run before left.
    pub(crate) fn take_files(&mut self) -> [Option<File>; 2] {
        std::mem::take(&mut self.files)
    }

    /// Empties the files. To be done before anything is written.
    pub(crate) fn empty(self) -> io::Result<()> {
        self.full.iter().try_for_each(|file| file.set_len(0))
    }
}
