//! The scheduler: what is tried when, by which job, and when jobs are started and told to end.
//!
//! It is a pure state machine. [`Scheduler::handle`] takes an event and the time and returns what
//! is to be done; there is no clock, file, process or random number inside, so that days of
//! scheduling can be played in milliseconds and every decision can be repeated.
//!
//! | module | decides |
//! | --- | --- |
//! | `entries` | what enters and leaves the cache, overflow, scans |
//! | `handout` | which message an asking thread gets |
//! | `settle` | what becomes of a message after an attempt, and of one whose job died |
//! | `start` | whether a channel needs another job, and whether limits allow it |
//! | `lives` | when a job is told to end, and what happens when it does |
//! | `orders` | what an operator's order means |
//! | `timers` | what becomes due, and when to look again |
//! | `report` | listings for operators |
//!
//! Every change marks its channel; at the end of [`Scheduler::handle`] the marked channels are
//! looked at once: waiting threads get work, then missing jobs are started, best priority first
//! and in turns.

mod channel;
mod entries;
mod event;
mod handout;
mod lives;
mod orders;
mod report;
mod settle;
mod start;
mod timers;

#[cfg(test)]
mod tests;

pub use event::{Action, Arrival, Event, Found, Note, Now};
pub(crate) use settle::{COUNTS, HELD};
pub use start::Limit;

use crate::cache::{Cache, ChannelId, Slot};
use crate::job::Job;
use crate::settings::{ChannelSettings, Settings};
use channel::Channel;
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{JobId, WorkId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most channels that are kept apart; a queue directory beyond these is left alone.
const MAX_CHANNELS: usize = 4_096;

/// Bits of the debug mask.
pub(crate) mod debug {
    pub(crate) const JOBS: u32 = 1;
    pub(crate) const ENTRIES: u32 = 2;
    pub(crate) const DECISIONS: u32 = 4;
    pub(crate) const PROTOCOL: u32 = 8;
    pub(crate) const SCANS: u32 = 16;
    pub(crate) const TIMERS: u32 = 32;
}

/// The state machine.
#[derive(Debug)]
pub struct Scheduler {
    settings: Settings,
    cache: Cache,
    channels: Vec<Channel>,
    by_name: HashMap<ChannelName, ChannelId>,
    jobs: BTreeMap<JobId, Job>,
    works: BTreeMap<WorkId, InHand>,
    /// The same from the message's side.
    in_hand: BTreeMap<Slot, WorkId>,
    last_job: u32,
    last_work: u64,
    /// Counts servings; who has the smallest number was served longest ago.
    turn: u64,
    now: Now,
    scan: Scan,
    /// Some messages are on disk only, because there was no room.
    overflowed: bool,
    /// Messages that wait for a time of the wall clock.
    absolute: BTreeMap<Slot, u64>,
    stopped: BTreeSet<ChannelName>,
    down: bool,
    /// Channels that something happened to in this event.
    touched: BTreeSet<ChannelId>,
    actions: Vec<Action>,
}

/// A message that is in somebody's hands.
#[derive(Debug, Clone, Copy)]
struct InHand {
    slot: Slot,
    holder: Holder,
    /// When it was handed out.
    since: u64,
    /// It was told that this takes long.
    slow: bool,
}

/// Whose hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// A thread of a job.
    Thread(JobId, u16),
    /// Ours: the file is being renamed or held.
    Clerk,
}

/// Where scanning stands.
#[derive(Debug)]
struct Scan {
    /// When the one that is going on began.
    since: Option<u64>,
    /// Another of everything is wanted after it.
    again: bool,
    /// The first one is complete.
    built: bool,
    /// When the next periodic one is due, in milliseconds.
    next: u64,
    /// When one is due because a job died, which may have enqueued what it told nobody of, or
    /// because the last one was not complete.
    soon: Option<u64>,
    /// The one that is going on is such a one.
    hurried: bool,
    /// No earlier is the next one due after a death, so that a program that dies all the time
    /// does not keep the disk busy.
    rest_until: u64,
    /// Scans in a row that were not complete.
    incomplete: u32,
}

impl Scheduler {
    /// A scheduler with an empty cache, in which `stopped` channels are stopped. Ask it
    /// [`Scheduler::begin`] first.
    #[must_use]
    pub fn new(settings: Settings, stopped: BTreeSet<ChannelName>, now: Now) -> Self {
        let next = timers::first_synch(settings.synch, now);
        let mut scheduler = Self {
            cache: Cache::default(),
            channels: Vec::new(),
            by_name: HashMap::new(),
            jobs: BTreeMap::new(),
            works: BTreeMap::new(),
            in_hand: BTreeMap::new(),
            last_job: 0,
            last_work: 0,
            turn: 0,
            now,
            scan: Scan {
                since: None,
                again: false,
                built: false,
                next,
                soon: None,
                hurried: false,
                rest_until: 0,
                incomplete: 0,
            },
            overflowed: false,
            absolute: BTreeMap::new(),
            stopped,
            down: false,
            touched: BTreeSet::new(),
            actions: Vec::new(),
            settings,
        };
        for channel in scheduler.settings.channels.clone() {
            scheduler.add_channel(channel);
        }
        scheduler
    }

    /// What is to be done first: the scan that builds the cache.
    pub fn begin(&mut self) -> Vec<Action> {
        self.begin_scan(None);
        std::mem::take(&mut self.actions)
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes in an event and says what is to be done about it.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        self.advance(now);
        match event {
            Event::Enqueued(entries) => self.enqueued(entries),
            Event::Found(found) => self.found(found),
            Event::ScanDone { complete } => self.scan_done(complete),
            Event::Released(entry) => self.released(&entry),
            Event::Forgotten { channel, place } => self.forgotten(&channel, &place),
            Event::Arrived(arrival) => self.arrived(&arrival),
            Event::Next {
                job,
                thread,
                host,
                done,
            } => self.next(job, thread, host.as_deref(), done),
            Event::Settled { job, done } => self.settled(job, done),
            Event::Started { job, pid } => self.started(job, pid),
            Event::StartFailed { job, reason } => self.start_failed(job, reason),
            Event::Lost(job) => self.lost(job),
            Event::Exited { job, how, clean } => self.exited(job, how, clean),
            Event::Amended { work, settlement } => self.settle(work, Holder::Clerk, settlement),
            Event::HoldList(stopped) => self.hold_list(stopped),
            Event::Submit { channel, poll } => self.submit(&channel, poll),
            Event::Sync => self.begin_scan(None),
            Event::Change(change) => self.change(change),
            Event::Reloaded => self.retire_children(),
            Event::Tick => self.tick(),
            Event::Shutdown => self.shut_down(),
        }
        self.look_at_touched();
        std::mem::take(&mut self.actions)
    }

    /// Hands out work and starts jobs where something happened.
    fn look_at_touched(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        for channel in &touched {
            self.hand_out(*channel);
        }
        self.start_jobs(&touched);
    }

    fn touch(&mut self, channel: ChannelId) {
        self.touched.insert(channel);
    }

    fn touch_pool_of(&mut self, channel: ChannelId) {
        let pool = self.channels[channel.index()].pool;
        for (n, other) in self.channels.iter().enumerate() {
            if other.pool == pool {
                self.touched.insert(channel_id(n));
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.actions.push(Action::Note(note));
    }

    fn debug(&mut self, bit: u32, text: impl FnOnce(&Self) -> String) {
        if self.settings.debug & bit != 0 {
            let text = text(self);
            self.note(Note::Debug(bit, text));
        }
    }

    /// The scheduler's second, rounded up, so that no wait is shortened.
    const fn second(&self) -> u32 {
        // A hundred and thirty years of running.
        (self.now.elapsed.div_ceil(1_000)) as u32
    }

    fn channel(&self, channel: ChannelId) -> &Channel {
        &self.channels[channel.index()]
    }

    fn channel_mut(&mut self, channel: ChannelId) -> &mut Channel {
        &mut self.channels[channel.index()]
    }

    /// The channel of a name; one that the configuration does not know is made up, so that its
    /// files are at least visible. `None` when there are too many.
    fn channel_id(&mut self, name: &ChannelName) -> Option<ChannelId> {
        match self.by_name.get(name) {
            Some(id) => Some(*id),
            None if self.channels.len() < MAX_CHANNELS => {
                Some(self.add_channel(ChannelSettings::unknown(name.clone())))
            }
            None => None,
        }
    }

    fn add_channel(&mut self, settings: ChannelSettings) -> ChannelId {
        let id = channel_id(self.channels.len());
        let mut channel = Channel::new(settings, &self.settings, self.now.minute);
        channel.stopped = self.stopped.contains(&channel.settings.name);
        if let (true, Some(_), None) = (channel.settings.master, channel.class, channel.pool) {
            let note = Note::NoPool {
                channel: channel.settings.name.clone(),
                pool: channel.settings.pool.clone(),
            };
            self.note(note);
        }
        self.by_name.insert(channel.settings.name.clone(), id);
        self.channels.push(channel);
        self.cache.add_channel(id);
        id
    }
}

/// The number of the `n`-th channel.
fn channel_id(n: usize) -> ChannelId {
    ChannelId(u16::try_from(n).unwrap_or(u16::MAX))
}
