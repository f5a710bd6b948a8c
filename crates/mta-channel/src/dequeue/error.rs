//! Why a master program ends before its time.

use std::io;

use mta_envelope::names::ChannelName;
use mta_ipc::IpcError;

use crate::enqueue::EnqueueError;

/// A master program could not begin its work.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// The configuration has no such channel.
    #[error("no such channel: {channel}")]
    NoSuchChannel {
        /// What was asked for.
        channel: ChannelName,
    },
    /// The Job Controller cannot be reached.
    #[error("cannot talk to the Job Controller")]
    Controller(#[from] IpcError),
    /// The Job Controller does not want this job.
    #[error("the Job Controller refused the job: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The queue area cannot be opened.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The system refuses a thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}
