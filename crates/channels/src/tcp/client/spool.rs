//! A place for octets that are written once and read again: in memory while they are few, else
//! in a file without a name, which vanishes with the process however that ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets that stay in memory.
const IN_MEMORY: usize = 256 << 10;

/// Written by its [`Write`], read by [`Spool::open`].
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    /// An empty one. Nothing is created before there is much to keep.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            memory: Vec::new(),
            file: None,
        }
    }

    /// A reader from the beginning.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.file {
            None => Box::new(self.memory.as_slice()),
            Some(file) => Box::new(FileReader { file, at: 0 }),
        })
    }

    fn create(&self) -> io::Result<File> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tcp_smtp_client.{}.{number}", std::process::id());
        let path = self.folder.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }
}

impl Write for Spool {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + octets.len() > IN_MEMORY {
            let mut file = self.create()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write(octets),
            None => self.memory.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a file without moving the position that its writer uses.
struct FileReader<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_goes_into_a_file_that_nobody_sees() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, 1000, 40_000] {
            let mut spool = Spool::new(folder.path());
            for _ in 0..count {
                spool.write_all(b"ten octets").unwrap();
            }
            for _ in 0..2 {
                let mut text = String::new();
                spool.open().unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, "ten octets".repeat(count));
            }
            assert_eq!(spool.file.is_some(), count == 40_000);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
