//! A running channel program, as the scheduler sees it.

use crate::cache::{ChannelId, QueueId, Slot};
use mta_ipc::job_controller::{JobId, WorkId};

/// Most threads that a job may claim.
pub(crate) const MAX_THREADS: u16 = 1_000;

/// One run of a channel program.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) channel: ChannelId,
    pub(crate) kind: Kind,
    pub(crate) phase: Phase,
    pub(crate) pid: u32,
    /// When it was started, in the scheduler's milliseconds.
    pub(crate) started: u64,
    /// Times it asked for work.
    pub(crate) asks: u32,
    /// When it last spoke to us or its phase changed.
    pub(crate) heard: u64,
    /// Since when none of its threads has had a message in hand.
    pub(crate) idle_since: u64,
    pub(crate) threads: Vec<Thread>,
    /// Messages in hand.
    pub(crate) in_hand: u32,
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    /// What of its stopping was tried: nothing, SIGTERM, SIGKILL.
    pub(crate) signals: u8,
    /// When the last of these was sent.
    pub(crate) signalled: u64,
    /// Since when it has been leaving, or lost.
    pub(crate) leaving_since: Option<u64>,
    /// It ended with messages in hand.
    pub(crate) bereft: bool,
}

/// Who started a job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The Job Controller: a child process that counts against the limits.
    Child,
    /// An operator, by `imsimta run`. It also gets the messages that waited when it came, soonest
    /// last, and ends when there is nothing left.
    Run {
        /// What it has yet to get of those.
        waited: Vec<Slot>,
    },
}

/// Where a job stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Started; it has not said that it is there.
    Starting,
    /// At work.
    Running,
    /// Told to exit at its next ask, or already.
    Leaving,
    /// Its connection is gone; the process is still there.
    Lost,
}

/// One thread of a job.
#[derive(Debug, Default)]
pub(crate) struct Thread {
    pub(crate) state: ThreadState,
    /// The host queue to which it is bound.
    pub(crate) bound: Option<QueueId>,
    /// Messages in a row of that host.
    pub(crate) in_a_row: u16,
    /// The host it was last bound to, whose connection it may still have open.
    pub(crate) last_host: String,
}

/// What a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ThreadState {
    /// Not heard of, told to exit, or between two requests.
    #[default]
    Silent,
    /// Its `Next` is unanswered.
    Asking,
    /// Has a message in hand.
    Working(WorkId),
}

impl Job {
    pub(crate) fn new(id: JobId, channel: ChannelId, kind: Kind, now: u64) -> Self {
        Self {
            id,
            channel,
            kind,
            phase: Phase::Starting,
            pid: 0,
            started: now,
            asks: 0,
            heard: now,
            idle_since: now,
            threads: Vec::new(),
            in_hand: 0,
            processed: 0,
            failed: 0,
            signals: 0,
            signalled: 0,
            leaving_since: None,
            bereft: false,
        }
    }

    /// Whether it counts against `maxjobs` and `job_limit`.
    pub(crate) fn is_child(&self) -> bool {
        self.kind == Kind::Child
    }

    /// Whether it takes work.
    pub(crate) fn is_serving(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether it asks for work and has none.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_serving()
            && self.in_hand == 0
            && self
                .threads
                .iter()
                .any(|thread| thread.state == ThreadState::Asking)
    }

    /// Whether a thread of it may be expected to ask for work without a message being settled.
    pub(crate) fn has_room(&self) -> bool {
        match self.phase {
            Phase::Starting => true,
            Phase::Running => (self.in_hand as usize) < self.threads.len(),
            Phase::Leaving | Phase::Lost => false,
        }
    }
}
