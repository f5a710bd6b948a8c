//! Taking a message out of the queue and settling it.
//!
//! A [`Dequeued`] holds the lock of its file. Whoever drops it without settling it leaves the
//! message as it was: "try again later", never "delivered".

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::FallocateFlags;
use nix::sys::stat::SFlag;
use nix::sys::time::TimeSpec;

use mta_envelope::names::{ChannelName, Place};

use crate::Queue;
use crate::directory::Directory;
use crate::enqueue::{self, Placed};
use crate::error::{Fault, SettleError, TakeError};
use crate::file::{Contents, ReadError, Slice};
use crate::history::Attempt;
use crate::message::Message;
use crate::name;
use crate::record::Head;
use crate::sync;

/// Octets that a note of one recipient who is done takes at most.
const LONGEST_DONE: u64 = 64;

/// A message file that is ours until it is settled.
#[must_use = "a message that is not settled stays in the queue as it was"]
#[derive(Debug)]
pub struct Dequeued {
    directory: Arc<Directory>,
    channel: ChannelName,
    place: Place,
    message: Message,
}

impl Queue {
    /// Locks a message file, reads its envelope and verifies all of it. A file that is damaged,
    /// cut or foreign is renamed to its held name and never delivered.
    ///
    /// # Errors
    /// [`TakeError::Gone`] and [`TakeError::Busy`] in the ordinary course of things,
    /// [`TakeError::SetAside`] or [`TakeError::Damaged`] for a file that must not be delivered.
    pub fn take(&self, channel: &ChannelName, place: &Place) -> Result<Dequeued, TakeError> {
        let (directory, file) = match self.lock_file(channel, place) {
            Ok(locked) => locked,
            Err(TakeError::Damaged { fault }) => {
                return Err(self.set_aside(channel, place, fault));
            }
            Err(error) => return Err(error),
        };
        match Contents::read(&file, &place.file, true) {
            Ok(contents) if contents.left.is_empty() => {
                // Everybody was dealt with, and only the removal failed.
                directory.unlink(place.file.as_str())?;
                Err(TakeError::Gone)
            }
            Ok(contents) => {
                let message = Message::new(file, contents);
                Ok(Dequeued::new(
                    directory,
                    channel.clone(),
                    place.clone(),
                    message,
                ))
            }
            Err(ReadError::Io(source)) => Err(source.into()),
            Err(ReadError::Fault(fault)) => Err(self.set_aside(channel, place, fault)),
        }
    }

    /// Opens and locks the file that stands under the name now.
    pub(crate) fn lock_file(
        &self,
        channel: &ChannelName,
        place: &Place,
    ) -> Result<(Arc<Directory>, File), TakeError> {
        let directory = self
            .root()
            .existing(channel, place.subdir)
            .map_err(or_gone)?;
        let name = place.file.as_str();
        let stat = directory.stat(name).map_err(or_gone)?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(TakeError::Damaged {
                fault: Fault::NotRegular,
            });
        }
        let file = directory.open(name, true).map_err(or_gone)?;
        fs2::FileExt::try_lock_exclusive(&file).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                TakeError::Busy
            } else {
                error.into()
            }
        })?;
        // Between open and lock its last owner may have renamed, replaced or removed it.
        let (ours, named) = (file.metadata()?, directory.stat(name).map_err(or_gone)?);
        if (ours.dev(), ours.ino()) != (named.st_dev, named.st_ino) {
            return Err(TakeError::Gone);
        }
        Ok((Arc::new(directory), file))
    }

    fn set_aside(&self, channel: &ChannelName, place: &Place, fault: Fault) -> TakeError {
        let held = place.renamed(place.file.held());
        let renamed = !place.file.is_held()
            && self
                .root()
                .existing(channel, place.subdir)
                .and_then(|directory| {
                    directory.rename(place.file.as_str(), held.file.as_str())?;
                    directory.sync()
                })
                .is_ok();
        if renamed {
            TakeError::SetAside { place: held, fault }
        } else {
            TakeError::Damaged { fault }
        }
    }
}

fn or_gone(error: io::Error) -> TakeError {
    if error.kind() == io::ErrorKind::NotFound {
        TakeError::Gone
    } else {
        error.into()
    }
}

impl Deref for Dequeued {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl Dequeued {
    pub(crate) const fn new(
        directory: Arc<Directory>,
        channel: ChannelName,
        place: Place,
        message: Message,
    ) -> Self {
        Self {
            directory,
            channel,
            place,
            message,
        }
    }

    /// Its channel.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Where it lies.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Everybody has been dealt with: the file goes.
    ///
    /// The directory is not synced. Should the removal be lost in a power cut, the message is
    /// delivered once more; it is never lost.
    ///
    /// # Errors
    /// [`SettleError`]; the message is then still in the queue.
    pub fn remove(mut self) -> Result<(), SettleError> {
        let Err(error) = self.directory.unlink(self.place.file.as_str()) else {
            return Ok(());
        };
        // The next one who takes it removes it, if at least this can be written. If not, the
        // error that is told is the one that matters.
        self.note_done(&[], &[]).ok();
        Err(self.error(&self.place, error))
    }

    /// Makes sure that it can be noted who of the recipients was dealt with, even if the file
    /// system is full by then. Call it before a delivery to more than one.
    ///
    /// # Errors
    /// That there is no room for it now. A delivery could then be repeated for all of them, as
    /// often as it is tried.
    pub fn reserve(&self) -> io::Result<()> {
        let line = LONGEST_DONE * self.message.contents.left.len() as u64;
        let len = i64::try_from(self.message.file.metadata()?.len()).unwrap_or(i64::MAX);
        let wanted = i64::try_from(4096 + line).unwrap_or(i64::MAX);
        let flags = FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match nix::fcntl::fallocate(&self.message.file, flags, len, wanted) {
            Err(errno @ (Errno::ENOSPC | Errno::EDQUOT)) => Err(errno.into()),
            // A file system that cannot promise it, or trouble that the attempt will tell of.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Nobody could be dealt with yet: the attempts are noted and the name counts one more.
    /// Returns the new place when all of this is durable.
    ///
    /// # Errors
    /// [`SettleError`]; the message is then still in the queue.
    pub fn defer(mut self, attempts: &[Attempt]) -> Result<Place, SettleError> {
        self.write_down(attempts)?;
        let tried = self.place.file.attempts().saturating_add(1);
        let place = self.place.renamed(self.place.file.with_attempts(tried));
        self.rename(place)
    }

    /// Notes what happened without counting an attempt: the time stamp goes on telling when the
    /// last one was. Durable on return.
    ///
    /// # Errors
    /// [`SettleError`]; the message is then still in the queue.
    pub fn note(&mut self, attempts: &[Attempt]) -> Result<(), SettleError> {
        let file = &self.message.file;
        let noted = file.metadata().and_then(|before| {
            self.append(attempts)?;
            let tried = TimeSpec::new(before.mtime(), before.mtime_nsec());
            nix::sys::stat::futimens(file, &TimeSpec::UTIME_OMIT, &tried)?;
            sync::file(file)
        });
        noted.map_err(|error| self.error(&self.place, error))?;
        self.message.contents.history.extend_from_slice(attempts);
        Ok(())
    }

    fn write_down(&mut self, attempts: &[Attempt]) -> Result<(), SettleError> {
        self.append(attempts)
            .and_then(|()| sync::file(&self.message.file))
            .map_err(|error| self.error(&self.place, error))?;
        self.message.contents.history.extend_from_slice(attempts);
        Ok(())
    }

    /// Notes behind the message that everybody but the recipients with the indices `remaining`
    /// is dealt with. Durable on return. Why anybody else has to wait is noted if there is room.
    fn note_done(&mut self, remaining: &[usize], attempts: &[Attempt]) -> io::Result<()> {
        let now = name::now();
        let left = self.message.contents.left.iter().enumerate();
        let done: Vec<Attempt> = left
            .filter(|(at, _)| !remaining.contains(at))
            .map(|(_, number)| Attempt::done(now, *number))
            .collect();
        self.append(&done)?;
        self.append(attempts).ok();
        sync::file(&self.message.file)
    }

    /// Only the recipients with the indices `remaining`, at least one, are still to be dealt with: the file is
    /// replaced by one that names them alone, and its name counts one more attempt. Whatever
    /// moment a crash chooses, the queue holds either the old file or the new one. If there is no
    /// room for the new one, the old one gets a note of who is done.
    ///
    /// # Errors
    /// [`SettleError`]; the message is then still in the queue, possibly with all recipients.
    pub fn split(
        mut self,
        remaining: &[usize],
        attempts: &[Attempt],
    ) -> Result<Placed, SettleError> {
        let head = self.head_of(remaining);
        if head.envelope.recipients.is_empty() {
            // A file without recipients would be set aside as damaged.
            let nobody = io::ErrorKind::InvalidInput.into();
            return Err(self.error(&self.place, nobody));
        }
        let history = [self.history(), attempts].concat();
        let tried = self.place.file.attempts().saturating_add(1);
        let mut file_name = self.place.file.with_attempts(tried);
        let file = match self.rewrite(&head, &history) {
            Ok(file) => {
                file_name = file_name.rewritten();
                Some(file)
            }
            Err(error) => {
                if !self.is_in_place() || self.note_done(remaining, attempts).is_err() {
                    return Err(self.error(&self.place, error));
                }
                None
            }
        };
        let place = self.place.renamed(file_name);
        let path = self.directory.path().join(place.file.as_str());
        let (channel, size) = (self.channel.clone(), head.envelope.size);
        // The new file is durable under the old name from here on; our lock on it lasts until
        // its last name is.
        let place = self.rename(place)?;
        drop(file);
        Ok(Placed {
            channel,
            place,
            path,
            size,
            envelope: head.envelope,
        })
    }

    /// Sets the message aside until an operator releases it. Returns its held place.
    ///
    /// # Errors
    /// [`SettleError`]; the message is then still in the queue.
    pub fn hold(mut self, reason: &str) -> Result<Place, SettleError> {
        self.write_down(&[Attempt::held(name::now(), reason)])?;
        let place = self.place.renamed(self.place.file.held());
        self.rename(place)
    }

    /// Leaves the message as it is.
    pub fn keep(self) {
        drop(self);
    }

    pub(crate) fn rename(self, place: Place) -> Result<Place, SettleError> {
        if place == self.place {
            return Ok(place);
        }
        self.directory
            .rename(self.place.file.as_str(), place.file.as_str())
            .map_err(|error| self.error(&self.place, error))?;
        self.directory
            .sync()
            .map_err(|error| self.error(&place, error))?;
        Ok(place)
    }

    /// Whether the file that stands under the name is ours, and not one that has replaced it.
    fn is_in_place(&self) -> bool {
        let ours = self.message.file.metadata();
        let named = self.directory.stat(self.place.file.as_str());
        matches!((ours, named), (Ok(ours), Ok(named))
            if (ours.dev(), ours.ino()) == (named.st_dev, named.st_ino))
    }

    /// A head for some of the recipients, in their old order.
    fn head_of(&self, remaining: &[usize]) -> Head {
        let mut head = self.message.contents.head.clone();
        head.keep(remaining);
        head
    }

    /// Writes the message anew with another head and puts it in place of the present file.
    /// Durable on return; the new file comes locked.
    pub(crate) fn rewrite(&self, head: &Head, history: &[Attempt]) -> io::Result<File> {
        let unwritable =
            |record| io::Error::other(format!("the {record} record cannot be written"));
        let bytes = head.print().map_err(unwritable)?;
        let name = self.place.file.as_str();
        let written = enqueue::create_locked(Arc::clone(&self.directory), &name::unique(), name)?;
        written.file().write_all_at(&bytes, 0)?;
        let mut content = Checked::new(self.content());
        let mut to = written.file();
        io::Seek::seek(&mut to, io::SeekFrom::End(0))?;
        enqueue::copy_all(&mut content, to)?;
        let mut tail = enqueue::end(&bytes, content.crc, head);
        for attempt in history {
            attempt.print(&mut tail);
        }
        io::Write::write_all(&mut to, &tail)?;
        let file = written.replace()?;
        self.directory.sync()?;
        Ok(file)
    }

    fn append(&self, attempts: &[Attempt]) -> io::Result<()> {
        let file = &self.message.file;
        if attempts.is_empty() {
            // The time stamp tells when the last attempt was.
            nix::sys::stat::futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?;
            return Ok(());
        }
        let len = file.metadata()?.len();
        let mut last = [b'\n'];
        file.read_exact_at(&mut last, len.saturating_sub(1))?;
        let mut lines = Vec::new();
        if last != *b"\n" {
            // An earlier line was cut by a crash.
            lines.push(b'\n');
        }
        for attempt in attempts {
            attempt.print(&mut lines);
        }
        file.write_all_at(&lines, len)
    }

    fn error(&self, place: &Place, source: io::Error) -> SettleError {
        SettleError {
            channel: self.channel.clone(),
            place: place.clone(),
            source,
        }
    }
}

/// A reader that computes the checksum of what passes.
struct Checked<'a> {
    from: Slice<'a>,
    crc: u32,
}

impl<'a> Checked<'a> {
    const fn new(from: Slice<'a>) -> Self {
        Self { from, crc: 0 }
    }
}

impl io::Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.crc = crc32c::crc32c_append(self.crc, &buffer[..got]);
        Ok(got)
    }
}

#[cfg(test)]
#[path = "dequeue_tests.rs"]
mod tests;
