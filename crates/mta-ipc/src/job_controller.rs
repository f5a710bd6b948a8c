//! What may be said to the Job Controller, and what it answers.
//!
//! Three kinds of program speak here. *Enqueuers* (server processes, channel programs that put
//! mail back, commands) send [`Request::Enqueued`] and need nothing else. *Channel programs*
//! say [`Request::Job`] once and then [`Request::Next`] per thread until they are told to exit.
//! *Operators'* commands ask and change. Everything is a hint: the queue on disk is the truth,
//! so a lost request costs time and never mail.

use mta_envelope::envelope::Priority;
use mta_envelope::names::{ChannelName, Place};
use serde::{Deserialize, Serialize};

/// The name under which the Job Controller listens; see [`crate::endpoint::socket_path`].
pub const DAEMON: &str = "job_controller";

/// What the Job Controller remembers of one message file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The channel in whose queue the file lies.
    pub channel: ChannelName,
    /// Where in that channel's directory.
    pub place: Place,
    /// Processing priority.
    pub priority: Priority,
    /// Destination host, or empty if the channel does not sort by host.
    pub host: String,
    /// Bytes of the message.
    pub size: u64,
    /// Recipients left in the file.
    pub recipients: u32,
    /// When the message came in, seconds since 1970.
    pub arrived: u64,
    /// Not to be tried before this time, seconds since 1970.
    pub not_before: Option<u64>,
}

/// One run of a channel program, as the Job Controller numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// One message handed to a job; never used twice in the life of a Job Controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkId(pub u64);

/// One message to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// By this it is settled.
    pub id: WorkId,
    /// Where the file lies in the channel's directory.
    pub place: Place,
    /// Destination host, or empty if the channel does not sort by host.
    pub host: String,
    /// How many jobs in a row died with this message in hand; the program may take more care.
    pub deaths: u8,
    /// Whoever wrote the file has announced it to this controller, which hands it out for the
    /// first time: nobody else can have tried it.
    pub first: bool,
}

/// What became of one message that a job had in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// Every recipient is dealt with and the file is removed.
    Removed,
    /// The file was renamed for one more attempt; the controller applies `backoff`, or waits
    /// `retry_in` seconds if that is given.
    Deferred {
        /// Its new place.
        place: Place,
        /// Seconds to wait instead of `backoff`.
        retry_in: Option<u32>,
    },
    /// Some recipients are left, in a new file that may be tried at once; the old one is gone.
    Split {
        /// The new file.
        entry: Entry,
    },
    /// The file was set aside as `.HELD` and leaves the cache.
    Held {
        /// Its new place.
        place: Place,
    },
    /// There was no such file: forget it.
    Gone,
    /// Another process holds the file's lock: try again soon, no attempt counted.
    Busy,
    /// Untouched, because of our own trouble: wait as `backoff` says without counting an attempt.
    Kept,
    /// The thread that had it panicked: as if the whole program had died with it.
    Died,
}

/// A setting that `imsimta cache -change` alters until the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The debug mask.
    Debug(u32),
    /// The ceiling of cached messages.
    MaxMessages(u64),
    /// How many channel directories are scanned at once.
    ParallelRebuild(u32),
    /// Whether a rebuild goes in order of creation.
    InorderRebuild(bool),
    /// Redefine or add a channel class.
    MasterCommand {
        /// Channel name or pattern.
        class: String,
        /// Program to run.
        command: String,
    },
    /// Effective `threaddepth` of one channel.
    ThreadDepth {
        /// The channel.
        channel: ChannelName,
        /// The new value.
        n: u32,
    },
    /// Effective `maxjobs` of one channel.
    JobLimit {
        /// The channel.
        channel: ChannelName,
        /// The new value.
        n: u32,
    },
}

/// What may be asked of the Job Controller.
///
/// Each is sent as `(id, Request)` and answered, sooner or later and in any order, by
/// `(id, Reply)` with the same id; see [`crate::client`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Files have been placed in queues. From every program that enqueues; answered by
    /// [`Reply::Ok`], for which nobody needs to wait. A hint: a lost one is made good by the next
    /// scan of the queue directories, a repeated one finds the entry there.
    Enqueued(Vec<Entry>),
    /// A channel program is here. From a channel program, once per connection; answered by
    /// [`Reply::Job`], or by [`Reply::Refused`] if there is no such channel. If it is lost the
    /// connection is lost, and with it the job; a second one on the same connection is refused.
    Job {
        /// The channel it serves.
        channel: ChannelName,
        /// Its process number.
        pid: u32,
        /// How many messages it can have in hand at once.
        threads: u16,
        /// Started by hand (`imsimta run`): waiting messages count as eligible, and it is told
        /// to exit when nothing is left.
        run: bool,
    },
    /// One thread of a channel program wants its next message and settles what it had. Answered
    /// by [`Reply::Work`] as soon as there is work, or by [`Reply::Exit`]. If the connection is
    /// lost, messages in hand return to their queue and each counts a death. A repeated `Next` of
    /// a thread replaces its first, which is then answered by [`Reply::Refused`].
    Next {
        /// As given by [`Reply::Job`].
        job: JobId,
        /// Which thread, from 0.
        thread: u16,
        /// Give work for this host if there is any.
        host: Option<String>,
        /// What became of earlier messages.
        done: Vec<(WorkId, Settlement)>,
    },
    /// Messages are dealt with, and no new one is wanted with it. From a channel program;
    /// answered by [`Reply::Ok`]. Settling what is settled or unknown has no effect.
    Settled {
        /// As given by [`Reply::Job`].
        job: JobId,
        /// What became of which message.
        done: Vec<(WorkId, Settlement)>,
    },
    /// Scan the queue directories for files that the cache lacks (`imsimta cache -sync`).
    /// Answered by [`Reply::Ok`] when the scan has begun; may be repeated.
    Sync,
    /// Write the internal state to the Job Controller's log and set the debug mask
    /// (`imsimta cache -walk`). Answered by [`Reply::Ok`]; may be repeated.
    Walk {
        /// New debug mask.
        debug: u32,
    },
    /// Alter a setting until the next start (`imsimta cache -change`). Answered by [`Reply::Ok`]
    /// or [`Reply::Refused`]; may be repeated.
    Change(Change),
    /// List cached entries (`imsimta cache -view`). Answered by [`Reply::View`], one part at a
    /// time; may be repeated.
    View {
        /// Only this channel.
        channel: Option<ChannelName>,
        /// 0, then what the last part named as `next`.
        cursor: u64,
    },
    /// Jobs and counts of each channel (`imsimta qm jobs`). Answered by [`Reply::Jobs`]; may be
    /// repeated.
    Jobs {
        /// Only this channel.
        channel: Option<ChannelName>,
    },
    /// Active and delayed messages of a channel by host (`imsimta qm messages`). Answered by
    /// [`Reply::Messages`]; may be repeated.
    Messages {
        /// The channel.
        channel: ChannelName,
    },
    /// Run the channel now; messages that wait for their next attempt become eligible at once
    /// (`imsimta submit`). Answered by [`Reply::Ok`] or [`Reply::Refused`]; may be repeated.
    Submit {
        /// The channel.
        channel: ChannelName,
        /// Start its program even if nothing is queued.
        poll: bool,
    },
    /// The channel has been added to the hold list on disk (`imsimta qm stop`): tell its jobs to
    /// exit after the message in hand. Answered by [`Reply::Ok`]; may be repeated; if it is lost
    /// the list is seen at the next start.
    StopChannel(ChannelName),
    /// The channel has left the hold list on disk (`imsimta qm start`): run it. Answered by
    /// [`Reply::Ok`]; may be repeated.
    StartChannel(ChannelName),
    /// A held file was released by an operator. Answered by [`Reply::Ok`]; a hint like
    /// [`Request::Enqueued`].
    Released(Entry),
    /// An operator held, deleted or returned a file: it is no more to be handed out. Answered by
    /// [`Reply::Ok`]; if it is lost, the next job finds the file gone.
    Forgotten {
        /// The channel.
        channel: ChannelName,
        /// Where the file lay.
        place: Place,
    },
    /// How the Job Controller is. From the watcher (readiness), `imsimta process -image` and
    /// probes; answered by [`Reply::Status`]; may be repeated.
    Status,
    /// Load the reloadable part of a new image (`imsimta reload`). Answered by [`Reply::Ok`] or
    /// [`Reply::Refused`]; may be repeated.
    Reload,
}

/// What the Job Controller answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Understood and done.
    Ok,
    /// The job's number, for `Next` and `Settled`.
    Job(JobId),
    /// The next message.
    Work(Work),
    /// Finish what is in hand, settle it, and end.
    Exit,
    /// A part of the cache.
    View {
        /// Its entries.
        rows: Vec<ViewRow>,
        /// Where the next part begins, if there is one.
        next: Option<u64>,
    },
    /// Jobs and counts per channel.
    Jobs(Vec<ChannelJobs>),
    /// Counts per host.
    Messages(Vec<HostCount>),
    /// How the Job Controller is.
    Status(Status),
    /// Not done, and why: one sentence for the operator.
    Refused(String),
}

/// One cached message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRow {
    /// The channel in whose queue the file lies.
    pub channel: ChannelName,
    /// Where in that channel's directory.
    pub place: Place,
    /// Destination host, or empty.
    pub host: String,
    /// Processing priority.
    pub priority: Priority,
    /// What it is doing.
    pub state: RowState,
    /// When the message came in, seconds since 1970.
    pub arrived: u64,
    /// Bytes of the message.
    pub size: u64,
    /// Recipients left.
    pub recipients: u32,
}

/// What a cached message is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowState {
    /// Eligible, waiting for a job.
    Ready,
    /// In the hands of a job.
    Active {
        /// That job's process.
        job_pid: u32,
    },
    /// Waiting for its next attempt.
    Waiting {
        /// When that is, seconds since 1970.
        until: u64,
    },
}

/// One channel as `imsimta qm jobs` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelJobs {
    /// The channel.
    pub channel: ChannelName,
    /// Whether it is on the hold list.
    pub stopped: bool,
    /// Its running jobs.
    pub jobs: Vec<JobView>,
    /// Messages that are eligible now.
    pub ready: u64,
    /// Messages that wait for their next attempt.
    pub waiting: u64,
    /// Messages delivered since the controller started.
    pub delivered: u64,
    /// Messages deferred since the controller started.
    pub requeued: u64,
    /// Which limit keeps more jobs from being started, in words; empty if none does.
    pub limit: String,
}

/// One running job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its process.
    pub pid: u32,
    /// The hosts its threads are bound to.
    pub hosts: Vec<String>,
    /// The messages it has in hand.
    pub messages: Vec<Place>,
    /// Messages settled so far.
    pub processed: u64,
    /// Of these, how many were deferred.
    pub failed: u64,
    /// Seconds since its start.
    pub age: u64,
}

/// Messages of one channel for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCount {
    /// The host, or empty if the channel does not sort.
    pub host: String,
    /// Eligible or in hand.
    pub active: u64,
    /// Waiting for their next attempt.
    pub delayed: u64,
}

/// How the Job Controller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Hash of the part of the image that needs a new process.
    pub fixed: String,
    /// Hash of the part that can be reloaded.
    pub reloadable: String,
    /// Whether the configuration came from an image.
    pub from_image: bool,
    /// Seconds since it started.
    pub uptime: u64,
    /// Messages in the cache.
    pub messages: u64,
    /// Jobs running.
    pub jobs: u64,
    /// Whether the scan at start is complete.
    pub built: bool,
    /// Process and image of each running job.
    pub children: Vec<crate::ProcessImage>,
}
