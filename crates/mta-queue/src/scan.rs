//! Walking a channel's directories. A scan trusts only names; whether a file is whole shows
//! when it is read.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::dir::{Dir, OwningIter, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use mta_envelope::envelope::Envelope;
use mta_envelope::names::{ChannelName, FileName, Place};

use crate::Queue;
use crate::directory::Directory;
use crate::enqueue::TEMPORARY;
use crate::error::TakeError;
use crate::file::{Contents, ReadError};
use crate::history::Attempt;
use crate::message::Message;

/// How old a temporary file must be before it can be cleaned up.
pub const STALE: Duration = Duration::from_secs(24 * 3600);

/// Most foreign names that are listed of a channel.
const MAX_FOREIGN: usize = 1000;

/// Most faults that a scan remembers.
const MAX_FAULTS: usize = 1000;

/// A message file that a scan has come across; held ones too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub place: Place,
    /// Seconds since 1970 of its last change: its arrival, or the end of the last attempt.
    pub mtime: u64,
    /// Octets of the file.
    pub len: u64,
}

/// Something that a scan could not look at; what lies there was not met.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ScanFault {
    /// A directory, or a file of it.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

/// A walk through one channel's directories.
#[derive(Debug)]
pub struct Scan {
    queue: Queue,
    channel: ChannelName,
    here: Option<Here>,
    /// Subdirectories still to be visited, the last one first.
    subdirs: Vec<u16>,
    faults: Vec<ScanFault>,
}

struct Here {
    subdir: Option<u16>,
    directory: Directory,
    entries: OwningIter,
}

impl std::fmt::Debug for Here {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Here")
            .field("subdir", &self.subdir)
            .finish_non_exhaustive()
    }
}

/// An entry of a channel's directories, by its name alone.
enum Entry {
    Message(FileName),
    Temporary,
    Foreign,
}

impl Queue {
    /// The channels that have a directory, by name.
    ///
    /// # Errors
    /// Those of reading the queue directory.
    pub fn channels(&self) -> io::Result<Vec<ChannelName>> {
        let mut channels: Vec<ChannelName> = entries(self.root())?
            .filter_map(Result::ok)
            .filter(|entry| matches!(entry.file_type(), Some(Type::Directory) | None))
            .filter_map(|entry| ChannelName::new(entry.file_name().to_str().ok()?).ok())
            .collect();
        channels.sort();
        Ok(channels)
    }

    /// Walks through a channel's directories. A channel without a directory is empty. Files
    /// that come, go or are renamed meanwhile may be met once, twice or not at all. What cannot be
    /// read is passed over and told by [`Scan::faults`].
    #[must_use]
    pub fn scan(&self, channel: &ChannelName) -> Scan {
        let mut scan = Scan {
            queue: self.clone(),
            channel: channel.clone(),
            here: None,
            subdirs: Vec::new(),
            faults: Vec::new(),
        };
        scan.here = scan.open(None);
        scan
    }

    /// What lies in a channel's directories and is no message file, up to a thousand paths.
    ///
    /// # Errors
    /// Those of reading the directories.
    pub fn strangers(&self, channel: &ChannelName) -> io::Result<Vec<PathBuf>> {
        let mut strangers = Vec::new();
        self.each(channel, |directory, name, entry| {
            if matches!(entry, Entry::Foreign) && strangers.len() < MAX_FOREIGN {
                strangers.push(directory.path().join(name));
            }
            Ok(())
        })?;
        Ok(strangers)
    }

    /// Removes temporary files that are older than [`STALE`] and whose writer is gone. Returns
    /// how many.
    ///
    /// # Errors
    /// Those of reading the directories and of removing a file.
    pub fn clean(&self, channel: &ChannelName, now: u64) -> io::Result<usize> {
        let mut removed = 0;
        self.each(channel, |directory, name, entry| {
            if matches!(entry, Entry::Temporary) && remove_if_stale(directory, name, now)? {
                removed += 1;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// Opens a message file for reading, without a lock. `verify` reads all of it.
    ///
    /// # Errors
    /// [`TakeError::Gone`], [`TakeError::Damaged`] or [`TakeError::Io`].
    pub fn read_message(
        &self,
        channel: &ChannelName,
        place: &Place,
        verify: bool,
    ) -> Result<Message, TakeError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => TakeError::Gone,
            _ => error.into(),
        };
        let directory = self.root().existing(channel, place.subdir).map_err(gone)?;
        let file = directory.open(place.file.as_str(), false).map_err(gone)?;
        match Contents::read(&file, &place.file, verify) {
            Ok(contents) => Ok(Message::new(file, contents)),
            Err(ReadError::Fault(fault)) => Err(TakeError::Damaged { fault }),
            Err(ReadError::Io(source)) => Err(source.into()),
        }
    }

    /// Reads the outside of a message file and its history, without a lock and without its
    /// content.
    ///
    /// # Errors
    /// As [`Queue::read_message`].
    pub fn read_envelope(
        &self,
        channel: &ChannelName,
        place: &Place,
    ) -> Result<(Envelope, Vec<Attempt>), TakeError> {
        let message = self.read_message(channel, place, false)?;
        let contents = message.contents;
        Ok((contents.head.envelope, contents.history))
    }

    fn each(
        &self,
        channel: &ChannelName,
        mut visit: impl FnMut(&Directory, &str, Entry) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut todo = vec![None];
        while let Some(subdir) = todo.pop() {
            let directory = match self.root().existing(channel, subdir) {
                Ok(directory) => directory,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries(&directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy();
                match subdir_number(&name).filter(|_| subdir.is_none()) {
                    Some(number) => todo.push(Some(number)),
                    None if name == "." || name == ".." => {}
                    None => visit(&directory, &name, classify(&name))?,
                }
            }
        }
        Ok(())
    }
}

impl Scan {
    /// What could not be read so far, up to a thousand; a directory that is not there is empty
    /// and no fault. Gives each once, so it is asked when the walk is over.
    pub fn faults(&mut self) -> Vec<ScanFault> {
        std::mem::take(&mut self.faults)
    }

    fn open(&mut self, subdir: Option<u16>) -> Option<Here> {
        let opened = self
            .queue
            .root()
            .existing(&self.channel, subdir)
            .and_then(|directory| {
                Ok(Here {
                    subdir,
                    entries: entries(&directory)?,
                    directory,
                })
            });
        opened
            .map_err(|source| {
                let mut path = self.queue.path().join(self.channel.as_str());
                path.extend(subdir.map(|number| format!("{number:03}")));
                self.fault(path, source);
            })
            .ok()
    }

    fn fault(&mut self, path: PathBuf, source: io::Error) {
        if source.kind() != io::ErrorKind::NotFound && self.faults.len() < MAX_FAULTS {
            self.faults.push(ScanFault { path, source });
        }
    }
}

impl Iterator for Scan {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let Some(here) = &mut self.here else {
                let subdir = self.subdirs.pop()?;
                self.here = self.open(Some(subdir));
                continue;
            };
            let entry = match here.entries.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => {
                    let path = here.directory.path().to_owned();
                    self.here = None;
                    self.fault(path, error.into());
                    continue;
                }
                None => {
                    self.here = None;
                    continue;
                }
            };
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if here.subdir.is_none()
                && let Some(number) = subdir_number(name)
            {
                self.subdirs.push(number);
                continue;
            }
            let Entry::Message(file) = classify(name) else {
                continue;
            };
            match here.directory.stat(name) {
                Ok(stat) => {
                    let subdir = here.subdir;
                    return Some(Found {
                        place: Place { subdir, file },
                        mtime: u64::try_from(stat.st_mtime).unwrap_or_default(),
                        len: u64::try_from(stat.st_size).unwrap_or_default(),
                    });
                }
                Err(error) => {
                    let path = here.directory.path().join(name);
                    self.fault(path, error);
                }
            }
        }
    }
}

fn entries(directory: impl std::os::fd::AsFd) -> io::Result<OwningIter> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(Dir::openat(directory, ".", flags, Mode::empty())?.into_iter())
}

fn subdir_number(name: &str) -> Option<u16> {
    (name.len() == 3 && name.bytes().all(|b| b.is_ascii_digit()))
        .then(|| name.parse().ok())
        .flatten()
}

fn classify(name: &str) -> Entry {
    if name.starts_with(TEMPORARY) {
        return Entry::Temporary;
    }
    FileName::parse(name).map_or(Entry::Foreign, Entry::Message)
}

fn remove_if_stale(directory: &Directory, name: &str, now: u64) -> io::Result<bool> {
    let file = match directory.open(name, true) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let stat = nix::sys::stat::fstat(&file)?;
    let changed = u64::try_from(stat.st_mtime).unwrap_or_default();
    if now.saturating_sub(changed) < STALE.as_secs()
        || fs2::FileExt::try_lock_exclusive(&file).is_err()
    {
        return Ok(false);
    }
    match directory.unlink(name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
