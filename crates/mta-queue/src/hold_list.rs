//! The list of stopped channels, `data/db/hold_list`: one name per line.
//!
//! It outlives the Job Controller and the host, and works whether or not anything runs. A
//! change is written aside, synced and renamed under a lock on `hold_list.lock`.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use mta_envelope::names::ChannelName;

use crate::name;
use crate::sync;

/// How long a change waits for another one to finish.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most octets of the list that are read.
const MAX_LIST: u64 = 1024 * 1024;

/// The list of stopped channels of one server.
#[derive(Debug, Clone)]
pub struct HoldList {
    directory: PathBuf,
    patience: Duration,
}

/// The list could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum HoldListError {
    /// A channel is not stopped, because the list cannot be changed.
    #[error("unable to stop the channel; cannot update the hold list")]
    NotStopped {
        /// Why.
        source: io::Error,
    },
    /// A channel is not started, because the list cannot be changed.
    #[error("unable to start the channel; cannot update the hold list")]
    NotStarted {
        /// Why.
        source: io::Error,
    },
    /// The list cannot be read.
    #[error("cannot read the hold list")]
    Unreadable {
        /// Why.
        #[from]
        source: io::Error,
    },
}

impl HoldListError {
    /// The identifier of the operator's message: `NOTSTOPPED`, `NOTSTARTED`, `NOTREAD`.
    #[must_use]
    pub const fn ident(&self) -> &'static str {
        match self {
            Self::NotStopped { .. } => "NOTSTOPPED",
            Self::NotStarted { .. } => "NOTSTARTED",
            Self::Unreadable { .. } => "NOTREAD",
        }
    }
}

impl HoldList {
    /// The list in `directory` (`data/db`). Nothing is read yet.
    #[must_use]
    pub fn open(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            patience: PATIENCE,
        }
    }

    /// The stopped channels. Lines that are no channel's name are ignored.
    ///
    /// # Errors
    /// [`HoldListError::Unreadable`]; a list that is not there is empty.
    pub fn list(&self) -> Result<BTreeSet<ChannelName>, HoldListError> {
        Ok(self.read()?)
    }

    /// Adds a channel; says whether it was not yet stopped. Durable on return.
    ///
    /// # Errors
    /// [`HoldListError::NotStopped`].
    pub fn stop(&self, channel: &ChannelName) -> Result<bool, HoldListError> {
        self.change(|list| list.insert(channel.clone()))
            .map_err(|source| HoldListError::NotStopped { source })
    }

    /// Takes a channel out; says whether it was stopped. Durable on return.
    ///
    /// # Errors
    /// [`HoldListError::NotStarted`].
    pub fn start(&self, channel: &ChannelName) -> Result<bool, HoldListError> {
        self.change(|list| list.remove(channel))
            .map_err(|source| HoldListError::NotStarted { source })
    }

    fn read(&self) -> io::Result<BTreeSet<ChannelName>> {
        let file = match File::open(self.directory.join("hold_list")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let text = io::read_to_string(io::Read::take(file, MAX_LIST))?;
        let names = text.lines().map(str::trim);
        Ok(names
            .filter_map(|name| ChannelName::new(name).ok())
            .collect())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<ChannelName>) -> bool) -> io::Result<bool> {
        let lock = self.lock()?;
        let mut list = self.read()?;
        let changed = change(&mut list);
        if changed {
            self.write(&list)?;
        }
        drop(lock);
        Ok(changed)
    }

    fn write(&self, list: &BTreeSet<ChannelName>) -> io::Result<()> {
        let aside = self
            .directory
            .join(format!(".hold_list-{}", name::unique()));
        let mut file = private().create_new(true).open(&aside)?;
        let written = list
            .iter()
            .try_for_each(|channel| writeln!(file, "{channel}"))
            .and_then(|()| sync::file(&file))
            .and_then(|()| std::fs::rename(&aside, self.directory.join("hold_list")));
        if let Err(error) = written {
            // The first error is the one to be told.
            drop(std::fs::remove_file(&aside));
            return Err(error);
        }
        sync::directory(File::open(&self.directory)?)
    }

    fn lock(&self) -> io::Result<File> {
        let file = private()
            .create(true)
            .truncate(false)
            .open(self.directory.join("hold_list.lock"))?;
        let end = Instant::now() + self.patience;
        loop {
            match fs2::FileExt::try_lock_exclusive(&file) {
                Ok(()) => return Ok(file),
                Err(error)
                    if error.kind() != io::ErrorKind::WouldBlock || Instant::now() >= end =>
                {
                    return Err(error);
                }
                // flock has no time limit of its own.
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name).unwrap()
    }

    #[test]
    fn stopped_channels_are_remembered_until_they_are_started() {
        let area = tempfile::tempdir().unwrap();
        let list = HoldList::open(area.path());
        assert!(list.list().unwrap().is_empty());
        assert!(list.stop(&channel("tcp_local")).unwrap());
        assert!(list.stop(&channel("ims-ms")).unwrap());
        assert!(!list.stop(&channel("tcp_local")).unwrap());
        let text = std::fs::read_to_string(area.path().join("hold_list")).unwrap();
        assert_eq!(text, "ims-ms\ntcp_local\n");
        assert!(list.start(&channel("ims-ms")).unwrap());
        assert!(!list.start(&channel("ims-ms")).unwrap());
        assert_eq!(list.list().unwrap(), BTreeSet::from([channel("tcp_local")]));
    }

    #[test]
    fn a_change_gives_up_when_another_one_keeps_the_lock() {
        let area = tempfile::tempdir().unwrap();
        let mut list = HoldList::open(area.path());
        let lock = list.lock().unwrap();
        list.patience = Duration::from_millis(50);
        let error = list.stop(&channel("l")).unwrap_err();
        assert_eq!(error.ident(), "NOTSTOPPED");
        drop(lock);
        assert!(list.stop(&channel("l")).unwrap());
    }

    #[test]
    fn nonsense_in_the_list_is_ignored() {
        let area = tempfile::tempdir().unwrap();
        std::fs::write(area.path().join("hold_list"), "l\n\n../x\n tcp_local \n").unwrap();
        let list = HoldList::open(area.path()).list().unwrap();
        assert_eq!(list, BTreeSet::from([channel("l"), channel("tcp_local")]));
    }

    #[test]
    fn nothing_is_left_aside_when_the_directory_is_missing() {
        let area = tempfile::tempdir().unwrap();
        let list = HoldList::open(&area.path().join("missing"));
        let error = list.start(&channel("l")).unwrap_err();
        assert_eq!(error.ident(), "NOTSTARTED");
    }
}
