//! A channel, as the scheduler sees it.

use crate::cache::{QueueId, Rank};
use crate::settings::{ChannelSettings, Settings};
use mta_config::pool::ChannelClass;
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::JobId;
use std::collections::BTreeSet;

/// State of one channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) settings: ChannelSettings,
    /// Index of its class in the settings.
    pub(super) class: Option<usize>,
    /// Index of its pool in the settings.
    pub(super) pool: Option<usize>,
    /// Whether messages are queued per destination host. Fixed when the channel is made, since
    /// what is queued already would have to move.
    pub(super) sorts: bool,
    /// On the hold list.
    pub(super) stopped: bool,
    /// Priorities (bit per priority) whose delivery window is closed.
    pub(super) closed: u8,
    /// Queues that have work for one more thread, in the order in which they are to be served.
    pub(super) servable: BTreeSet<(Rank, u64, QueueId)>,
    /// Threads whose `Next` is unanswered.
    pub(super) asking: BTreeSet<(JobId, u16)>,
    pub(super) jobs: Vec<JobId>,
    /// The job that is kept apart to try messages alone.
    pub(super) quarantine: Option<JobId>,
    pub(super) delivered: u64,
    pub(super) requeued: u64,
    /// Messages handed out, for the share of old mail.
    pub(super) handed_out: u64,
    /// A job is wanted even without messages.
    pub(super) poll: bool,
    /// So many of the messages that wait longest are made eligible ahead of time.
    pub(super) hurry: u32,
    /// Programs that could not be started, ended before they asked for work or died with all
    /// they got, in a row.
    pub(super) start_failures: u32,
    /// Of these, those that died with all they got.
    pub(super) barren: u32,
    /// No job is started before this, in milliseconds.
    pub(super) start_after: u64,
    /// When a job was last started, as a turn.
    pub(super) start_turn: u64,
    /// Since when a job is wanted and the pool is full.
    pub(super) short_since: Option<u64>,
    /// A job found its file gone; the directory is to be scanned at this time.
    pub(super) rescan_at: Option<u64>,
    /// When it was last scanned for that reason.
    pub(super) rescanned: Option<u64>,
}

impl Channel {
    pub(super) fn new(channel: ChannelSettings, settings: &Settings, minute: u16) -> Self {
        let class = class_of(&settings.classes, &channel.name);
        let pool = settings
            .pools
            .iter()
            .position(|pool| pool.name.as_str() == channel.pool);
        let mut made = Self {
            sorts: class.is_some_and(|class| !settings.classes[class].anon_host),
            class,
            pool,
            settings: channel,
            stopped: false,
            closed: 0,
            servable: BTreeSet::new(),
            asking: BTreeSet::new(),
            jobs: Vec::new(),
            quarantine: None,
            delivered: 0,
            requeued: 0,
            handed_out: 0,
            poll: false,
            hurry: 0,
            start_failures: 0,
            barren: 0,
            start_after: 0,
            start_turn: 0,
            short_since: None,
            rescan_at: None,
            rescanned: None,
        };
        made.closed = made.closed_at(minute);
        made
    }

    /// The priorities whose window is closed at a minute of the day.
    pub(super) fn closed_at(&self, minute: u16) -> u8 {
        let windows = self.settings.windows.iter().enumerate();
        windows
            .filter(|(_, window)| window.as_ref().is_some_and(|open| !open.contains(minute)))
            .map(|(n, _)| 1 << n)
            .sum()
    }

    /// Whether any priority has a window.
    pub(super) fn has_windows(&self) -> bool {
        self.settings.windows.iter().any(Option::is_some)
    }
}

/// The class that serves a channel: the first whose pattern covers it.
pub(super) fn class_of(classes: &[ChannelClass], channel: &ChannelName) -> Option<usize> {
    classes
        .iter()
        .position(|class| class.matches(channel.as_str()))
}
