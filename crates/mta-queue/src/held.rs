//! What operators do to single files: hold, release, delete.

use std::io;

use mta_envelope::names::{ChannelName, Place};

use crate::Queue;
use crate::dequeue::Dequeued;
use crate::enqueue::Placed;
use crate::error::{Fault, SettleError, TakeError};
use crate::file::{Contents, ReadError};
use crate::message::Message;

impl Queue {
    /// Sets a message aside. Returns its held place.
    ///
    /// # Errors
    /// As [`Queue::take`]; [`TakeError::Io`] when the change did not reach the disk.
    pub fn hold(
        &self,
        channel: &ChannelName,
        place: &Place,
        reason: &str,
    ) -> Result<Place, TakeError> {
        if place.file.is_held() {
            return Ok(place.clone());
        }
        self.take(channel, place)?.hold(reason).map_err(unsettled)
    }

    /// Puts a held message back among those that are delivered. A whole file that was written
    /// under another name (a copy) gets its present name written in; a damaged one is refused.
    ///
    /// # Errors
    /// As [`Queue::take`]; [`TakeError::Io`] when the change did not reach the disk.
    pub fn release(&self, channel: &ChannelName, place: &Place) -> Result<Placed, TakeError> {
        let (directory, file) = self.lock_file(channel, place)?;
        let (contents, renamed) = match Contents::read(&file, &place.file, true) {
            Ok(contents) => (contents, false),
            Err(ReadError::Fault(Fault::OtherName { .. })) => {
                (Contents::read_foreign(&file).map_err(unread)?, true)
            }
            Err(error) => return Err(unread(error)),
        };
        let envelope = contents.head.envelope.clone();
        let mut head = contents.head.clone();
        let history = contents.history.clone();
        let path = directory.path().to_owned();
        let message = Message::new(file, contents);
        let held = Dequeued::new(directory, channel.clone(), place.clone(), message);
        let lock = if renamed {
            place.file.unique().clone_into(&mut head.unique);
            Some(held.rewrite(&head, &history)?)
        } else {
            None
        };
        let place = place.renamed(place.file.released());
        let place = held.rename(place).map_err(unsettled)?;
        drop(lock);
        Ok(Placed {
            path: path.join(place.file.as_str()),
            channel: channel.clone(),
            place,
            size: envelope.size,
            envelope,
        })
    }

    /// Removes a message file, damaged or not, without telling anybody.
    ///
    /// # Errors
    /// [`TakeError::Gone`], [`TakeError::Busy`] or [`TakeError::Io`].
    pub fn delete(&self, channel: &ChannelName, place: &Place) -> Result<(), TakeError> {
        let (directory, file) = self.lock_file(channel, place)?;
        directory.unlink(place.file.as_str())?;
        directory.sync()?;
        drop(file);
        Ok(())
    }
}

fn unread(error: ReadError) -> TakeError {
    match error {
        ReadError::Fault(fault) => TakeError::Damaged { fault },
        ReadError::Io(source) => TakeError::Io { source },
    }
}

fn unsettled(error: SettleError) -> TakeError {
    let source: io::Error = error.source;
    TakeError::Io { source }
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
