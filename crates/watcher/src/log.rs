//! `data/log/watcher`: what was started, stopped, and died; and what daemons write to their
//! standard error.

use std::fmt::Arguments;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Stdio;

use mta_config::paths::ServerRoot;

/// Where it lies.
pub(crate) fn path(root: &ServerRoot) -> PathBuf {
    root.log().join("watcher")
}

/// The watcher's log.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
}

impl Log {
    /// Opens it for appending; makes it, and its directory, if they are missing.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(root: &ServerRoot) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root.log())?;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path(root))?;
        Ok(Self { file })
    }

    /// Writes one line.
    pub(crate) fn tell(&self, text: Arguments<'_>) {
        let stamp = mta_log::time::stamp(mta_log::time::now());
        let text = text.to_string();
        let line = format!("{stamp}: {}\n", mta_log::escape::text(&text));
        // A full disk must not stop the one who keeps everything else running.
        drop((&self.file).write_all(line.as_bytes()));
    }

    /// Another handle of it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn reopened(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
        })
    }

    /// The log as a child's standard error.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn for_child(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.file.try_clone()?))
    }
}
