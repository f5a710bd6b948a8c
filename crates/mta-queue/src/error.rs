//! What can go wrong with a message file, one enum per thing a caller is doing.

use std::io;
use std::path::PathBuf;

use mta_envelope::names::{ChannelName, Place};

/// Why a message could not be put into the queue. Nothing of it is left on disk.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The file system is full, out of inodes, or the quota is used up (`452 4.3.1`).
    #[error("no space left in the queue while trying to {action}")]
    NoSpace {
        /// What was being done.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The disk, a directory or a descriptor failed us (`451 4.3.0`).
    #[error("cannot {action} in {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The directory concerned.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A value of the envelope holds a control character or is too long for its record.
    #[error("the envelope's {record} record cannot be written")]
    Unwritable {
        /// The record's letter, `@` for a recipient line.
        record: char,
    },
    /// A plan without recipients, or no plan at all.
    #[error("a message file needs at least one recipient")]
    NoRecipients,
    /// The header came twice or behind the body.
    #[error("the header has to come once and before the body")]
    Order,
    /// An earlier call on this draft failed already.
    #[error("the message file is given up after an earlier error")]
    GivenUp,
    /// The message holds the random line that was to mark its end.
    #[error("the message contains its own end marker")]
    Boundary,
}

impl QueueError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::NoSpace { action, source }
        } else {
            Self::Io {
                action,
                path: path.into(),
                source,
            }
        }
    }
}

/// What is wrong with a file that has a message file's name but must not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A directory, pipe, link or device.
    #[error("not a regular file")]
    NotRegular,
    /// An envelope record that cannot be read, by its line.
    #[error("line {line}: {what}")]
    Record {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No line ends the envelope.
    #[error("the envelope has no end")]
    NoBoundary,
    /// The file ends too early, or something else stands where its end marker should.
    #[error("no end record; it was never completely written, or was cut")]
    NoEnd,
    /// Sizes in head and end record disagree.
    #[error("the end record names another size")]
    Size,
    /// Contents are not what was written.
    #[error("checksum does not match; the contents have changed")]
    Checksum,
    /// The file was written under another name.
    #[error("written as {unique}, a copy or an old file's contents")]
    OtherName {
        /// Unique part of the name it was written for.
        unique: String,
    },
    /// A later release's file.
    #[error("format version {version} is not known")]
    Version {
        /// The version it names.
        version: String,
    },
}

/// Why a message file cannot be worked on now.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It is not there any more.
    #[error("the message file is gone")]
    Gone,
    /// Somebody else is working on it.
    #[error("the message file is in use")]
    Busy,
    /// It is damaged or foreign. It was renamed to `place`, where no delivery looks at it.
    #[error("message file set aside as {place}: {fault}")]
    SetAside {
        /// Its name now.
        place: Place,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It is damaged or foreign, and it stays where it is.
    #[error("damaged message file: {fault}")]
    Damaged {
        /// What is wrong with it.
        fault: Fault,
    },
    /// Reading it failed.
    #[error("cannot read the message file")]
    Io {
        /// The system's error.
        #[from]
        source: io::Error,
    },
}

/// Settling a message did not reach the disk. The message is still in the queue.
#[derive(Debug, thiserror::Error)]
#[error("cannot record the outcome of {place} in channel {channel}")]
pub struct SettleError {
    /// Its channel.
    pub channel: ChannelName,
    /// The name under which it is to be found.
    pub place: Place,
    /// The system's error.
    pub source: io::Error,
}
