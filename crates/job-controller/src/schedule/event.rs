//! What the scheduler is told, and what it wants done.

use mta_envelope::names::{ChannelName, Place};
use mta_ipc::job_controller::{Change, Entry, JobId, Settlement, Work, WorkId};
use std::collections::BTreeSet;
use std::fmt;

/// The moment at which an event happens.
///
/// Waits are kept in `elapsed`, which never jumps; the wall clock only says what absolute times
/// mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the scheduler started, on a clock that only goes forward.
    pub elapsed: u64,
    /// Seconds since 1970.
    pub wall: u64,
    /// Minute of the local day.
    pub minute: u16,
}

/// A file that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself.
    pub entry: Entry,
    /// Time stamp of the file, seconds since 1970: its last attempt, if its name counts any.
    pub tried: u64,
    /// Deaths of channel programs in a row, as far as its history tells.
    pub deaths: u8,
}

/// What a channel program says when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The job it was started as; `None` when an operator runs it.
    pub job: Option<JobId>,
    /// The channel it means to serve.
    pub channel: ChannelName,
    /// Its process.
    pub pid: u32,
    /// Messages it can have in hand at once.
    pub threads: u16,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// New files, announced by whoever wrote them.
    Enqueued(Vec<Entry>),
    /// Files that a scan found.
    Found(Vec<Found>),
    /// A scan has come to its end.
    ScanDone {
        /// It has met no trouble and was not stopped: nothing was left out.
        complete: bool,
    },
    /// An operator released a held file.
    Released(Entry),
    /// An operator took a file away.
    Forgotten {
        /// Its channel.
        channel: ChannelName,
        /// Its place.
        place: Place,
    },
    /// A channel program is connected.
    Arrived(Arrival),
    /// A thread of a job settles what it had and asks for more.
    Next {
        /// The job.
        job: JobId,
        /// The thread, from 0.
        thread: u16,
        /// The host it would like to stay with.
        host: Option<String>,
        /// What became of earlier messages.
        done: Vec<(WorkId, Settlement)>,
    },
    /// A job settles messages.
    Settled {
        /// The job.
        job: JobId,
        /// What became of them.
        done: Vec<(WorkId, Settlement)>,
    },
    /// A program was started.
    Started {
        /// As which job.
        job: JobId,
        /// Its process.
        pid: u32,
    },
    /// A program could not be started.
    StartFailed {
        /// As which job.
        job: JobId,
        /// Why, in the system's words.
        reason: String,
    },
    /// A job's connection has ended; what it sent before has been handed over.
    Lost(JobId),
    /// A started program has ended.
    Exited {
        /// As which job.
        job: JobId,
        /// How, in words.
        how: String,
        /// Whether it ended by itself with code 0.
        clean: bool,
    },
    /// What became of an [`Action::CountAttempt`] or [`Action::Hold`].
    Amended {
        /// As given there.
        work: WorkId,
        /// [`Settlement::Deferred`], [`Settlement::Held`], or why it was not done.
        settlement: Settlement,
    },
    /// All stopped channels, as the hold list has them now.
    HoldList(BTreeSet<ChannelName>),
    /// An operator wants a channel run now.
    Submit {
        /// The channel.
        channel: ChannelName,
        /// Start its program even if nothing is queued.
        poll: bool,
    },
    /// An operator wants a scan now.
    Sync,
    /// An operator alters a setting.
    Change(Change),
    /// There is a new image: jobs that have read the old one are to end.
    Reloaded,
    /// Time passed.
    Tick,
    /// The server stops: no new work for anybody.
    Shutdown,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a channel's program; answered by [`Event::Started`] or [`Event::StartFailed`].
    Start {
        /// As this job.
        job: JobId,
        /// For this channel.
        channel: ChannelName,
        /// The `master_command`.
        command: String,
    },
    /// Answer to [`Event::Arrived`]: the job's number.
    Welcome(JobId),
    /// Answer to [`Event::Arrived`], [`Event::Next`], [`Event::Settled`], [`Event::Submit`] or
    /// [`Event::Change`]: not possible, and why.
    Refuse(String),
    /// Answer a thread's `Next` with a message.
    Give {
        /// The job.
        job: JobId,
        /// The thread.
        thread: u16,
        /// The message.
        work: Work,
    },
    /// Answer a thread's `Next` with `Exit`.
    Dismiss {
        /// The job.
        job: JobId,
        /// The thread.
        thread: u16,
    },
    /// Send a job's process a signal.
    Signal {
        /// The job.
        job: JobId,
        /// SIGKILL rather than SIGTERM.
        kill: bool,
    },
    /// Rename a file as tried once more, because programs died with it; answered by
    /// [`Event::Amended`].
    CountAttempt {
        /// Names it in the answer.
        work: WorkId,
        /// The file's channel.
        channel: ChannelName,
        /// The file.
        place: Place,
        /// Deaths in a row.
        deaths: u8,
    },
    /// Hold a file, because programs died with it; answered by [`Event::Amended`].
    Hold {
        /// Names it in the answer.
        work: WorkId,
        /// The file's channel.
        channel: ChannelName,
        /// The file.
        place: Place,
        /// Deaths in a row.
        deaths: u8,
    },
    /// Scan the queue directories of all channels, or of one; finds come as [`Event::Found`],
    /// then comes [`Event::ScanDone`].
    Scan(Option<ChannelName>),
    /// End the scan that is going on: there is no room for what it finds.
    StopScan,
    /// Write a line to the log.
    Note(Note),
}

/// A line of the Job Controller's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A program could not be started.
    ForkFailed {
        /// The channel.
        channel: ChannelName,
        /// The program.
        command: String,
        /// The system's words.
        reason: String,
        /// Milliseconds until the next try.
        delay: u64,
    },
    /// A program ended before it asked for work.
    DiedAtStart {
        /// The channel.
        channel: ChannelName,
        /// Its process.
        pid: u32,
        /// How it ended.
        how: String,
        /// Milliseconds until the next try.
        delay: u64,
    },
    /// A program ended with messages in hand or not with code 0.
    Died {
        /// The channel.
        channel: ChannelName,
        /// Its process.
        pid: u32,
        /// How it ended.
        how: String,
    },
    /// A message was in the hands of a program that died.
    DeathCounted {
        /// The channel.
        channel: ChannelName,
        /// The file.
        place: Place,
        /// Deaths in a row.
        deaths: u8,
    },
    /// A message was held, because programs kept dying with it.
    HeldForDeaths {
        /// The channel.
        channel: ChannelName,
        /// The file's new place.
        place: Place,
    },
    /// A program does not end by itself.
    Overdue {
        /// The channel.
        channel: ChannelName,
        /// Its process.
        pid: u32,
        /// The signal it gets.
        signal: &'static str,
    },
    /// A message has been in the hands of a program for long.
    Slow {
        /// The channel.
        channel: ChannelName,
        /// The file.
        place: Place,
        /// The program's process.
        pid: u32,
    },
    /// Programs die one after the other, and none of them has dealt with a message.
    Barren {
        /// The channel.
        channel: ChannelName,
        /// Milliseconds until the next try.
        delay: u64,
    },
    /// A channel names a pool that does not exist.
    NoPool {
        /// The channel.
        channel: ChannelName,
        /// The pool.
        pool: String,
    },
    /// The cache is full; messages stay on disk until it has drained.
    Overflow {
        /// The ceiling.
        limit: u64,
    },
    /// The cache has drained to half its ceiling.
    Drained,
    /// A scan begins.
    ScanBegins,
    /// A scan is over.
    ScanEnds {
        /// Messages in the cache now.
        messages: usize,
        /// Milliseconds it took.
        took: u64,
    },
    /// A scan has met trouble, and is done again.
    ScanIncomplete {
        /// Milliseconds until then.
        again: u64,
    },
    /// The wall clock and the steady clock drifted apart by so many seconds at once.
    ClockJumped(i64),
    /// For whoever is finding a fault; bit of the debug mask and text.
    Debug(u32, String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForkFailed {
                channel,
                command,
                reason,
                delay,
            } => write!(
                f,
                "jbc_channels: chan_execute [1]: fork failed: {reason} \
                 (channel {channel}, {command}; next try in {} s)",
                delay.div_ceil(1_000)
            ),
            Self::DiedAtStart {
                channel,
                pid,
                how,
                delay,
            } => write!(
                f,
                "channel {channel}: job {pid} ended before it asked for work: {how}; \
                 next start in {} s",
                delay.div_ceil(1_000)
            ),
            Self::Died { channel, pid, how } => write!(f, "channel {channel}: job {pid} {how}"),
            Self::DeathCounted {
                channel,
                place,
                deaths,
            } => write!(
                f,
                "channel {channel}: {place}: channel program died with this message in hand \
                 ({deaths} in a row)"
            ),
            Self::HeldForDeaths { channel, place } => write!(
                f,
                "channel {channel}: {place}: held, since channel program died {} times in a row",
                super::settle::HELD
            ),
            Self::Overdue {
                channel,
                pid,
                signal,
            } => write!(
                f,
                "channel {channel}: job {pid} does not end; sent {signal}"
            ),
            Self::Slow {
                channel,
                place,
                pid,
            } => write!(
                f,
                "channel {channel}: {place}: in the hands of job {pid} for an hour"
            ),
            Self::Barren { channel, delay } => write!(
                f,
                "channel {channel}: jobs die with whatever they get; next start in {} s",
                delay.div_ceil(1_000)
            ),
            Self::NoPool { channel, pool } => {
                write!(
                    f,
                    "pool {pool:?} not defined, channel {channel} not runnable"
                )
            }
            Self::Overflow { limit } => write!(
                f,
                "queue cache is full ({limit} messages); further messages stay on disk until \
                 half of it is delivered"
            ),
            Self::Drained => write!(f, "queue cache has room again; scanning the queue"),
            Self::ScanBegins => write!(f, "scan of the queue directories begins"),
            Self::ScanEnds { messages, took } => write!(
                f,
                "scan of the queue directories ends after {took} ms; \
                 {messages} messages in the queue cache"
            ),
            Self::ScanIncomplete { again } => write!(
                f,
                "scan of the queue directories was not complete; again in {} s",
                again.div_ceil(1_000)
            ),
            Self::ClockJumped(seconds) => write!(f, "the clock was moved by {seconds} s"),
            Self::Debug(_, text) => f.write_str(text),
        }
    }
}
